/* Training's side of the core: jets of a network given as one parameter vector, and the reverse pass
 * through them. Double precision. Left out of device builds; nothing else in the core depends on it.
 *
 * theta holds, layer by layer, W (n_out, n_in) row-major and then b (n_out). All hidden layers share
 * one activation; the last layer is linear. Arrays over points are (channels, n, ...) with `stride`
 * points between channels, so that threads can each take a range of points.
 */
#ifndef KDPINN_REVERSE_H
#define KDPINN_REVERSE_H

#include "internal.h"

typedef struct {
    const uint32_t *sizes; /* layers + 1 widths */
    uint32_t layers, activation;
    kd_channels channels; /* first: 0 or the number of coordinates */
    const double *theta;
    const double *scale; /* d normalized input / d coordinate, one for each input: seeds the first
                          * derivatives. NULL: x holds all channels of the inputs */
} kd_network;

/* A term of an equation: coefficient * product of the factors. Factors are numbered: first the jets,
 * output * channels + channel; then the columns; then the scalars. */
typedef struct {
    double coefficient;
    uint32_t equation, factors, factor[KD_MAX_FACTORS];
} kd_product;

/* Residual of equation e at a point: weight_e * sum of its products. */
typedef struct {
    uint32_t equations, products, columns, scalars;
    const kd_product *product; /* those of equation 0 first, and so on */
    const double *column;      /* (columns, stride), from the first point; column e is the weight of equation e */
    const double *scalar;      /* one number for all points */
} kd_equations;

typedef struct {
    /* Bytes of 64-aligned workspace for any of the calls below; without `squares` if residual is NULL. */
    size_t (*workspace)(const kd_network *net, const kd_equations *residual);
    /* jets (channels, n, outputs) at the normalized points x (n, inputs), or, where scale is NULL, for the
     * inputs' own jets x (channels, n, inputs), which are constants here. */
    void (*jets)(const kd_network *net, size_t n, size_t stride, const double *x, double *jets, void *workspace);
    /* gradient (P) += d(sum of seed * jets)/d theta. */
    void (*vjp)(const kd_network *net, size_t n, size_t stride, const double *x, const double *seed,
                double *gradient, void *workspace);
    /* jacobian (P, stride): column k is the gradient of sum over channels and outputs of seed * jets
     * at point k alone. */
    void (*jacobian)(const kd_network *net, size_t n, size_t stride, const double *x, const double *seed,
                     double *jacobian, void *workspace);
    /* f = sum over points and equations of the squared residuals; gradient (P) += df/dtheta,
     * by_scalar (scalars) += df/d scalar. Jets and vjp in one pass, with nothing stored between. */
    double (*squares)(const kd_network *net, const kd_equations *residual, size_t n, size_t stride, const double *x,
                      double *gradient, double *by_scalar, void *workspace);
} kd_reverse;

/* NULL: the best that this processor can run. */
const kd_reverse *kd_find_reverse(const char *isa);

#endif
