/* Evaluates the network of model_data.h in integers: a hidden value is code / 32767, a sum has 32 bits.
 *
 * The numbers of a layer are one stream of words, in the order in which they are needed. */
#include "kdpinn_mcu.h"

#include "model_data.h"

#include "coordinates.h"

#if defined(__ARM_FEATURE_SIMD32)
/* The sum of the products of two halfwords and two. */
INLINE int32_t mac2(uint32_t a, uint32_t b, int32_t sum) {
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}
/* Four codes, in the order 0 2 1 3, with four halfwords. */
INLINE int32_t mac4(uint32_t codes, uint32_t x01, uint32_t x23, int32_t sum) {
    uint32_t c01, c23;
    __asm__("sxtb16 %0, %1" : "=r"(c01) : "r"(codes));
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(c23) : "r"(codes));
    return mac2(c23, x23, mac2(c01, x01, sum));
}
#else
INLINE int32_t low(uint32_t word) { return (int16_t)(word & 0xFFFFu); }
INLINE int32_t high(uint32_t word) { return (int16_t)(word >> 16); }
INLINE int32_t byte(uint32_t word) { return (int8_t)(word & 0xFFu); }
INLINE int32_t mac2(uint32_t a, uint32_t b, int32_t sum) { return sum + low(a) * low(b) + high(a) * high(b); }
INLINE int32_t mac4(uint32_t codes, uint32_t x01, uint32_t x23, int32_t sum) {
    sum += byte(codes) * low(x01) + byte(codes >> 16) * high(x01);
    return sum + byte(codes >> 8) * low(x23) + byte(codes >> 24) * high(x23);
}
#endif

/* sum * multiplier / 2^32, rounded down, or at most 2 less. */
INLINE int32_t scaled(int32_t sum, int32_t multiplier) {
#if defined(__ARM_ARCH) && __ARM_ARCH_ISA_THUMB == 1 /* no product of 64 bits */
    const int32_t m = multiplier >> 16, s = sum >> 16;
    return s * m + (int32_t)(((uint32_t)sum & 0xFFFFu) * (uint32_t)m >> 16) +
           (s * (int32_t)(((uint32_t)multiplier & 0xFFFFu) >> 1) >> 15);
#else
    return (int32_t)(((int64_t)sum * multiplier) >> 32);
#endif
}

/* 32767 tanh, linear between points 1/64 apart; the argument is 8 too large, and has KDPINN_FRACTION
 * bits after the point. */
INLINE int32_t fixed_tanh(int32_t argument) {
    enum { PART = KDPINN_FRACTION - 6 };
    const int32_t part = argument & ((1 << PART) - 1);
    int32_t at = argument >> PART;
#if defined(__ARM_FEATURE_SAT)
    __asm__("usat %0, #10, %1" : "=r"(at) : "r"(at));
#else
    at = at < 0 ? 0 : at > 1023 ? 1023 : at;
#endif
    return tanh_points[at] + (((tanh_points[at + 1] - tanh_points[at]) * part + (1 << (PART - 1))) >> PART);
}

/* Two values as one word, for the layer that takes them. */
INLINE uint32_t both(int32_t a, int32_t b) { return ((uint32_t)a & 0xFFFFu) | (uint32_t)b << 16; }

/* A hidden value from a sum; `word` has the bias, and the multiplier `apart` words on. */
INLINE int32_t bent(int32_t sum, const uint32_t *word, int apart) {
    return fixed_tanh(scaled(sum, (int32_t)word[apart]) + (int32_t)word[0]);
}

/* The first layer, of inputs with KDPINN_INPUT_ONE steps a unit. For each neuron: bias, multiplier,
 * a code for each input. */
INLINE int32_t first_neuron(const uint32_t *word, const int32_t *z) {
    int32_t sum = 0;
    size_t i;
    for (i = 0; i < KDPINN_FED; ++i) sum += (int32_t)word[2 + i] * z[i];
    return bent(sum, word, 1);
}

