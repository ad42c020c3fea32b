// Splits points over threads; the calling thread takes the first share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

// Calls work(index, begin, end) on `threads` threads; shares are multiples of `grain` points.
// The first exception is rethrown here once all threads have ended.
template <class Work> void split_points(std::size_t n, std::size_t threads, std::size_t grain, Work work) {
    const std::size_t most = std::max<std::size_t>(1, (n + grain - 1) / grain);
    threads = std::clamp<std::size_t>(threads, 1, most);
    const std::size_t share = ((n + threads - 1) / threads + grain - 1) / grain * grain;
    std::vector<std::exception_ptr> failures(threads);
    const auto guarded = [&](std::size_t index) {
        try {
            const std::size_t begin = std::min(n, index * share);
            work(index, begin, std::min(n, begin + share));
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
