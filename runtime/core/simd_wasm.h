/* WebAssembly's SIMD128 vectors: 4 float or 2 double lanes. They have no fused multiply-add: every
 * answer is that of simd_scalar.h, bit for bit. */
#include <wasm_simd128.h>

#define KD_ISA wasm
#define KD_ROWS 5 /* neurons times columns of accumulators fit 16 registers, the least that browsers have */
#define KD_COLS 2
#define KD_TILE {4, 2} /* see simd_avx2.h */
#define KD_NEAR 0 /* not more */
#define KD_GROUP 1 /* vectors that go through an elementary function side by side: browsers reorder little */
#define KD_PIN(v) ((void)0) /* the browser's compiler chooses the registers */
#define KD_PIN_WEIGHT(v) ((void)0)

typedef v128_t vec;
#if KD_BITS == 32
typedef float real;
enum { LANES = 4 };
static inline vec v_set1(real a) { return wasm_f32x4_splat(a); }
static inline vec v_load(const real *p) { return wasm_v128_load(p); }
static inline void v_store(real *p, vec a) { wasm_v128_store(p, a); }
static inline vec v_add(vec a, vec b) { return wasm_f32x4_add(a, b); }
static inline vec v_sub(vec a, vec b) { return wasm_f32x4_sub(a, b); }
static inline vec v_mul(vec a, vec b) { return wasm_f32x4_mul(a, b); }
static inline vec v_div(vec a, vec b) { return wasm_f32x4_div(a, b); }
/* As on x86 the bound, b, wins against a NaN: pmin(b, a) is a < b ? a : b. */
static inline vec v_min(vec a, vec b) { return wasm_f32x4_pmin(b, a); }
static inline vec v_max(vec a, vec b) { return wasm_f32x4_pmax(b, a); }
static inline vec v_fma(vec a, vec b, vec c) { return wasm_f32x4_add(wasm_f32x4_mul(a, b), c); }
static inline vec v_abs(vec a) { return wasm_f32x4_abs(a); }
static inline vec v_copysign(vec a, vec sign) {
    return wasm_v128_bitselect(sign, a, wasm_i32x4_splat((int32_t)0x80000000u));
}
/* a where z < 0; b elsewhere, NaN included. */
static inline vec v_where_negative(vec z, vec a, vec b) {
    return wasm_v128_bitselect(a, b, wasm_f32x4_lt(z, v_set1(0)));
}
static inline vec v_round(vec a) { return wasm_f32x4_nearest(a); }
/* 2^k for whole k in [-126, 127]: k + 127 lands in the low bits of the sum, then in the exponent. */
static inline vec v_exp2i(vec k) { return wasm_i32x4_shl(v_add(k, v_set1(12582912.0f + 127.0f)), 23); }
static inline int v_any_outside(vec a, vec lower, vec upper) {
    return !wasm_i32x4_all_true(wasm_v128_and(wasm_f32x4_ge(a, lower), wasm_f32x4_le(a, upper)));
}
#else
typedef double real;
enum { LANES = 2 };
static inline vec v_set1(real a) { return wasm_f64x2_splat(a); }
static inline vec v_load(const real *p) { return wasm_v128_load(p); }
static inline void v_store(real *p, vec a) { wasm_v128_store(p, a); }
static inline vec v_add(vec a, vec b) { return wasm_f64x2_add(a, b); }
static inline vec v_sub(vec a, vec b) { return wasm_f64x2_sub(a, b); }
static inline vec v_mul(vec a, vec b) { return wasm_f64x2_mul(a, b); }
static inline vec v_div(vec a, vec b) { return wasm_f64x2_div(a, b); }
static inline vec v_min(vec a, vec b) { return wasm_f64x2_pmin(b, a); }
static inline vec v_max(vec a, vec b) { return wasm_f64x2_pmax(b, a); }
static inline vec v_fma(vec a, vec b, vec c) { return wasm_f64x2_add(wasm_f64x2_mul(a, b), c); }
static inline vec v_abs(vec a) { return wasm_f64x2_abs(a); }
static inline vec v_copysign(vec a, vec sign) {
    return wasm_v128_bitselect(sign, a, wasm_i64x2_splat((int64_t)0x8000000000000000u));
}
static inline vec v_where_negative(vec z, vec a, vec b) {
    return wasm_v128_bitselect(a, b, wasm_f64x2_lt(z, v_set1(0)));
}
static inline vec v_round(vec a) { return wasm_f64x2_nearest(a); }
/* 2^k for whole k in [-1022, 1023], as above. */
static inline vec v_exp2i(vec k) { return wasm_i64x2_shl(v_add(k, v_set1(6755399441055744.0 + 1023.0)), 52); }
static inline int v_any_outside(vec a, vec lower, vec upper) {
    return !wasm_i64x2_all_true(wasm_v128_and(wasm_f64x2_ge(a, lower), wasm_f64x2_le(a, upper)));
}
#endif
/* To [-limit, limit]. */
static inline vec v_clamp(vec a, vec limit) { return v_max(v_min(a, limit), v_sub(v_set1(0), limit)); }