static void first_layer(const int32_t *z, uint32_t *y) {
    enum { EACH = 2 + KDPINN_FED };
    const uint32_t *word = first_layer_words;
    uint32_t pairs = KDPINN_FIRST_OUT / 2;
    for (; pairs > 0; --pairs, word += 2 * EACH) *y++ = both(first_neuron(word, z), first_neuron(word + EACH, z));
    *y = 0; /* the next layer may take a group of four */
}

/* The sums of a pair of neurons; for each group of inputs the codes of the one and of the other.
 * Returns what follows the codes. */
INLINE const uint32_t *pair(const uint32_t *word, const uint32_t *x, const uint32_t *end, int32_t *a, int32_t *b) {
    int32_t first = 0, second = 0;
#if KDPINN_WIDE_CODES
    for (; x < end; ++x, word += 2) first = mac2(word[0], *x, first), second = mac2(word[1], *x, second);
#else
    for (; x < end; x += 2, word += 2) {
        const uint32_t x01 = x[0], x23 = x[1];
        first = mac4(word[0], x01, x23, first), second = mac4(word[1], x01, x23, second);
    }
#endif
    *a = first, *b = second;
    return word;
}

/* For each pair of neurons two biases, two multipliers, the codes. */
static void hidden_layer(const kdpinn_fixed_layer *layer, const uint32_t *x, uint32_t *y) {
    const uint32_t *word = layer->words, *const end = x + layer->n_in / 2;
    uint32_t pairs = layer->n_out / 2;
    for (; pairs > 0; --pairs) {
        const uint32_t *const ends = word;
        int32_t a, b;
        word = pair(word + 4, x, end, &a, &b);
        a = bent(a, ends, 2), b = bent(b, ends + 1, 2);
        *y++ = both(a, b);
    }
    *y = 0;
}

static void last_layer(const kdpinn_fixed_layer *layer, const uint32_t *x, int32_t *sums) {
    const uint32_t *word = layer->words, *const end = x + layer->n_in / 2;
    size_t o;
    for (o = 0; o < KDPINN_OUTPUTS; o += 2) {
        int32_t a, b;
        word = pair(word, x, end, &a, &b);
        sums[o] = a;
        if (o + 1 < KDPINN_OUTPUTS) sums[o + 1] = b;
    }
}

/* To whole steps; beyond what the domain needs the sums would not fit. */
static int32_t in_steps(float z) {
    const float most = KDPINN_INPUT_LIMIT, held = z > most ? most : z < -most ? -most : z;
    const float steps = held * KDPINN_INPUT_ONE;
    return (int32_t)(steps < 0 ? steps - 0.5f : steps + 0.5f);
}

void kdpinn_eval_integers(const int32_t *z, int32_t *sums) {
    uint32_t first[KDPINN_WIDTH / 2], second[KDPINN_WIDTH / 2], *from = first, *to = second;
    size_t l;
    first_layer(z, from);
    for (l = 0; l + 2 < KDPINN_LAYERS; ++l) {
        uint32_t *const free_again = from;
        hidden_layer(&kdpinn_layers[l], from, to);
        from = to, to = free_again;
    }
    last_layer(&kdpinn_layers[l], from, sums);
}

void kdpinn_eval(const float *x, float *y) {
    float fed[KDPINN_FED], out[KDPINN_OUTPUTS];
    int32_t z[KDPINN_FED], sums[KDPINN_OUTPUTS];
    size_t k;
    normalized(x, fed);
    for (k = 0; k < KDPINN_FED; ++k) z[k] = in_steps(fed[k]);
    kdpinn_eval_integers(z, sums);
    for (k = 0; k < KDPINN_OUTPUTS; ++k) out[k] = fma_((float)sums[k], last_unit[k], last_bias[k]);
    physical(x, out, y);
}
