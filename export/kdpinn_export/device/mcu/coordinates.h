/* What the float and the fixed-point evaluator share: elementary functions, functions of the
 * coordinates, and the way from the inputs to the first layer and from the last one to the outputs.
 * Included after model_data.h, which has the tables.
 *
 * Largest absolute errors: tanh and normal_cdf 3.5e-7, sin 2e-7 for |x| <= 1e4; exp 4e-7 relative. */
#ifndef KDPINN_COORDINATES_H
#define KDPINN_COORDINATES_H

#include <stddef.h>
#include <stdint.h>

#include "tanh_table.h"

#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__ARM_FEATURE_FMA) || defined(__aarch64__) || defined(__riscv_flen) || defined(__FMA__)
INLINE float fma_(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
#else
INLINE float fma_(float a, float b, float c) { return a * b + c; }
#endif

/* The interval of x, from 0 to 127, those outside counted to the first and the last, and x less its
 * lower end, which is at / 8 - 8. */
INLINE uint32_t interval(float x, float *within) {
#if defined(__ARM_ARCH_7EM__) && defined(__ARM_FP) /* saturating conversions, which C has no word for */
    float eighths = x + 8;
    uint32_t at;
    __asm__("vcvt.u32.f32 %0, %0, #3" : "+t"(eighths));
    __asm__("vmov %0, %1\n\tusat %0, #7, %0" : "=r"(at) : "t"(eighths));
    __asm__("vmov %0, %1\n\tvcvt.f32.u32 %0, %0, #3" : "=t"(eighths) : "r"(at));
    *within = x - (eighths - 8);
#else
    const uint32_t at = x <= -8 ? 0 : x >= 8 ? 127 : (uint32_t)((x + 8) * 8);
    *within = x - ((float)at * 0.125f - 8);
#endif
    return at;
}

/* A cubic in each interval of 1/8; the outermost are constant. */
INLINE float tanh_(float x) {
    float f;
    const float *const c = tanh_table[interval(x, &f)];
    return fma_(fma_(fma_(c[3], f, c[2]), f, c[1]), f, c[0]);
}

/* To the nearest whole number, for |x| < 2^22: by adding 1.5 * 2^23. */
INLINE float round_(float x) { return (x + 12582912.0f) - 12582912.0f; }

/* By x = k pi + r; the sign changes with odd k. Coefficients of the runtime's core. */
INLINE float sin_(float x) {
    const float k = round_(x * 0.318309886f);
    float r = fma_(k, -3.140625f, x), s, p;
    r = fma_(k, -9.67502594e-4f, r);
    r = fma_(k, -1.50990672e-7f, r);
    s = r * r;
    p = fma_(fma_(fma_(2.63473272e-6f, s, -1.98227322e-4f), s, 8.33324208e-3f), s, -1.6666666e-1f);
    p = fma_(p * s, r, r);
    return k == 2 * round_(0.5f * k) ? p : -p;
}

/* By x = k ln 2 + r; the argument is held within [-87, 88]. */
INLINE float exp_(float x) {
    union { float value; uint32_t bits; } power;
    const float held = x < -87 ? -87 : x > 88 ? 88 : x, k = round_(held * 1.44269504f);
    float r = fma_(k, -6.93359375e-1f, held), p;
    r = fma_(k, 2.1219444e-4f, r);
    p = fma_(fma_(fma_(1.39261836e-3f, r, 8.36317905e-3f), r, 4.16665546e-2f), r, 1.6666577e-1f);
    p = fma_(r * r, fma_(p, r, 0.5f), r);
    power.bits = (uint32_t)(127 + (int32_t)k) << 23;
    return fma_(power.value, p, power.value);
}

INLINE float sigmoid_(float x) { return 1 / (1 + exp_(-x)); }
INLINE float silu_(float x) { return x * sigmoid_(x); }
INLINE float relu_(float x) { return x < 0 ? 0 : x; }

/* Phi(x): q(x) P(t), t = 1 / (1 + 0.23 |x|), is the rest beyond |x|, q the normal density. The
 * polynomial: Abramowitz and Stegun (1964), 26.2.17, which states 7.5e-8; / sqrt(2 pi). */
INLINE float normal_cdf(float x) {
    const float t = 1 / fma_(0.2316419f, x < 0 ? -x : x, 1), e = exp_(-0.5f * x * x);
    float p = fma_(fma_(fma_(0.530702715f, t, -0.72657601f), t, 0.71070687f), t, -0.142248368f);
    p = fma_(p, t, 0.127414796f) * t * e;
    return x < 0 ? p : 1 - p;
}

INLINE float gelu_(float x) { return x * normal_cdf(x); }

#if KDPINN_OPERATIONS > 0
/* Each operation from earlier ones; docs/format.md has the kinds. */
static void coordinate_functions(const kdpinn_operation *o, size_t count, const float *x, float *v) {
    size_t k;
    for (k = 0; k < count; ++k, ++o) switch (o->kind) {
    case 1: v[k] = x[o->a]; break;
    case 2: v[k] = o->value; break;
    case 3: v[k] = v[o->a] + v[o->b]; break;
    case 4: v[k] = v[o->a] * v[o->b]; break;
    case 5: v[k] = 1 / v[o->a]; break;
    case 6: v[k] = sin_(v[o->a]); break;
    case 7: v[k] = exp_(v[o->a]); break;
    default: v[k] = tanh_(v[o->a]); break;
    }
}
#endif

/* z = (x - shift) * scale, or the same of the features. */
static void normalized(const float *x, float *z) {
    size_t i;
#if KDPINN_FEATURES > 0
    float v[KDPINN_FEATURES];
    coordinate_functions(kdpinn_features, KDPINN_FEATURES, x, v);
    for (i = 0; i < KDPINN_FED; ++i)
        z[i] = (v[kdpinn_feature_of[i]] - kdpinn_input[i].shift) * kdpinn_input[i].scale;
#else
    for (i = 0; i < KDPINN_FED; ++i) z[i] = (x[i] - kdpinn_input[i].shift) * kdpinn_input[i].scale;
#endif
}

/* y = network * scale + shift, then base + factor * y where there are exact conditions. */
static void physical(const float *x, const float *network, float *y) {
    size_t j;
    for (j = 0; j < KDPINN_OUTPUTS; ++j)
        y[j] = fma_(network[j], kdpinn_output[j].scale, kdpinn_output[j].shift);
#if KDPINN_EXACT > 0
    {
        float v[KDPINN_EXACT];
        coordinate_functions(kdpinn_exact, KDPINN_EXACT, x, v);
        for (j = 0; j < KDPINN_OUTPUTS; ++j) y[j] = fma_(v[kdpinn_factor[j]], y[j], v[kdpinn_base[j]]);
    }
#else
    (void)x;
#endif
}

#endif
