/* AVX-512 vectors: 16 float or 8 double lanes. Needs AVX512F, DQ, BW, VL. */
#include <immintrin.h>

#define KD_ISA avx512
#define KD_ROWS 8 /* 8 neurons by 3 columns, or 6 by 4, of sums fit the 32 registers */
#define KD_COLS 4
#define KD_TILE {4, 3} /* see simd_avx2.h */
#define KD_NEAR 320
#define KD_GROUP 8 /* vectors that go through an elementary function side by side */
#define KD_JET_GROUP 4 /* the same with derivatives: often there are fewer */
/* Keeps a loaded vector in a register: gcc otherwise folds the load into every FMA that uses it,
   and the load ports become the limit. */
#define KD_PIN(v) __asm__("" : "+v"(v))
#define KD_PIN_WEIGHT(v) KD_PIN(v)
/* Loads `v` at every use, into a register that the use may overwrite: a copy of another register takes
   one of the two units that compute, a load takes none. */
#define KD_ANEW(instruction, v, from) __asm__ volatile(instruction " %1, %0" : "=v"(v) : "m"(from))

#if KD_BITS == 32
typedef float real;
typedef __m512 vec;
enum { LANES = 16 };
static inline vec v_set1(real a) { return _mm512_set1_ps(a); }
static inline vec v_load(const real *p) { return _mm512_loadu_ps(p); }
static inline void v_store(real *p, vec a) { _mm512_storeu_ps(p, a); }
static inline vec v_set1_anew(const real *p) {
    vec a;
    KD_ANEW("vbroadcastss", a, *p);
    return a;
}
static inline vec v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
static inline vec v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
static inline vec v_min(vec a, vec b) { return _mm512_min_ps(a, b); }
static inline vec v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
static inline vec v_abs(vec a) { return _mm512_abs_ps(a); }
/* To [-limit, limit]: the smaller magnitude with the sign of a. */
static inline vec v_clamp(vec a, vec limit) { return _mm512_range_ps(a, limit, 2); }
/* The sign of `sign` on a, which has none: a | (sign & mask). */
static inline vec v_copysign(vec a, vec sign) {
    const __m512i mask = _mm512_set1_epi32((int)0x80000000u);
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(_mm512_castps_si512(a), _mm512_castps_si512(sign), mask, 0xf8));
}
#define KD_LOOKUP
static inline vec v_smaller_magnitude(vec a, vec limit) { return _mm512_range_ps(a, limit, 10); }
/* Where u is in [2, 32): 8 intervals to each doubling, in the low five bits; a lookup takes no others. */
static inline vec v_interval(vec u) { return _mm512_castsi512_ps(_mm512_srli_epi32(_mm512_castps_si512(u), 20)); }
static inline vec v_lookup(const real *table, vec interval) { /* table: aligned as a vector */
    vec lower;
    KD_ANEW("vmovaps", lower, *(const vec *)(const void *)table);
    return _mm512_permutex2var_ps(lower, _mm512_castps_si512(interval), v_load(table + LANES));
}
/* The number that begins at bit 19: a shift goes to the unit that lookups leave free. */
static inline vec v_packed(vec a) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(a), 12)); }
static inline vec v_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_ps(a, b, c); }
static inline vec v_estimate(vec a) { return _mm512_rcp14_ps(a); }
#define KD_NEWTON 0 /* steps from the estimate of a reciprocal, 2^-14, to half the precision */
/* a where z < 0; b elsewhere, NaN included. */
static inline vec v_where_negative(vec z, vec a, vec b) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(z, _mm512_setzero_ps(), _CMP_LT_OQ), b, a);
}
static inline vec v_round(vec a) { return _mm512_roundscale_ps(a, 8); }
static inline vec v_exp2i(vec k) { return _mm512_scalef_ps(_mm512_set1_ps(1.0f), k); }
static inline int v_any_outside(vec a, vec lower, vec upper) {
    return (_mm512_cmp_ps_mask(a, lower, _CMP_NGE_UQ) | _mm512_cmp_ps_mask(a, upper, _CMP_NLE_UQ)) != 0;
}
#define KD_NARROW
/* LANES weights of a narrow type. */
static inline vec v_from_i8(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
static inline vec v_from_i16(const int16_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p)));
}
static inline vec v_from_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
#else
typedef double real;
typedef __m512d vec;
enum { LANES = 8 };
static inline vec v_set1(real a) { return _mm512_set1_pd(a); }
static inline vec v_load(const real *p) { return _mm512_loadu_pd(p); }
static inline void v_store(real *p, vec a) { _mm512_storeu_pd(p, a); }
static inline vec v_set1_anew(const real *p) {
    vec a;
    KD_ANEW("vbroadcastsd", a, *p);
    return a;
}
static inline vec v_add(vec a, vec b) { return _mm512_add_pd(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm512_sub_pd(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm512_mul_pd(a, b); }
static inline vec v_div(vec a, vec b) { return _mm512_div_pd(a, b); }
static inline vec v_min(vec a, vec b) { return _mm512_min_pd(a, b); }
static inline vec v_max(vec a, vec b) { return _mm512_max_pd(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
static inline vec v_abs(vec a) { return _mm512_abs_pd(a); }
static inline vec v_clamp(vec a, vec limit) { return _mm512_range_pd(a, limit, 2); }
static inline vec v_copysign(vec a, vec sign) {
    return _mm512_or_pd(a, _mm512_and_pd(sign, _mm512_set1_pd(-0.0)));
}
static inline vec v_fnma(vec a, vec b, vec c) { return _mm512_fnmadd_pd(a, b, c); }
static inline vec v_estimate(vec a) { return _mm512_rcp14_pd(a); }
#define KD_NEWTON 1
static inline vec v_where_negative(vec z, vec a, vec b) {
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(z, _mm512_setzero_pd(), _CMP_LT_OQ), b, a);
}
static inline vec v_round(vec a) { return _mm512_roundscale_pd(a, 8); }
static inline vec v_exp2i(vec k) { return _mm512_scalef_pd(_mm512_set1_pd(1.0), k); }
static inline int v_any_outside(vec a, vec lower, vec upper) {
    return (_mm512_cmp_pd_mask(a, lower, _CMP_NGE_UQ) | _mm512_cmp_pd_mask(a, upper, _CMP_NLE_UQ)) != 0;
}
#endif
