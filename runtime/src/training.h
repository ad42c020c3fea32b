// Training: jets of a parameter vector, the reverse pass through them, and sums of squared residuals.
#pragma once

#include "aligned.h"
#include "arrays.h"
#include "threads.h"

extern "C" {
#include <reverse.h>
}

#include <tuple>

using Points = nb::ndarray<const double, nb::c_contig, nb::device::cpu>; // (n, inputs) or (channels, n, inputs)
using Widths = std::vector<std::uint32_t>;
using Isa = std::optional<std::string>;

class Trainee {
  public:
    Trainee(Widths sizes, std::uint32_t activation, Vector theta, Points x, std::optional<Vector> scale,
            const Pairs &pairs, int order, const Isa &isa)
        : sizes_(std::move(sizes)), theta_(std::move(theta)), x_(std::move(x)), scale_(std::move(scale)),
          calls_(kd_find_reverse(isa ? isa->c_str() : nullptr)) {
        require(calls_ != nullptr, kd_status_text(KD_ISA));
        require(sizes_.size() >= 2 && sizes_.size() <= KD_MAX_LAYERS, "a network has 2 to 64 widths");
        for (std::size_t l = 0; l < sizes_.size(); ++l) {
            require(sizes_[l] > 0 && sizes_[l] <= 4096, "a width lies outside 1 to 4096");
            if (l > 0) parameters_ += (std::size_t{sizes_[l - 1]} + 1) * sizes_[l];
        }
        require(activation < KD_ACTIVATIONS, "unknown activation");
        require(theta_.shape(0) == parameters_, "theta does not have the network's number of parameters");
        require(order == 2 || pairs.empty(), "pairs need order 2");
        const std::uint32_t inputs = coordinates(pairs.size(), order > 0);
        net_ = {sizes_.data(), static_cast<std::uint32_t>(sizes_.size() - 1), activation,
                make_channels(order > 0 ? inputs : 0, pairs, inputs), theta_.data(), scale_ ? scale_->data() : nullptr};
        require(x_.ndim() == 2 || x_.shape(0) == channels(), "the inputs must be (channels, n, inputs)");
    }

    void jets(OutJets<double> out, std::size_t threads) const {
        check_jets(out.shape(0), out.shape(1), out.shape(2));
        nb::gil_scoped_release released;
        share(threads, [&](std::size_t, std::size_t begin, std::size_t end, void *workspace) {
            calls_->jets(&net_, end - begin, points(), from(begin), out.data() + begin * sizes_.back(), workspace);
        });
    }

    void vjp(Jets seed, OutVector gradient, std::size_t threads) const {
        check_jets(seed.shape(0), seed.shape(1), seed.shape(2));
        require(gradient.shape(0) == parameters_, "the gradient needs one entry per parameter");
        nb::gil_scoped_release released;
        std::vector<std::vector<double>> parts(std::max<std::size_t>(threads, 1));
        share(threads, [&](std::size_t index, std::size_t begin, std::size_t end, void *workspace) {
            parts[index].assign(parameters_, 0.0);
            calls_->vjp(&net_, end - begin, points(), from(begin), seed.data() + begin * sizes_.back(),
                        parts[index].data(), workspace);
        });
        std::fill_n(gradient.data(), parameters_, 0.0);
        for (const auto &part : parts) // in order of the points, so that the sum repeats exactly
            for (std::size_t p = 0; p < part.size(); ++p) gradient.data()[p] += part[p];
    }

    void jacobian(Jets seed, OutRows<double> out, std::size_t threads) const {
        check_jets(seed.shape(0), seed.shape(1), seed.shape(2));
        require(out.shape(0) == parameters_ && out.shape(1) == points(), "the Jacobian must be (parameters, n)");
        nb::gil_scoped_release released;
        share(threads, [&](std::size_t, std::size_t begin, std::size_t end, void *workspace) {
            calls_->jacobian(&net_, end - begin, points(), from(begin), seed.data() + begin * sizes_.back(),
                             out.data() + begin, workspace);
        });
    }

    std::size_t points() const { return x_.shape(x_.ndim() - 2); }
    std::size_t parameters() const { return parameters_; }
    std::size_t jet_count() const { return channels() * sizes_.back(); }

    // Sum of squares at points [begin, end) with other parameters; adds to gradient and by_scalar.
    double squares(const double *theta, const kd_equations &equations, std::size_t begin, std::size_t end,
                   double *gradient, double *by_scalar) const {
        kd_network net = net_;
        kd_equations here = equations;
        net.theta = theta;
        here.column += begin;
        return calls_->squares(&net, &here, end - begin, points(), from(begin), gradient, by_scalar,
                               thread_workspace(calls_->workspace(&net, &here)));
    }

    static constexpr std::size_t grain = 128; // points per share, at least

  private:
    std::size_t channels() const { return 1 + net_.channels.first + net_.channels.pairs; }
    const double *from(std::size_t begin) const { return x_.data() + begin * sizes_.front(); }

