// The FMA peak of one core: as many independent multiply-adds as the units can take, nothing else.
// What benchmarks relate their figures to; models do not use it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace peak {

// 12 chains: two units of latency 4 need 8, AVX2 has 16 registers and two of them hold operands.
constexpr std::size_t chains = 12;

// The empty asm keeps every chain in a register, and alive.
#define KD_PEAK(NAME, TARGET, VECTOR, SET, FMA, CONSTRAINT)                                        \
    TARGET static void NAME(std::size_t steps) {                                                   \
        VECTOR sum[chains];                                                                        \
        const VECTOR factor = SET(0.5), term = SET(1.0);                                           \
        for (auto &s : sum) s = term;                                                              \
        for (std::size_t k = 0; k < steps; ++k) {                                                  \
            _Pragma("GCC unroll 12") for (auto &s : sum) s = FMA(s, factor, term);                 \
            _Pragma("GCC unroll 12") for (auto &s : sum) __asm__ volatile("" : CONSTRAINT(s));     \
        }                                                                                          \
    }

struct Burst {
    const char *isa;
    const char *precision;
    std::size_t lanes;
    void (*run)(std::size_t steps);
};

#if defined(__x86_64__)
#define KD_TARGET(isa) __attribute__((target(isa)))
KD_PEAK(avx512_f32, KD_TARGET("avx512f"), __m512, _mm512_set1_ps, _mm512_fmadd_ps, "+v")
KD_PEAK(avx512_f64, KD_TARGET("avx512f"), __m512d, _mm512_set1_pd, _mm512_fmadd_pd, "+v")
KD_PEAK(avx2_f32, KD_TARGET("avx2,fma"), __m256, _mm256_set1_ps, _mm256_fmadd_ps, "+x")
KD_PEAK(avx2_f64, KD_TARGET("avx2,fma"), __m256d, _mm256_set1_pd, _mm256_fmadd_pd, "+x")
#undef KD_TARGET
static const Burst bursts[] = {
    {"avx512", "f32", 16, avx512_f32},
    {"avx512", "f64", 8, avx512_f64},
    {"avx2", "f32", 8, avx2_f32},
    {"avx2", "f64", 4, avx2_f64},
};
#elif defined(__aarch64__)
#define KD_FMA_F32(s, factor, term) vfmaq_f32(term, s, factor)
#define KD_FMA_F64(s, factor, term) vfmaq_f64(term, s, factor)
KD_PEAK(neon_f32, , float32x4_t, vdupq_n_f32, KD_FMA_F32, "+w")
KD_PEAK(neon_f64, , float64x2_t, vdupq_n_f64, KD_FMA_F64, "+w")
static const Burst bursts[] = {{"neon", "f32", 4, neon_f32}, {"neon", "f64", 2, neon_f64}};
#else
static const Burst bursts[] = {{"", "", 0, nullptr}};
#endif
#undef KD_PEAK

// Runs `steps` rounds of all chains; the floating-point operations done, 0 for a path without a
// peak of its own (scalar). The caller has asked whether the processor knows the instructions.
inline std::uint64_t burst(const char *isa, const char *precision, std::size_t steps) {
    for (const Burst &b : bursts) {
        if (std::strcmp(b.isa, isa) != 0 || std::strcmp(b.precision, precision) != 0 || b.run == nullptr) continue;
        b.run(steps);
        return std::uint64_t{2} * chains * b.lanes * steps;
    }
    return 0;
}

} // namespace peak
