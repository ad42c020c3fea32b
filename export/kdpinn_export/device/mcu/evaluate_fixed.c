/* Evaluates the network of model_data.h in integers: a hidden value is code / 32767, a sum has 32 bits. */
#include "kdpinn_mcu.h"

#include "model_data.h"

#include "coordinates.h"

#if defined(__ARM_FEATURE_SIMD32)
typedef uint32_t __attribute__((may_alias)) word; /* two halfwords, or four bytes */
INLINE int32_t mac2(uint32_t a, uint32_t b, int32_t sum) {
    __asm__("smlad %0, %1, %2, %0" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}
INLINE uint32_t bytes02(uint32_t a) {
    uint32_t b;
    __asm__("sxtb16 %0, %1" : "=r"(b) : "r"(a));
    return b;
}
INLINE uint32_t bytes13(uint32_t a) {
    uint32_t b;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(b) : "r"(a));
    return b;
}
#endif

/* sum * multiplier / 2^16, rounded down. */
INLINE int32_t scaled(int32_t sum, int32_t multiplier) {
#if defined(__ARM_FEATURE_SIMD32)
    int32_t out;
    __asm__("smulwb %0, %1, %2" : "=r"(out) : "r"(sum), "r"(multiplier));
    return out;
#else
    return (sum >> 16) * multiplier + (int32_t)(((uint32_t)sum & 0xFFFFu) * (uint32_t)multiplier >> 16);
#endif
}

/* 32767 tanh(argument / 2^fraction): linear between points 1/128 apart. */
INLINE int16_t fixed_tanh(int32_t argument, uint32_t fraction) {
    const uint32_t size = (uint32_t)(argument < 0 ? -argument : argument), shift = fraction - 7;
    const uint32_t at = size >> shift;
    int32_t value = 32767;
    if (at < 768) {
        const int32_t below = tanh_points[at], step = tanh_points[at + 1] - below;
        const int32_t part = (int32_t)(size - (at << shift));
        value = below + ((step * part + (1 << (shift - 1))) >> shift);
    }
    return (int16_t)(argument < 0 ? -value : value);
}

/* The first layer, from inputs with KDPINN_INPUT_ONE steps a unit. */
static void first_layer(const int32_t *z, int16_t *y) {
    const kdpinn_code *code = first_codes;
    size_t o, i;
    for (o = 0; o < KDPINN_FIRST_OUT; ++o) {
        int32_t sum = first_bias[o];
        for (i = 0; i < KDPINN_FED; ++i) sum += *code++ * z[i];
        y[o] = fixed_tanh(scaled(sum, first_multiplier[o]), KDPINN_FIRST_FRACTION);
    }
    for (; o % 4 != 0; ++o) y[o] = 0;
}

/* Sums of two neurons over groups of four inputs; returns where the next pair's codes lie. */
INLINE const kdpinn_code *pair(const kdpinn_code *code, size_t n_in, const int16_t *x, int32_t *a, int32_t *b) {
    const int16_t *const end = x + n_in;
    int32_t first = *a, second = *b;
    for (; x < end; x += 4, code += 8) {
#if defined(__ARM_FEATURE_SIMD32) && !KDPINN_WIDE_CODES
        const word *const two = (const word *)(const void *)x, *const c = (const word *)(const void *)code;
        const uint32_t x01 = two[0], x23 = two[1], ca = c[0], cb = c[1];
        first = mac2(bytes13(ca), x23, mac2(bytes02(ca), x01, first));
        second = mac2(bytes13(cb), x23, mac2(bytes02(cb), x01, second));
#else
        first += code[0] * x[0] + code[2] * x[1] + code[1] * x[2] + code[3] * x[3];
        second += code[4] * x[0] + code[6] * x[1] + code[5] * x[2] + code[7] * x[3];
#endif
    }
    *a = first, *b = second;
    return code;
}

static void hidden_layer(const kdpinn_fixed_layer *layer, const int16_t *x, int16_t *y) {
    const kdpinn_code *code = layer->weight;
    size_t o;
    for (o = 0; o < layer->n_out; o += 2) {
        int32_t a = layer->bias[o], b = layer->bias[o + 1];
        code = pair(code, layer->n_in, x, &a, &b);
        y[o] = fixed_tanh(scaled(a, layer->multiplier[o]), layer->fraction);
        y[o + 1] = fixed_tanh(scaled(b, layer->multiplier[o + 1]), layer->fraction);
    }
    for (; o % 4 != 0; ++o) y[o] = 0;
}

static void last_layer(const kdpinn_fixed_layer *layer, const int16_t *x, float *y) {
    const kdpinn_code *code = layer->weight;
    size_t o;
    for (o = 0; o < KDPINN_OUTPUTS; o += 2) {
        int32_t a = layer->bias[o], b = layer->bias[o + 1];
        code = pair(code, layer->n_in, x, &a, &b);
        y[o] = (float)a * last_unit[o];
        if (o + 1 < KDPINN_OUTPUTS) y[o + 1] = (float)b * last_unit[o + 1];
    }
}

/* To whole steps; beyond what the domain needs the sums would not fit. */
static int32_t in_steps(float z) {
    const float most = KDPINN_INPUT_LIMIT, held = z > most ? most : z < -most ? -most : z;
    const float steps = held * KDPINN_INPUT_ONE;
    return (int32_t)(steps < 0 ? steps - 0.5f : steps + 0.5f);
}

void kdpinn_eval(const float *x, float *y) {
    union { int16_t value[KDPINN_WIDTH]; uint32_t aligned; } buffer[2];
    int16_t *from = buffer[0].value, *to = buffer[1].value;
    float fed[KDPINN_FED], out[KDPINN_OUTPUTS];
    int32_t z[KDPINN_FED];
    size_t l;
    normalized(x, fed);
    for (l = 0; l < KDPINN_FED; ++l) z[l] = in_steps(fed[l]);
    first_layer(z, from);
    for (l = 0; l + 2 < KDPINN_LAYERS; ++l) {
        int16_t *const free_again = from;
        hidden_layer(&kdpinn_layers[l], from, to);
        from = to, to = free_again;
    }
    last_layer(&kdpinn_layers[l], from, out);
    physical(x, out, y);
}