    // The number of coordinates, which `x` and `scale` tell.
    std::uint32_t coordinates(std::size_t pairs, bool first) const {
        require(x_.ndim() == (scale_ ? 2 : 3), "x must be (n, inputs) with scale, or (channels, n, inputs) without");
        require(x_.shape(x_.ndim() - 1) == sizes_.front(), "x has the wrong number of columns");
        const std::size_t d = scale_ ? sizes_.front() : first ? x_.shape(0) - 1 - pairs : 0;
        require(!scale_ || scale_->shape(0) == sizes_.front(), "scale needs one entry per input");
        require(scale_ || x_.shape(0) > pairs + first, "the inputs have too few channels");
        require(d <= KD_MAX_INPUTS, "at most 16 coordinates");
        return static_cast<std::uint32_t>(d);
    }
    void check_jets(std::size_t k, std::size_t n, std::size_t m) const {
        require(k == channels() && n == points() && m == sizes_.back(), "the jets must be (channels, n, outputs)");
    }
    template <class Work> void share(std::size_t threads, Work work) const {
        const std::size_t size = calls_->workspace(&net_, nullptr);
        split_points(points(), threads, grain, [&](std::size_t index, std::size_t begin, std::size_t end) {
            work(index, begin, end, thread_workspace(size));
        });
    }

    Widths sizes_;
    Vector theta_;
    Points x_;
    std::optional<Vector> scale_;
    const kd_reverse *calls_;
    std::size_t parameters_ = 0;
    kd_network net_;
};

using Products = std::vector<std::tuple<double, std::uint32_t, std::vector<std::uint32_t>>>;

// Sums of squared residuals of one network at several sets of points, each with equations of its own.
class Squares {
  public:
    // Keeps the trainee (its points) and the columns (equations first: their weights).
    void add(nb::object trainee, const Products &products, std::uint32_t equations, Rows<double> columns,
             std::uint32_t scalars) {
        Part part;
        part.at = nb::cast<const Trainee *>(trainee);
        part.columns = columns;
        require(columns.shape(1) == part.at->points(), "the columns must have a number for every point");
        require(equations > 0 && columns.shape(0) >= equations, "every equation needs a column of weights");
        require(parts_.empty() || part.at->parameters() == parts_.front().at->parameters(),
                "all parts must be of one network");
        require(parts_.empty() || scalars == parts_.front().equations.scalars, "all parts must have the same scalars");
        std::uint32_t previous = 0;
        for (const auto &[coefficient, equation, factors] : products) {
            kd_product product = {coefficient, equation, static_cast<std::uint32_t>(factors.size()), {}};
            require(factors.size() <= KD_MAX_FACTORS, "a product has more than 10 factors");
            require(equation >= previous && equation < equations, "products come in the order of their equations");
            for (std::size_t i = 0; i < factors.size(); ++i) {
                require(factors[i] < part.at->jet_count() + columns.shape(0) + scalars, "a factor does not exist");
                product.factor[i] = factors[i];
            }
            previous = equation;
            part.products.push_back(product);
        }
        part.equations = {equations, static_cast<std::uint32_t>(products.size()),
                          static_cast<std::uint32_t>(columns.shape(0)), scalars, nullptr, nullptr, nullptr};
        parts_.push_back(std::move(part));
        kept_.push_back(std::move(trainee));
    }

    double evaluate(Vector theta, Vector scalars, OutVector gradient, OutVector by_scalar, std::size_t threads) const {
        require(!parts_.empty(), "there are no points yet");
        const std::size_t count = parts_.front().at->parameters(), extra = parts_.front().equations.scalars;
        require(theta.shape(0) == count && gradient.shape(0) == count, "theta and gradient need all parameters");
        require(scalars.shape(0) == extra && by_scalar.shape(0) == extra, "the scalars do not fit");
        std::size_t points = 0;
        for (const Part &part : parts_) points += part.at->points();
        threads = std::clamp<std::size_t>(threads, 1, 1 + points / Trainee::grain);
        std::vector<std::vector<double>> sums(threads);
        {
            nb::gil_scoped_release released;
            split_points(threads, threads, 1, [&](std::size_t index, std::size_t, std::size_t) {
                sums[index].assign(count + extra + 1, 0.0);
                for (const Part &part : parts_) add_share(part, theta.data(), scalars.data(), index, threads, sums[index]);
            });
        }
        std::vector<double> &total = sums.front(); // in the order of the shares, so that it repeats exactly
        for (std::size_t t = 1; t < threads; ++t)
            for (std::size_t p = 0; p < total.size(); ++p) total[p] += sums[t][p];
        std::copy_n(total.begin(), count, gradient.data());
        std::copy_n(total.begin() + static_cast<std::ptrdiff_t>(count), extra, by_scalar.data());
        return total.back();
    }

  private:
    struct Part {
        const Trainee *at;
        Rows<double> columns;
        std::vector<kd_product> products;
        kd_equations equations;
    };

    // Every thread takes a share of every part: the parts differ in what a point costs.
    static void add_share(const Part &part, const double *theta, const double *scalars, std::size_t index,
                          std::size_t threads, std::vector<double> &sums) {
        constexpr std::size_t whole = 64; // a multiple of most tiles
        const std::size_t n = part.at->points(), count = part.at->parameters();
        const auto bound = [&](std::size_t k) { return k >= threads ? n : n * k / threads / whole * whole; };
        const std::size_t begin = bound(index), end = bound(index + 1);
        if (begin == end) return;
        kd_equations equations = part.equations;
        equations.product = part.products.data();
        equations.column = part.columns.data();
        equations.scalar = scalars;
        sums.back() += part.at->squares(theta, equations, begin, end, sums.data(), sums.data() + count);
    }

    std::vector<Part> parts_;
    std::vector<nb::object> kept_;
};
