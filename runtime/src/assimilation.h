// Assimilation for Python: settings, an estimate and a workspace, beside an engine.
#pragma once

#include "arrays.h"
#include "engine.h"

extern "C" {
#include <kdpinn_assimilate.h>
}

#include <algorithm>

class Assimilation {
  public:
    Assimilation(Engine &engine, bool single, const std::vector<std::uint32_t> &unknown)
        : plan_(engine.plan(single ? KD_F32 : KD_F64)), outputs_(kd_output_count(&engine.model())),
          known_(kd_input_count(&engine.model()) - unknown.size()) {
        const std::uint32_t count = static_cast<std::uint32_t>(unknown.size());
        check(kd_assimilate_settings(plan_, &engine.model(), count, unknown.data(), &how_));
        workspace_ = allocate(kd_assimilate_size(plan_));
    }

    std::vector<bool> logarithmic() const {
        return std::vector<bool>(how_.logarithmic, how_.logarithmic + how_.unknowns);
    }
    std::vector<double> model_error() const { return {how_.model_error, how_.model_error + outputs_}; }

    void set(const std::vector<bool> &logarithmic, const std::vector<double> &drift, const std::vector<double> &noise,
             const std::vector<double> &model_error, std::uint32_t loss, double outlier) {
        require(logarithmic.size() == how_.unknowns && drift.size() == how_.unknowns && noise.size() == outputs_ &&
                    model_error.size() == outputs_,
                "the settings have the wrong length");
        std::copy(logarithmic.begin(), logarithmic.end(), how_.logarithmic);
        std::copy(drift.begin(), drift.end(), how_.drift);
        std::copy(noise.begin(), noise.end(), how_.noise);
        std::copy(model_error.begin(), model_error.end(), how_.model_error);
        how_.loss = loss, how_.outlier = outlier;
        check(kd_assimilate_prior(&how_, &estimate_));
    }

    // (used, missing, outside, outliers, iterations, converged, at_bound, chi_square)
    nb::tuple update(Rows<double> x, Rows<double> y, std::optional<Rows<double>> noise,
                     nb::ndarray<std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu> reading,
                     OutRows<double> residual) {
        const std::size_t n = x.shape(0);
        const auto fits = [&](std::size_t rows, std::size_t columns) { return rows == n && columns == outputs_; };
        require(x.shape(1) == known_ && fits(y.shape(0), y.shape(1)) && fits(reading.shape(0), reading.shape(1)) &&
                    fits(residual.shape(0), residual.shape(1)) && (!noise || fits(noise->shape(0), noise->shape(1))),
                "the arrays of an update do not fit together");
        kd_outcome done;
        check(kd_assimilate_update(plan_, &how_, n, x.data(), y.data(), noise ? noise->data() : nullptr, &estimate_,
                                   reading.data(), residual.data(), workspace_.get(), &done));
        return nb::make_tuple(done.count[KD_READING_USED], done.count[KD_READING_MISSING],
                              done.count[KD_READING_OUTSIDE], done.count[KD_READING_OUTLIER], done.iterations,
                              done.converged != 0, done.at_bound, done.chi_square);
    }

    void drift(double duration) { kd_assimilate_drift(&how_, duration, &estimate_); }

    double value(std::uint32_t k, double deviations) const {
        require(k < how_.unknowns, "there is no such unknown");
        return kd_assimilate_value(&how_, &estimate_, k, deviations);
    }

    std::vector<double> mean() const { return {estimate_.mean, estimate_.mean + how_.unknowns}; }

    std::vector<std::vector<double>> covariance() const {
        std::vector<std::vector<double>> rows;
        for (std::uint32_t k = 0; k < how_.unknowns; ++k)
            rows.emplace_back(estimate_.covariance[k], estimate_.covariance[k] + how_.unknowns);
        return rows;
    }

    void set_estimate(const std::vector<double> &mean, Rows<double> covariance) {
        require(mean.size() == how_.unknowns && covariance.shape(0) == how_.unknowns &&
                    covariance.shape(1) == how_.unknowns,
                "the estimate has the wrong length");
        for (std::uint32_t k = 0; k < how_.unknowns; ++k) {
            estimate_.mean[k] = mean[k];
            for (std::uint32_t j = 0; j < how_.unknowns; ++j)
                estimate_.covariance[k][j] = covariance.data()[k * how_.unknowns + j];
        }
    }

    void state(Rows<double> x, OutRows<double> value, OutRows<double> deviation, OutJets<double> gradient) {
        const std::size_t n = x.shape(0);
        require(x.shape(1) == known_ && value.shape(0) == n && deviation.shape(0) == n && gradient.shape(0) == n &&
                    value.shape(1) == outputs_ && deviation.shape(1) == outputs_ && gradient.shape(1) == outputs_ &&
                    gradient.shape(2) == how_.unknowns,
                "the arrays of a state do not fit together");
        check(kd_assimilate_state(plan_, &how_, &estimate_, n, x.data(), value.data(), deviation.data(),
                                  gradient.data(), workspace_.get()));
    }

  private:
    const kd_plan *plan_;
    std::size_t outputs_, known_;
    kd_assimilation how_ = {};
    kd_estimate estimate_ = {};
    Aligned workspace_;
};
