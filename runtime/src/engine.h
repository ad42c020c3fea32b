// A loaded model: owns a copy of the file and one plan for each precision that was asked for.
#pragma once

#include "aligned.h"
#include "threads.h"

#include <kdpinn.h>

#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

struct Refused : std::runtime_error { // a status other than KD_OK
    kd_status status;
    explicit Refused(kd_status s) : std::runtime_error(kd_status_text(s)), status(s) {}
};

inline void check(kd_status status) {
    if (status != KD_OK) throw Refused(status);
}

template <class Real> struct Calls;
template <> struct Calls<float> {
    static constexpr kd_precision precision = KD_F32;
    static constexpr auto eval = kd_eval;
    static constexpr auto jet = kd_jet;
};
template <> struct Calls<double> {
    static constexpr kd_precision precision = KD_F64;
    static constexpr auto eval = kd_eval_f64;
    static constexpr auto jet = kd_jet_f64;
};

// What a call saw: points outside the domain, and the first row that is not finite (or -1).
struct Seen {
    std::uint64_t outside = 0;
    std::int64_t bad_row = -1;

    void add(const Seen &other) {
        outside += other.outside;
        if (other.bad_row >= 0 && (bad_row < 0 || other.bad_row < bad_row)) bad_row = other.bad_row;
    }
};

class Engine {
  public:
    Engine(const void *bytes, std::size_t size, std::optional<std::string> isa)
        : file_(allocate(size)), isa_(std::move(isa)) {
        std::memcpy(file_.get(), bytes, size);
        check(kd_load(&model_, file_.get(), size));
        make_plan(KD_F32); // an unknown isa is refused here, not at the first call
    }

    const kd_model &model() const { return model_; }

    // Thread-safe; the plan lives as long as the engine.
    const kd_plan *plan(kd_precision precision) {
        if (const kd_plan *ready = plans_[precision - 1].load(std::memory_order_acquire)) return ready;
        return make_plan(precision);
    }

    template <class Real> Seen eval(const Real *x, std::size_t n, Real *y, std::size_t threads) {
        return run<Real>(KD_VALUES, n, x, y, threads);
    }

    // jets is (channels, n, outputs); a thread writes its points into a buffer of its own first,
    // because channels are n points apart.
    template <class Real>
    Seen jet(const kd_channels &channels, const Real *x, std::size_t n, Real *jets, std::size_t threads) {
        return run<Real>(channels, n, x, jets, threads);
    }

  private:
    const kd_plan *make_plan(kd_precision precision) {
        const std::lock_guard<std::mutex> lock(planning_);
        auto &slot = plans_[precision - 1];
        if (const kd_plan *ready = slot.load(std::memory_order_relaxed)) return ready;
        Aligned memory = allocate(kd_plan_size(&model_, precision));
        kd_plan *plan = nullptr;
        check(kd_plan_init(&plan, &model_, precision, isa_ ? isa_->c_str() : nullptr, memory.get()));
        memory_[precision - 1] = std::move(memory);
        slot.store(plan, std::memory_order_release);
        return plan;
    }

    template <class Real>
    Seen run(const kd_channels &channels, std::size_t n, const Real *x, Real *out, std::size_t threads) {
        const kd_plan *const ready = plan(Calls<Real>::precision);
        const std::size_t inputs = kd_input_count(&model_), outputs = kd_output_count(&model_);
        const std::size_t count = kd_channel_count(ready, &channels), size = kd_workspace_size(ready, &channels);
        if (threads <= 1 || n < 2 * grain) return run_share<Real>(ready, channels, n, x, out, size);
        // 32 chunks for each thread: the last ones end within some percent of each other.
        const std::size_t chunk = (n / (32 * threads) + grain) / grain * grain;
        std::vector<Seen> seen(threads);
        std::vector<std::vector<Real>> shares(threads);
        share_points(n, threads, chunk, [&](std::size_t index, std::size_t begin, std::size_t end) {
            const std::size_t points = end - begin;
            Seen part;
            if (count == 1) {
                part = run_share<Real>(ready, channels, points, x + begin * inputs, out + begin * outputs, size);
            } else { // channels are n points apart in `out`, and `points` apart in a share of its own
                std::vector<Real> &share = shares[index];
                share.resize(count * chunk * outputs);
                part = run_share<Real>(ready, channels, points, x + begin * inputs, share.data(), size);
                for (std::size_t k = 0; k < count; ++k)
                    std::memcpy(out + (k * n + begin) * outputs, share.data() + k * points * outputs,
                                points * outputs * sizeof(Real));
            }
            if (part.bad_row >= 0) part.bad_row += static_cast<std::int64_t>(begin);
            seen[index].add(part);
        });
        Seen total;
        for (const Seen &part : seen) total.add(part);
        return total;
    }

    template <class Real>
    static Seen run_share(const kd_plan *plan, const kd_channels &channels, std::size_t n, const Real *x, Real *out,
                          std::size_t workspace_size) {
        kd_report report = {0, 0};
        const kd_status status =
            Calls<Real>::jet(plan, &channels, n, x, out, thread_workspace(workspace_size), &report);
        if (status == KD_NOT_FINITE) return {report.outside, static_cast<std::int64_t>(report.row)};
        check(status);
        return {report.outside, -1};
    }

    static constexpr std::size_t grain = 256; // points; below two grains threads cost more than they give
    Aligned file_;
    std::optional<std::string> isa_;
    kd_model model_;
    std::mutex planning_;
    Aligned memory_[2];
    std::atomic<const kd_plan *> plans_[2] = {nullptr, nullptr};
};
