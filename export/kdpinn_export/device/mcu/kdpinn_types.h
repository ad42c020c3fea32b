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
    uint16_t n_in, n_out; /* filled up with zeros: n_in to a multiple of 4, n_out of 2 */
    const uint32_t *words;
} kdpinn_fixed_layer;

#endif
