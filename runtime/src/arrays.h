// Arrays as Python hands them over, and what is checked alike for all of them.
#pragma once

extern "C" {
#include <kdpinn.h>
}

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
using namespace nb::literals;

template <class Real> using Rows = nb::ndarray<const Real, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class Real> using OutRows = nb::ndarray<Real, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class Real> using OutJets = nb::ndarray<Real, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Vector = nb::ndarray<const double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using OutVector = nb::ndarray<double, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Jets = nb::ndarray<const double, nb::ndim<3>, nb::c_contig, nb::device::cpu>;
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;

inline void require(bool holds, const char *message) {
    if (!holds) throw nb::value_error(message);
}

inline kd_channels make_channels(std::uint32_t first, const Pairs &pairs, std::uint32_t inputs) {
    kd_channels channels = {first, static_cast<std::uint32_t>(pairs.size()), {}};
    require(pairs.size() <= KD_MAX_PAIRS, "too many second derivatives in one call");
    require(first || pairs.empty(), "second derivatives need the first ones");
    for (std::size_t p = 0; p < pairs.size(); ++p) {
        require(pairs[p].first < inputs && pairs[p].second < inputs, "a second derivative names no input");
        channels.pair[p][0] = static_cast<std::uint8_t>(pairs[p].first);
        channels.pair[p][1] = static_cast<std::uint8_t>(pairs[p].second);
    }
    return channels;
}
