/* Fixed-point evaluation; kdpinn_fixed.h. No floating point in here. */
#include "kdpinn_fixed.h"

/* tanh(k / 32) 2^16, rounded, at most 65535. */
static const uint16_t tanh_table[257] = {
    0, 2047, 4091, 6126, 8150, 10157, 12146, 14112, 16051, 17961, 19838, 21681,
    23485, 25250, 26973, 28652, 30285, 31873, 33412, 34904, 36346, 37740, 39084, 40379,
    41625, 42823, 43972, 45075, 46131, 47142, 48108, 49031, 49912, 50752, 51552, 52314,
    53038, 53727, 54382, 55003, 55593, 56152, 56683, 57185, 57660, 58110, 58536, 58939,
    59320, 59680, 60019, 60340, 60643, 60929, 61199, 61454, 61694, 61920, 62134, 62335,
    62524, 62703, 62871, 63029, 63179, 63319, 63451, 63576, 63693, 63803, 63907, 64004,
    64096, 64182, 64263, 64340, 64412, 64479, 64543, 64603, 64659, 64712, 64761, 64808,
    64852, 64893, 64932, 64968, 65003, 65035, 65065, 65093, 65120, 65145, 65169, 65191,
    65212, 65231, 65250, 65267, 65283, 65299, 65313, 65327, 65339, 65351, 65362, 65373,
    65383, 65392, 65401, 65409, 65417, 65424, 65431, 65437, 65443, 65449, 65454, 65459,
    65464, 65468, 65472, 65476, 65480, 65483, 65486, 65489, 65492, 65495, 65497, 65500,
    65502, 65504, 65506, 65508, 65509, 65511, 65512, 65514, 65515, 65516, 65518, 65519,
    65520, 65521, 65522, 65523, 65523, 65524, 65525, 65526, 65526, 65527, 65527, 65528,
    65528, 65529, 65529, 65530, 65530, 65530, 65531, 65531, 65531, 65532, 65532, 65532,
    65532, 65533, 65533, 65533, 65533, 65533, 65534, 65534, 65534, 65534, 65534, 65534,
    65534, 65534, 65534, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535,
    65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535,
    65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535,
    65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535,
    65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535,
    65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535, 65535,
    65535, 65535, 65535, 65535, 65535};

/* Rounds to nearest; right shifts of negative numbers are arithmetic in every compiler at hand. */
static int32_t shifted(int32_t a, int bits) { return (a + ((int32_t)1 << (bits - 1))) >> bits; }

/* Taylor's series to the second order about the nearest of the table's points, at most 1/64 away:
 * t + (1 - t^2) d - t (1 - t^2) d^2. The remainder is below |tanh'''| d^3 / 6 <= 1.3e-6. */
int16_t kd_fixed_tanh(int32_t z) {
    const int32_t largest = ((int32_t)8 << KD_FIXED_FRACTION) - 1;
    const int32_t size = z < 0 ? (z < -largest ? largest : -z) : (z > largest ? largest : z);
    const int32_t k = (size + (1 << 14)) >> 15, d = size - k * (1 << 15); /* 2^-20 */
    const uint32_t t = tanh_table[k];                                     /* 2^-16 */
    const uint32_t slope = 65536u - ((t * t + 32768u) >> 16);
    const uint32_t bend = (t * slope + 32768u) >> 16;
    const uint32_t square = ((uint32_t)(d * d) + (1u << 11)) >> 12; /* 2^-28 */
    const int32_t first = shifted((int32_t)slope * d, 19);          /* 2^-17 */
    const int32_t second = (int32_t)((bend * square + (1u << 26)) >> 27);
    const uint32_t value = (uint32_t)((int32_t)(2 * t) + first - second);
    const uint32_t rounded = (value * KD_FIXED_ONE + 65536u) >> 17;
    const int16_t result = (int16_t)(rounded > KD_FIXED_ONE ? KD_FIXED_ONE : rounded);
    return (int16_t)(z < 0 ? -result : result);
}

static int32_t scaled(int32_t sum, int32_t multiplier, uint32_t shift) {
    const int64_t product = (int64_t)sum * multiplier + ((int64_t)1 << (shift - 1));
    return (int32_t)(product >> shift);
}

static int32_t neuron(const kd_fixed_layer *layer, uint32_t o, const int16_t *x) {
    const uint32_t n_in = layer->n_in;
    int32_t sum = layer->bias[o];
    uint32_t i;
    if (layer->narrow) {
        const int8_t *const weight = layer->narrow + o * n_in;
        for (i = 0; i < n_in; ++i) sum += (int32_t)weight[i] * x[i];
    } else {
        const int16_t *const weight = layer->wide + o * n_in;
        for (i = 0; i < n_in; ++i) sum += (int32_t)weight[i] * x[i];
    }
    return scaled(sum, layer->multiplier[o], layer->shift[o]);
}

void kd_fixed_eval(const kd_fixed_network *network, const int16_t *x, int32_t *y, int16_t *scratch) {
    uint32_t l, o;
    for (l = 0; l < network->layers; ++l) {
        const kd_fixed_layer *const layer = &network->layer[l];
        int16_t *const out = scratch + l % 2 * network->width;
        for (o = 0; o < layer->n_out; ++o) {
            const int32_t z = neuron(layer, o, x);
            if (l + 1 == network->layers) y[o] = z + network->offset[o];
            else out[o] = kd_fixed_tanh(z);
        }
        x = out;
    }
}
