/* Readings through the model: the cost of a guess at the unknowns, its gradient, its curvature. */
#ifndef KDPINN_ASSIMILATE_READINGS_H
#define KDPINN_ASSIMILATE_READINGS_H

#include "small_systems.h"

enum { TILE_OF_READINGS = 64 }; /* points at a time */

/* ---- the unknowns and their coordinates ---- */

static int sound(const kd_assimilation *how) {
    uint32_t k;
    if (how == NULL || how->unknowns == 0 || how->unknowns > KD_MAX_UNKNOWNS) return 0;
    for (k = 0; k < how->unknowns; ++k)
        if (!(how->lower[k] < how->upper[k]) || (how->logarithmic[k] && !(how->lower[k] > 0))) return 0;
    return 1;
}

static int fits(const kd_plan *plan, const kd_assimilation *how) {
    uint32_t k;
    if (plan == NULL || !sound(how)) return 0;
    for (k = 0; k < how->unknowns; ++k)
        if (how->input[k] >= plan->inputs || (k > 0 && how->input[k] <= how->input[k - 1])) return 0;
    return 1;
}

static double coordinate(const kd_assimilation *how, uint32_t k, double value) {
    return how->logarithmic[k] ? logarithm(value) : value;
}

/* The value at coordinate z, within its bounds also after rounding. */
static double value_at(const kd_assimilation *how, uint32_t k, double z) {
    const double value = how->logarithmic[k] ? exponential(z < -700 ? -700 : z > 700 ? 700 : z) : z;
    return value < how->lower[k] ? how->lower[k] : value > how->upper[k] ? how->upper[k] : value;
}

/* ---- the loss ---- */

/* rho(r) and, in *weight, rho'(r) / r. */
static double loss(uint32_t kind, double r, double *weight) {
    const double bend = 1.345; /* Holland and Welsch, Commun. Stat. A6 (1977) 813-827 */
    const double size = kd_magnitude(r);
    *weight = 1;
    if (kind == KD_LOSS_STUDENT) {
        *weight = 5 / (4 + r * r);
        return 2.5 * logarithm(1 + r * r / 4);
    }
    if (kind == KD_LOSS_SQUARES || size <= bend) return 0.5 * r * r;
    *weight = bend / size;
    return bend * (size - 0.5 * bend);
}

/* What a value tells, e, relative to its weight: with it the mean of e over normal residuals is the
 * efficiency of the loss, (E psi')^2 / E psi^2, psi = rho' (Huber, Robust Statistics, 1981, section 7.6):
 * 0.950 and 0.926, of mean weights of 0.960 and 1.053. */
static const double told[KD_LOSSES] = {1, 0.98969, 0.87891};

/* ---- readings through the model, a tile of points at a time ---- */

typedef struct {
    void *evaluation;
    float *narrow_x, *narrow_y; /* what a KD_F32 plan reads and writes */
    double *x, *y;              /* (TILE_OF_READINGS, inputs); (channels, TILE_OF_READINGS, outputs) */
} scratch;

typedef struct {
    const kd_plan *plan;
    const kd_assimilation *how;
    const kd_estimate *before;
    kd_channels slopes;
    double precision[KD_MAX_UNKNOWNS][KD_MAX_UNKNOWNS]; /* the inverse of its covariance */
    double lower[KD_MAX_UNKNOWNS], upper[KD_MAX_UNKNOWNS];
    double sharpness[KD_MAX_OUTPUTS]; /* 1 / s where `noise` is NULL */
    size_t n;
    const double *x, *y, *noise;
    uint8_t *reading;
    double *residual;
    kd_outcome *outcome;
    scratch at;
} problem;

static double sharpness_of(double noise, double model_error) {
    const double square = noise * noise + model_error * model_error;
    return square > 0 && kd_finite(square) ? 1 / kd_square_root(square) : 0;
}

typedef struct {
    double cost, gradient[KD_MAX_UNKNOWNS];
    matrix curvature, information; /* of the steps; of the estimate */
} normal;

