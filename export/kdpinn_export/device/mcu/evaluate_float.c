/* Evaluates the network of model_data.h in float; weights are read where they lie. */
#include "kdpinn_mcu.h"

#include "model_data.h"

#include "coordinates.h"

/* A block of `rows` neurons: their biases, then for each input their weights. The sums stay in
 * registers; returns where the next block lies. */
INLINE const float *block(const int rows, size_t n_in, const float *weight, const float *x, float *y) {
    float sum[16];
    const float *const end = x + n_in;
    int r;
    UNROLL
    for (r = 0; r < rows; ++r) sum[r] = weight[r];
    for (weight += rows; x < end; ++x, weight += rows) {
        const float value = *x;
        UNROLL
        for (r = 0; r < rows; ++r) sum[r] = fma_(weight[r], value, sum[r]);
    }
    UNROLL
    for (r = 0; r < rows; ++r) y[r] = sum[r];
    return weight;
}

/* Only the block sizes that the model has become code. */
#define CASE(rows) case rows: weight = block(rows, layer->n_in, weight, x, y + at); break;
static void dense(const kdpinn_layer *layer, const float *x, float *y) {
    const float *weight = layer->weight;
    size_t at;
    for (at = 0; at < layer->n_out; at += layer->rows) switch (layer->rows) {
    KDPINN_CASES(CASE)
    default: break;
    }
}

void kdpinn_eval(const float *x, float *y) {
    float first[KDPINN_WIDTH], second[KDPINN_WIDTH], *from = first, *to = second;
    size_t l, i;
    normalized(x, from);
    for (l = 0; l < KDPINN_LAYERS; ++l) {
        const kdpinn_layer *const layer = &kdpinn_layers[l];
        float *const free_again = from;
        dense(layer, from, to);
        if (l + 1 < KDPINN_LAYERS)
            for (i = 0; i < layer->n_out; ++i) to[i] = KDPINN_ACTIVATION(to[i]);
        from = to, to = free_again;
    }
    physical(x, from, y);
}
