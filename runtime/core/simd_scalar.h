/* One lane, plain C99: the reference for every other header, and the path of processors without one. */
#define KD_ISA scalar
#define KD_ROWS 4
#define KD_COLS 2
#define KD_TILE {4, 2} /* see simd_avx2.h */
#define KD_NEAR 0 /* not more */
#define KD_GROUP 1 /* vectors that go through an elementary function side by side */
#define KD_PIN(v) ((void)0)
#define KD_PIN_WEIGHT(v) ((void)0)

#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0
#error "the rounding below needs float and double arithmetic without excess precision (not x87)"
#endif

enum { LANES = 1 };
#if KD_BITS == 32
typedef float real;
typedef uint32_t bits_t;
#define KD_MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to a whole number */
#define KD_EXPONENT_BIAS 127.0f
#define KD_MANTISSA_BITS 23
#define KD_SIGN_BIT 0x80000000u
#else
typedef double real;
typedef uint64_t bits_t;
#define KD_MAGIC 6755399441055744.0 /* 1.5 * 2^52 */
#define KD_EXPONENT_BIAS 1023.0
#define KD_MANTISSA_BITS 52
#define KD_SIGN_BIT 0x8000000000000000u
#endif
typedef real vec;
typedef union {
    real value;
    bits_t bits;
} pun_t;

static inline vec v_set1(real a) { return a; }
static inline vec v_load(const real *p) { return *p; }
static inline void v_store(real *p, vec a) { *p = a; }
static inline vec v_add(vec a, vec b) { return a + b; }
static inline vec v_sub(vec a, vec b) { return a - b; }
static inline vec v_mul(vec a, vec b) { return a * b; }
static inline vec v_div(vec a, vec b) { return a / b; }
static inline vec v_min(vec a, vec b) { return a < b ? a : b; }
static inline vec v_max(vec a, vec b) { return a > b ? a : b; }
static inline vec v_fma(vec a, vec b, vec c) { return a * b + c; }
static inline vec v_abs(vec a) {
    pun_t u = {a};
    u.bits &= (bits_t)~KD_SIGN_BIT;
    return u.value;
}
static inline vec v_copysign(vec a, vec sign) {
    pun_t u = {a}, s = {sign};
    u.bits |= s.bits & KD_SIGN_BIT;
    return u.value;
}
/* a where z < 0; b elsewhere, NaN included. */
static inline vec v_where_negative(vec z, vec a, vec b) { return z < 0 ? a : b; }
static inline vec v_round(vec a) { return (a + KD_MAGIC) - KD_MAGIC; }
static inline vec v_exp2i(vec k) {
    pun_t u;
    u.value = k + (KD_MAGIC + KD_EXPONENT_BIAS);
    u.bits <<= KD_MANTISSA_BITS;
    return u.value;
}
static inline int v_any_outside(vec a, vec lower, vec upper) { return !(a >= lower && a <= upper); }
/* To [-limit, limit]. */
static inline vec v_clamp(vec a, vec limit) { return v_max(v_min(a, limit), v_sub(v_set1(0), limit)); }