/* The value and its derivative by each unknown, in their order. */
static kd_channels by_unknowns(const kd_assimilation *how) {
    kd_channels channels = KD_VALUES;
    uint32_t k;
    for (k = 0; k < how->unknowns; ++k) channels.first += KD_FIRST_BY(how->input[k]);
    return channels;
}

/* For the value and any number of first derivatives; more of them need not take more. */
static size_t evaluation_size(const kd_plan *plan) {
    kd_channels channels = KD_VALUES;
    size_t most = kd_workspace_size(plan, &channels), size;
    uint32_t k;
    for (k = 0; k < plan->inputs; ++k) {
        channels.first += KD_FIRST_BY(k);
        if ((size = kd_workspace_size(plan, &channels)) > most) most = size;
    }
    return most;
}

static size_t scratch_of(const kd_plan *plan, uint8_t *base, scratch *at) {
    const size_t inputs = (size_t)TILE_OF_READINGS * plan->inputs, jets = (size_t)TILE_OF_READINGS * plan->outputs * (1 + plan->inputs);
    const size_t work = evaluation_size(plan);
    if (base != NULL) {
        at->evaluation = base;
        at->x = (double *)(void *)(base + work), at->y = at->x + inputs;
        at->narrow_x = (float *)(void *)(at->y + jets), at->narrow_y = at->narrow_x + inputs;
    }
    return work + (inputs + jets) * (sizeof(double) + sizeof(float));
}

size_t kd_assimilate_size(const kd_plan *plan) { return scratch_of(plan, NULL, NULL); }

/* at->x to at->y. */
static kd_status evaluate_tile_of(const kd_plan *plan, const kd_channels *channels, size_t count, const scratch *at) {
    const size_t inputs = count * plan->inputs, outputs = count * plan->outputs * kd_channel_count(plan, channels);
    kd_status status;
    size_t k;
    if (plan->precision == KD_F64) return kd_jet_f64(plan, channels, count, at->x, at->y, at->evaluation, NULL);
    for (k = 0; k < inputs; ++k) at->narrow_x[k] = (float)at->x[k];
    status = kd_jet(plan, channels, count, at->narrow_x, at->narrow_y, at->evaluation, NULL);
    for (k = 0; k < outputs; ++k) at->y[k] = (double)at->narrow_y[k];
    return status;
}

/* All inputs of a point, from the known ones and the values of the others; what a reading there is. */
static kd_reading place(const kd_plan *plan, const kd_assimilation *how, const double *known, const double *values,
                        double *point) {
    kd_reading what = KD_READING_USED;
    uint32_t i, k = 0;
    for (i = 0; i < plan->inputs; ++i) {
        if (k < how->unknowns && how->input[k] == i) {
            point[i] = values[k++];
            continue;
        }
        point[i] = *known++;
        if (!kd_finite(point[i])) return KD_READING_MISSING;
        if (point[i] < plan->input[i].lower || point[i] > plan->input[i].upper) what = KD_READING_OUTSIDE;
    }
    return what;
}

static void values_at(const problem *p, const double *z, double *values) {
    uint32_t k;
    for (k = 0; k < p->how->unknowns; ++k) values[k] = value_at(p->how, k, z[k]);
}

/* 1 / s of a value; 0 where the noise is no number or there is none. */
static double sharpness(const problem *p, size_t row, uint32_t output) {
    if (p->noise == NULL) return p->sharpness[output];
    return sharpness_of(p->noise[row * p->plan->outputs + output], p->how->model_error[output]);
}

/* (z - m)' P^-1 (z - m) / 2, and its gradient. */
static double prior_cost(const problem *p, const double *z, double *gradient) {
    double cost = 0;
    uint32_t i, j;
    for (i = 0; i < p->how->unknowns; ++i) {
        gradient[i] = 0;
        for (j = 0; j < p->how->unknowns; ++j) gradient[i] += p->precision[i][j] * (z[j] - p->before->mean[j]);
        cost += 0.5 * gradient[i] * (z[i] - p->before->mean[i]);
    }
    return cost;
}

