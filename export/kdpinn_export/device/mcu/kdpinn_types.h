/* The records of model_data.h. */
#ifndef KDPINN_TYPES_H
#define KDPINN_TYPES_H

#include <stdint.h>

typedef struct {
    float shift, scale;
} kdpinn_affine;

typedef struct { /* one function of the coordinates */
    uint8_t kind, a, b;
    float value;
} kdpinn_operation;

typedef struct {
    uint16_t n_in, n_out; /* n_out: a multiple of rows, filled up with zeros */
    uint16_t rows;        /* neurons of a block */
    const float *weight;  /* for each block the biases, then for each input the weights */
} kdpinn_layer;

typedef struct {
    uint16_t n_in, n_out;      /* n_in: a multiple of 4, n_out of 2, filled up with zeros */
    uint8_t fraction;          /* bits after the point of what the multipliers give */
    const kdpinn_code *weight; /* for each pair of neurons and 4 inputs: 4 codes each, in the order 0 2 1 3 */
    const int32_t *bias;       /* in units of the sums */
    const int16_t *multiplier; /* from a sum to the argument of tanh, times 2^16 */
} kdpinn_fixed_layer;

#endif
