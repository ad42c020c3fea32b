/* AVX2 vectors: 8 float or 4 double lanes. Needs AVX2, FMA and F16C. */
#include <immintrin.h>

#define KD_ISA avx2
#define KD_ROWS 4 /* 4 neurons by 3 columns of sums, 3 operands and a weight fill the 16 registers */
#define KD_COLS 3
#define KD_TILE {6, 6} /* vectors of points that go through a network of 64 neurons at most, and a wider one */
#define KD_NEAR 640 /* vectors in 20 KiB: as long as a layer takes no more, more points go together */
#define KD_GROUP 2 /* vectors that go through an elementary function side by side */
#define KD_PIN(v) __asm__("" : "+x"(v)) /* see simd_avx512.h */
#define KD_PIN_WEIGHT(v) ((void)0) /* pinned, the compiler loads the next one ahead, and has no register for it */

#if KD_BITS == 32
typedef float real;
typedef __m256 vec;
enum { LANES = 8 };
static inline vec v_set1(real a) { return _mm256_set1_ps(a); }
static inline vec v_load(const real *p) { return _mm256_loadu_ps(p); }
static inline void v_store(real *p, vec a) { _mm256_storeu_ps(p, a); }
static inline vec v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
static inline vec v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
static inline vec v_min(vec a, vec b) { return _mm256_min_ps(a, b); }
static inline vec v_max(vec a, vec b) { return _mm256_max_ps(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
static inline vec v_abs(vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vec v_copysign(vec a, vec sign) {
    return _mm256_or_ps(a, _mm256_and_ps(sign, _mm256_set1_ps(-0.0f)));
}
/* a where z < 0; b elsewhere, NaN included. */
static inline vec v_where_negative(vec z, vec a, vec b) {
    return _mm256_blendv_ps(b, a, _mm256_cmp_ps(z, _mm256_setzero_ps(), _CMP_LT_OQ));
}
static inline vec v_round(vec a) { return _mm256_round_ps(a, 8); }
/* 2^k for whole k in [-126, 127]: k + 127 lands in the low bits of the sum, then in the exponent. */
static inline vec v_exp2i(vec k) {
    const __m256i bits = _mm256_castps_si256(_mm256_add_ps(k, _mm256_set1_ps(12582912.0f + 127.0f)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 23));
}
static inline int v_any_outside(vec a, vec lower, vec upper) {
    return _mm256_movemask_ps(_mm256_or_ps(_mm256_cmp_ps(a, lower, _CMP_NGE_UQ),
                                           _mm256_cmp_ps(a, upper, _CMP_NLE_UQ))) != 0;
}
#define KD_NARROW
/* LANES weights of a narrow type. */
static inline vec v_from_i8(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
static inline vec v_from_i16(const int16_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}
static inline vec v_from_f16(const uint16_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
#else
typedef double real;
typedef __m256d vec;
enum { LANES = 4 };
static inline vec v_set1(real a) { return _mm256_set1_pd(a); }
static inline vec v_load(const real *p) { return _mm256_loadu_pd(p); }
static inline void v_store(real *p, vec a) { _mm256_storeu_pd(p, a); }
static inline vec v_add(vec a, vec b) { return _mm256_add_pd(a, b); }
static inline vec v_sub(vec a, vec b) { return _mm256_sub_pd(a, b); }
static inline vec v_mul(vec a, vec b) { return _mm256_mul_pd(a, b); }
static inline vec v_div(vec a, vec b) { return _mm256_div_pd(a, b); }
static inline vec v_min(vec a, vec b) { return _mm256_min_pd(a, b); }
static inline vec v_max(vec a, vec b) { return _mm256_max_pd(a, b); }
static inline vec v_fma(vec a, vec b, vec c) { return _mm256_fmadd_pd(a, b, c); }
static inline vec v_abs(vec a) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), a); }
static inline vec v_copysign(vec a, vec sign) {
    return _mm256_or_pd(a, _mm256_and_pd(sign, _mm256_set1_pd(-0.0)));
}
static inline vec v_where_negative(vec z, vec a, vec b) {
    return _mm256_blendv_pd(b, a, _mm256_cmp_pd(z, _mm256_setzero_pd(), _CMP_LT_OQ));
}
static inline vec v_round(vec a) { return _mm256_round_pd(a, 8); }
/* 2^k for whole k in [-1022, 1023], as above. */
static inline vec v_exp2i(vec k) {
    const __m256d sum = _mm256_add_pd(k, _mm256_set1_pd(6755399441055744.0 + 1023.0));
    return _mm256_castsi256_pd(_mm256_slli_epi64(_mm256_castpd_si256(sum), 52));
}
static inline int v_any_outside(vec a, vec lower, vec upper) {
    return _mm256_movemask_pd(_mm256_or_pd(_mm256_cmp_pd(a, lower, _CMP_NGE_UQ),
                                           _mm256_cmp_pd(a, upper, _CMP_NLE_UQ))) != 0;
}
#endif
/* To [-limit, limit]. */
static inline vec v_clamp(vec a, vec limit) { return v_max(v_min(a, limit), v_sub(v_set1(0), limit)); }
