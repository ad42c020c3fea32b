// Splits points over threads; the calling thread is the first of them.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

// Calls body(index) on `threads` threads. The first exception is rethrown here once all have ended.
template <class Body> void run_threads(std::size_t threads, Body body) {
    std::vector<std::exception_ptr> failures(threads);
    const auto guarded = [&](std::size_t index) {
        try {
            body(index);
        } catch (...) {
            failures[index] = std::current_exception();
        }
    };
    std::vector<std::thread> helpers;
    for (std::size_t t = 1; t < threads; ++t) helpers.emplace_back(guarded, t);
    guarded(0);
    for (auto &helper : helpers) helper.join();
    for (const auto &failure : failures)
        if (failure) std::rethrow_exception(failure);
}

// Of `threads`, as many as have a grain of points each.
inline std::size_t busy_threads(std::size_t n, std::size_t threads, std::size_t grain) {
    return std::clamp<std::size_t>(threads, 1, std::max<std::size_t>(1, (n + grain - 1) / grain));
}

// Calls work(index, begin, end) once on each thread, always with the same shares, multiples of `grain`
// points: for sums, which must not depend on who was faster.
template <class Work> void split_points(std::size_t n, std::size_t threads, std::size_t grain, Work work) {
    threads = busy_threads(n, threads, grain);
    const std::size_t share = ((n + threads - 1) / threads + grain - 1) / grain * grain;
    run_threads(threads, [&](std::size_t index) {
        const std::size_t begin = std::min(n, index * share);
        work(index, begin, std::min(n, begin + share));
    });
}

// Calls work(index, begin, end) for each `chunk` of points, on whichever thread is free: one that starts
// late, or shares its core, does less. Points are taken in order.
template <class Work> void share_points(std::size_t n, std::size_t threads, std::size_t chunk, Work work) {
    std::atomic<std::size_t> next{0};
    run_threads(busy_threads(n, threads, chunk), [&](std::size_t index) {
        for (std::size_t begin; (begin = next.fetch_add(chunk, std::memory_order_relaxed)) < n;)
            work(index, begin, std::min(n, begin + chunk));
    });
}
