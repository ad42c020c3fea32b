/* Fixed-point evaluation of a network, for processors without floating point: integers only.
 *
 * Freestanding C99: no libc, no allocation, no globals but one constant table, no state. The tables of
 * a network are constants that kdpinn_export.fixed computes from a model file whose weights are
 * integers; they can lie in flash. Activations have 16 bits, weights 8 or 16, sums 32.
 *
 * What the integers mean, and how far the result can be from the model: docs/quantization.md.
 */
#ifndef KDPINN_FIXED_H
#define KDPINN_FIXED_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KD_FIXED_ONE 32767      /* the activation 1 */
#define KD_FIXED_FRACTION 20    /* bits after the point of what tanh takes */
#define KD_FIXED_MAX_WIDTH 512 /* of a layer */

/* acc_o = bias[o] + sum over i of weight[o n_in + i] x_i, in 32 bits: whoever makes the tables sees to
 * it that no sum overflows. Then z_o = acc_o multiplier[o] / 2^shift[o], rounded to nearest. */
typedef struct {
    uint16_t n_in, n_out;
    const int8_t *narrow;  /* weights (n_out, n_in) of 8 bits, or NULL */
    const int16_t *wide;   /* weights of 16 bits where narrow is NULL */
    const int32_t *bias;
    const int32_t *multiplier; /* in [2^30, 2^31) or 0 */
    const uint8_t *shift;      /* 1 to 62 */
} kd_fixed_layer;

/* All layers but the last are followed by tanh. offset: added to the outputs. */
typedef struct {
    uint16_t layers, width; /* width: of the widest layer, inputs and outputs included */
    const kd_fixed_layer *layer;
    const int32_t *offset;
} kd_fixed_network;

/* tanh of z / 2^20, times 32767; at most 1 from the exact value. */
int16_t kd_fixed_tanh(int32_t z);

/* y (outputs) from x (inputs), both in the units that the tables' maker states. scratch: 2 width. */
void kd_fixed_eval(const kd_fixed_network *network, const int16_t *x, int32_t *y, int16_t *scratch);

#ifdef __cplusplus
}
#endif
#endif
