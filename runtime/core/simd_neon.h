/* NEON vectors of AArch64: 4 float or 2 double lanes. */
#include <arm_neon.h>

#define KD_ISA neon
#define KD_ROWS 6 /* neurons times columns of accumulators fit the 32 registers */
#define KD_COLS 4
#define KD_TILE {4, 2} /* see simd_avx2.h */
#define KD_NEAR 0 /* not more */
#define KD_GROUP 4 /* vectors that go through an elementary function side by side */
#define KD_PIN(v) __asm__("" : "+w"(v)) /* see simd_avx512.h */
#define KD_PIN_WEIGHT(v) KD_PIN(v)

#if KD_BITS == 32
typedef float real;
typedef float32x4_t vec;
enum { LANES = 4 };
static inline vec v_set1(real a) { return vdupq_n_f32(a); }
static inline vec v_load(const real *p) { return vld1q_f32(p); }
static inline void v_store(real *p, vec a) { vst1q_f32(p, a); }
static inline vec v_add(vec a, vec b) { return vaddq_f32(a, b); }
static inline vec v_sub(vec a, vec b) { return vsubq_f32(a, b); }
static inline vec v_mul(vec a, vec b) { return vmulq_f32(a, b); }
static inline vec v_div(vec a, vec b) { return vdivq_f32(a, b); }
/* As on x86 the bound wins against a NaN. */
static inline vec v_min(vec a, vec b) { return vminnmq_f32(a, b); }
static inline vec v_max(vec a, vec b) { return vmaxnmq_f32(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
static inline vec v_abs(vec a) { return vabsq_f32(a); }
static inline vec v_copysign(vec a, vec sign) { return vbslq_f32(vdupq_n_u32(0x80000000u), sign, a); }
/* a where z < 0; b elsewhere, NaN included. */
static inline vec v_where_negative(vec z, vec a, vec b) { return vbslq_f32(vcltzq_f32(z), a, b); }
static inline vec v_round(vec a) { return vrndnq_f32(a); }
/* 2^k for whole k in [-126, 127]. */
static inline vec v_exp2i(vec k) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(k), vdupq_n_s32(127)), 23));
}
static inline int v_any_outside(vec a, vec lower, vec upper) {
    return vminvq_u32(vandq_u32(vcgeq_f32(a, lower), vcleq_f32(a, upper))) == 0;
}
#define KD_NARROW
/* LANES weights of a narrow type. */
static inline vec v_from_i8(const int8_t *p) {
    const int8x8_t codes = vcreate_s8((uint64_t)kd_u32((const uint8_t *)p));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(codes))));
}
static inline vec v_from_i16(const int16_t *p) { return vcvtq_f32_s32(vmovl_s16(vld1_s16(p))); }
static inline vec v_from_f16(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
#else
typedef double real;
typedef float64x2_t vec;
enum { LANES = 2 };
static inline vec v_set1(real a) { return vdupq_n_f64(a); }
static inline vec v_load(const real *p) { return vld1q_f64(p); }
static inline void v_store(real *p, vec a) { vst1q_f64(p, a); }
static inline vec v_add(vec a, vec b) { return vaddq_f64(a, b); }
static inline vec v_sub(vec a, vec b) { return vsubq_f64(a, b); }
static inline vec v_mul(vec a, vec b) { return vmulq_f64(a, b); }
static inline vec v_div(vec a, vec b) { return vdivq_f64(a, b); }
static inline vec v_min(vec a, vec b) { return vminnmq_f64(a, b); }
static inline vec v_max(vec a, vec b) { return vmaxnmq_f64(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return vfmaq_f64(c, a, b); }
static inline vec v_abs(vec a) { return vabsq_f64(a); }
static inline vec v_copysign(vec a, vec sign) {
    return vbslq_f64(vdupq_n_u64(0x8000000000000000u), sign, a);
}
static inline vec v_where_negative(vec z, vec a, vec b) { return vbslq_f64(vcltzq_f64(z), a, b); }
static inline vec v_round(vec a) { return vrndnq_f64(a); }
/* 2^k for whole k in [-1022, 1023]. */
static inline vec v_exp2i(vec k) {
    return vreinterpretq_f64_s64(vshlq_n_s64(vaddq_s64(vcvtq_s64_f64(k), vdupq_n_s64(1023)), 52));
}
static inline int v_any_outside(vec a, vec lower, vec upper) {
    const uint64x2_t inside = vandq_u64(vcgeq_f64(a, lower), vcleq_f64(a, upper));
    return vminvq_u32(vreinterpretq_u32_u64(inside)) == 0;
}
#endif
/* To [-limit, limit]. */
static inline vec v_clamp(vec a, vec limit) { return v_max(v_min(a, limit), v_sub(v_set1(0), limit)); }