static void note(const problem *p, size_t at, kd_reading what, double r) {
    ++p->outcome->count[what];
    if (p->reading != NULL) p->reading[at] = (uint8_t)what;
    if (p->residual != NULL) p->residual[at] = r;
    if (what == KD_READING_USED) p->outcome->chi_square += r * r;
}

static double not_a_number(void) {
    static const double zero = 0;
    return zero / zero;
}

/* The next readings that can be used into the tile, at these values of the unknowns; `rows` are theirs. Those
 * that cannot are noted. Their number, 0 behind the last. */
static size_t next_tile(const problem *p, const double *values, size_t *row, size_t *rows) {
    const uint32_t inputs = p->plan->inputs, outputs = p->plan->outputs;
    const size_t known = inputs - p->how->unknowns;
    size_t count = 0;
    uint32_t j;
    for (; count < TILE_OF_READINGS && *row < p->n; ++*row) {
        const kd_reading what = place(p->plan, p->how, p->x + *row * known, values, p->at.x + count * inputs);
        if (what == KD_READING_USED) rows[count++] = *row;
        else for (j = 0; j < outputs; ++j) {
            const size_t at = *row * outputs + j;
            note(p, at, kd_finite(p->y[at]) ? what : KD_READING_MISSING, not_a_number());
        }
    }
    return count;
}

/* One value of the tile's point t into the sums. */
static void add_value(const problem *p, size_t row, uint32_t output, size_t t, size_t count, const double *values,
                      normal *sum) {
    const uint32_t outputs = p->plan->outputs, unknowns = p->how->unknowns;
    const size_t at = row * outputs + output;
    const double y = p->y[at], sharp = sharpness(p, row, output);
    double r, weight, slope[KD_MAX_UNKNOWNS]; /* of r, by z, with the other sign */
    uint32_t i, j;
    if (!kd_finite(y) || sharp == 0) {
        note(p, at, KD_READING_MISSING, not_a_number());
        return;
    }
    r = (y - p->at.y[t * outputs + output]) * sharp;
    sum->cost += loss(p->how->loss, r, &weight);
    note(p, at, kd_magnitude(r) > p->how->outlier ? KD_READING_OUTLIER : KD_READING_USED, r);
    for (i = 0; i < unknowns; ++i) {
        slope[i] = sharp * p->at.y[((1 + i) * count + t) * outputs + output];
        if (p->how->logarithmic[i]) slope[i] *= values[i];
    }
    for (i = 0; i < unknowns; ++i) {
        sum->gradient[i] -= weight * r * slope[i];
        for (j = 0; j < unknowns; ++j) {
            const double information = weight * slope[i] * slope[j];
            sum->curvature[i][j] += information, sum->information[i][j] += told[p->how->loss] * information;
        }
    }
}

/* The cost at z, its gradient and the matrices; what becomes of each reading there. */
static kd_status sweep(const problem *p, const double *z, normal *sum) {
    const uint32_t outputs = p->plan->outputs, unknowns = p->how->unknowns;
    size_t rows[TILE_OF_READINGS], row = 0, count, t;
    double values[KD_MAX_UNKNOWNS];
    uint32_t i, j;
    for (i = 0; i < KD_READINGS; ++i) p->outcome->count[i] = 0;
    p->outcome->chi_square = 0;
    values_at(p, z, values);
    sum->cost = prior_cost(p, z, sum->gradient);
    for (i = 0; i < unknowns; ++i)
        for (j = 0; j < unknowns; ++j) sum->curvature[i][j] = sum->information[i][j] = p->precision[i][j];
    while ((count = next_tile(p, values, &row, rows)) > 0) {
        const kd_status status = evaluate_tile_of(p->plan, &p->slopes, count, &p->at);
        if (status != KD_OK) return status;
        for (t = 0; t < count; ++t)
            for (j = 0; j < outputs; ++j) add_value(p, rows[t], j, t, count, values, sum);
    }
    return KD_OK;
}

#endif
