/* Replays the baseline that a file carries: known answers, accuracy, physics. kdpinn.h has the measures. */
#include "internal.h"

enum { TILE = 64 }; /* points at a time */

typedef struct {
    void *work;                            /* of the evaluation */
    float *narrow_x, *narrow_y;            /* what a KD_F32 plan reads and writes */
    double *x, *y, *data, *residual;       /* y: values, or jets (channels, points, outputs) */
    double *size, *error, *fed, *fed_error; /* of a layer's outputs and inputs; see rounding_bound */
    kd_range *coordinate, *ranges;         /* of the inputs, and of functions of them */
} replay;

typedef struct {
    uint8_t *base; /* NULL only measures */
    size_t used;
} room;

static void *take(room *r, size_t bytes) {
    void *const at = r->base == NULL ? NULL : r->base + r->used;
    r->used += (bytes + KD_ALIGN - 1) / KD_ALIGN * KD_ALIGN;
    return at;
}

static double *take_doubles(room *r, size_t count) { return (double *)take(r, count * sizeof(double)); }

static replay lay_out(const kd_plan *plan, const kd_model *model, room *r) {
    const size_t inputs = (size_t)TILE * plan->inputs;
    size_t outputs, values, jets;
    kd_channels channels;
    replay a;
    kd_equation_channels(model, &channels);
    outputs = (size_t)TILE * plan->outputs * kd_channel_count(plan, &channels);
    values = kd_workspace_size(plan, &KD_VALUES), jets = kd_workspace_size(plan, &channels);
    a.work = take(r, values > jets ? values : jets);
    a.narrow_x = (float *)take(r, inputs * sizeof(float)), a.narrow_y = (float *)take(r, outputs * sizeof(float));
    a.x = take_doubles(r, inputs), a.y = take_doubles(r, outputs);
    a.data = take_doubles(r, (size_t)TILE * kd_data_count(model));
    a.residual = take_doubles(r, (size_t)TILE * kd_equation_count(model));
    a.size = take_doubles(r, plan->width), a.error = take_doubles(r, plan->width);
    a.fed = take_doubles(r, plan->width), a.fed_error = take_doubles(r, plan->width);
    a.coordinate = (kd_range *)take(r, plan->inputs * sizeof(kd_range));
    a.ranges = (kd_range *)take(r, ((size_t)plan->features.count + plan->exact.count) * sizeof(kd_range));
    return a;
}

size_t kd_selftest_size(const kd_plan *plan, const kd_model *model) {
    room r = {NULL, 0};
    lay_out(plan, model, &r);
    return r.used;
}

/* The larger one; a NaN wins and stays. */
static double larger(double a, double b) { return b > a || b != b ? b : a; }

/* ---- what two float64 evaluations may differ by ---- */

static double accumulated(double operations) {
    const double unit = 1.0 / 9007199254740992.0; /* 2^-53 */
    return operations * unit / (1 - operations * unit);
}

/* From the inputs' sizes and errors, in fed and fed_error, to those of the layer's outputs. Of tied
 * layers these are the bounds of one copy, which hold for all: each of n_in neurons then comes from
 * `fed_copies` of them, and in the Walsh-Hadamard basis, where all sets of weights meet the sum of all
 * copies, the terms that are rounded are at most `sets` times as large as the result's. */
static void bound_layer(const kd_stored_layer *layer, uint32_t fed_copies, replay *a) {
    static const double slopes[KD_ACTIVATIONS] = {1, 1, 1, 0.25, 1.1, 1, 1.13}; /* largest |f'| */
    const uint32_t columns = layer->sets * layer->n_in;
    const double repeated = fed_copies / layer->sets;
    uint32_t o, i;
    for (o = 0; o < layer->n_out; ++o) {
        double size = kd_magnitude(kd_bias(layer, o)), error = 0;
        for (i = 0; i < columns; ++i) {
            const double w = repeated * kd_magnitude(kd_weight(layer, o, i));
            size += w * a->fed[i % layer->n_in], error += w * a->fed_error[i % layer->n_in];
        }
        error += accumulated(fed_copies * layer->n_in + 4) * layer->sets * size;
        if (layer->activation != KD_IDENTITY) /* an elementary function errs by 8 units at most */
            error = slopes[layer->activation] * error + 8 * accumulated(1) * larger(size, 1);
        if (layer->activation >= KD_TANH && layer->activation <= KD_SIGMOID && size > 1) size = 1; /* bounded */
        a->size[o] = layer->activation == KD_SIGMOID ? 1 : size, a->error[o] = error;
    }
    for (o = 0; o < layer->n_out; ++o) a->fed[o] = a->size[o], a->fed_error[o] = a->error[o];
}

/* The least and the largest value of every input. */
static void bound_coordinates(const kd_plan *plan, const kd_table *points, replay *a) {
    uint32_t i;
    size_t k;
    for (i = 0; i < plan->inputs; ++i) {
        kd_range *const range = &a->coordinate[i];
        range->lower = range->upper = kd_f64(points->data + 8 * i), range->error = 0;
        for (k = i; k < points->rows * points->cols; k += points->cols) {
            range->upper = larger(range->upper, kd_f64(points->data + 8 * k));
            range->lower = -larger(-range->lower, -kd_f64(points->data + 8 * k));
        }
    }
}

static void bound_features(const kd_plan *plan, replay *a) {
    uint32_t f;
    kd_bound_program(&plan->features, a->coordinate, a->ranges);
    for (f = 0; f < plan->fed; ++f) {
        const kd_feature *const feature = &plan->feature[f];
        const kd_range *const range = &a->ranges[feature->operation];
        const double scale = kd_magnitude(feature->scale);
        a->fed[f] = (kd_range_size(range) + kd_magnitude(feature->shift)) * scale;
        a->fed_error[f] = scale * range->error + accumulated(3) * a->fed[f];
    }
}

static void bound_inputs(const kd_plan *plan, replay *a) {
    uint32_t i;
    for (i = 0; i < plan->inputs; ++i) {
        a->fed[i] = (kd_range_size(&a->coordinate[i]) + kd_magnitude(plan->input[i].shift)) * kd_magnitude(plan->input[i].scale);
        a->fed_error[i] = accumulated(3) * a->fed[i];
    }
}

/* An input of any copy: the largest of those that the symmetry puts in its place. */
static void bound_copies(const kd_plan *plan, replay *a) {
    double size[KD_MAX_INPUTS], error[KD_MAX_INPUTS];
    uint32_t i, g;
    if (plan->symmetry.order == 1) return; /* there may be more features than inputs of a symmetry */
    for (i = 0; i < plan->fed; ++i) size[i] = a->fed[i], error[i] = a->fed_error[i];
    for (i = 0; i < plan->fed; ++i)
        for (g = 0; g < plan->symmetry.order; ++g) {
            a->fed[i] = larger(a->fed[i], size[plan->symmetry.source[g][i]]);
            a->fed_error[i] = larger(a->fed_error[i], error[plan->symmetry.source[g][i]]);
        }
}

/* Of base + factor u, from the size and the error of u. */
static double imposed_error(const kd_plan *plan, uint32_t output, double size, double error, const replay *a) {
    const kd_range *const base = &a->ranges[plan->output[output].base];
    const kd_range *const factor = &a->ranges[plan->output[output].factor];
    const double scale = kd_range_size(factor);
    return base->error + scale * error + factor->error * (size + error) +
           accumulated(3) * (kd_range_size(base) + scale * size);
}

/* Forward error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002,
 * section 3.5): s = W z + b errs by |W| e + gamma_{n+4} (|W| |z| + |b|); both evaluations err, hence
 * the factor 2. kdpinn_runtime/_rounding.py has the same bound. */
static double rounding_bound(const kd_plan *plan, const kd_model *model, const kd_table *points, replay *a) {
    const kd_symmetry symmetry = kd_read_symmetry(model);
    double bound = 0;
    uint32_t i, l;
    bound_coordinates(plan, points, a);
    if (plan->features.count > 0) bound_features(plan, a);
    else bound_inputs(plan, a);
    bound_copies(plan, a);
    for (l = 0; l < plan->layers; ++l) {
        const kd_stored_layer layer = kd_evaluated(model, &symmetry, l);
        bound_layer(&layer, l == 0 ? 1 : plan->symmetry.order, a);
    }
    if (plan->exact.count > 0) kd_bound_program(&plan->exact, a->coordinate, a->ranges);
    for (i = 0; i < plan->outputs; ++i) {
        const double scale = kd_magnitude(plan->output[i].scale), shift = kd_magnitude(plan->output[i].shift);
        const double size = scale * a->fed[i] + shift, error = scale * a->fed_error[i] + accumulated(3) * size;
        bound = larger(bound, 2 * (plan->exact.count > 0 ? imposed_error(plan, i, size, error, a) : error));
    }
    return bound;
}

/* ---- the replay ---- */

/* Table rows [at, at + count) to doubles. */
static void copy_rows(const kd_table *table, size_t at, size_t count, double *to) {
    size_t k;
    for (k = 0; k < count * table->cols; ++k) to[k] = kd_f64(table->data + 8 * (at * table->cols + k));
}

/* x to y in the plan's precision. */
static kd_status evaluate_tile(const kd_plan *plan, const kd_channels *channels, size_t count, const replay *a) {
    const size_t inputs = count * plan->inputs, outputs = count * plan->outputs * kd_channel_count(plan, channels);
    kd_status status;
    size_t k;
    if (plan->precision == KD_F64) return kd_jet_f64(plan, channels, count, a->x, a->y, a->work, NULL);
    for (k = 0; k < inputs; ++k) a->narrow_x[k] = (float)a->x[k]; /* exact */
    status = kd_jet(plan, channels, count, a->narrow_x, a->narrow_y, a->work, NULL);
    for (k = 0; k < outputs; ++k) a->y[k] = (double)a->narrow_y[k];
    return status;
}

typedef struct {
    kd_table table;
    double distance, norm; /* sums of squares */
} compared;

static void compare(compared *with, size_t at, size_t count, const double *y) {
    size_t k;
    for (k = 0; k < count; ++k) {
        const double other = kd_f64(with->table.data + 8 * (at + k));
        with->distance += (y[k] - other) * (y[k] - other);
        with->norm += other * other;
    }
}

static kd_check judged(double measured, double limit) {
    const kd_check check = {1, measured <= limit, measured, limit};
    return check;
}

/* Relative L2 distance; the absolute one where the table is zero. */
static kd_check judge_distance(const compared *with) {
    static const kd_check absent = {0, 1, 0, 0};
    if (with->table.data == NULL) return absent;
    return judged(kd_square_root(with->distance) / (with->norm > 0 ? kd_square_root(with->norm) : 1), with->table.limit);
}

static void judge_residual(const kd_model *model, const double *squares, kd_selftest_result *result) {
    double worst = 0;
    uint32_t e;
    if (kd_equation_count(model) == 0) return;
    for (e = 0; e < kd_equation_count(model); ++e) {
        const double rms = kd_square_root(squares[e] / (double)result->points);
        const double ratio = rms / kd_f64(kd_record(model, KD_REC_EQUATION, e) + 40);
        if (!(ratio <= worst)) worst = ratio, result->equation = e;
        if (ratio != ratio) break; /* nothing is worse */
    }
    result->residual = judged(worst, 1);
}

static kd_status run_replay(const kd_plan *plan, const kd_model *model, replay *a, kd_selftest_result *result) {
    const kd_table points = kd_baseline_table(model, KD_ROLE_POINTS), data = kd_baseline_table(model, KD_ROLE_DATA);
    const kd_table expected = kd_baseline_table(model, KD_ROLE_EXPECTED);
    compared reference = {kd_baseline_table(model, KD_ROLE_REFERENCE), 0, 0};
    compared teacher = {kd_baseline_table(model, KD_ROLE_TEACHER), 0, 0};
    const uint32_t equations = kd_equation_count(model);
    double squares[KD_MAX_EQUATIONS] = {0}, deviation = 0, largest = 0, limit = expected.limit;
    kd_channels channels;
    kd_status status;
    size_t at, count, k;
    kd_equation_channels(model, &channels);
    for (at = 0; at < points.rows; at += count) {
        const size_t left = points.rows - at, first = at * plan->outputs;
        size_t values;
        count = TILE;
        if (left < count) count = left;
        values = count * plan->outputs;
        copy_rows(&points, at, count, a->x);
        if ((status = evaluate_tile(plan, &KD_VALUES, count, a)) != KD_OK) return status;
        for (k = 0; k < values; ++k) {
            const double answer = kd_f64(expected.data + 8 * (first + k));
            deviation = larger(deviation, kd_magnitude(a->y[k] - answer));
            largest = larger(largest, kd_magnitude(answer));
        }
        if (reference.table.data != NULL) compare(&reference, first, values, a->y);
        if (teacher.table.data != NULL) compare(&teacher, first, values, a->y);
        if (equations == 0) continue;
        if ((status = evaluate_tile(plan, &channels, count, a)) != KD_OK) return status;
        if (data.data != NULL) copy_rows(&data, at, count, a->data);
        if ((status = kd_residual(model, count, a->x, a->y, a->data, a->residual)) != KD_OK) return status;
        for (k = 0; k < count * equations; ++k) squares[k % equations] += a->residual[k] * a->residual[k];
    }
    if (largest == 0) largest = 1;
    if (plan->precision == KD_F64) {
        const double bound = rounding_bound(plan, model, &points, a) / largest;
        if (bound < limit) limit = bound;
    }
    result->points = points.rows;
    result->expected = judged(deviation / largest, limit);
    result->reference = judge_distance(&reference), result->teacher = judge_distance(&teacher);
    judge_residual(model, squares, result);
    return KD_OK;
}

/* True if the plan was made from this model, as far as shapes can tell. */
static int made_from(const kd_plan *plan, const kd_model *model) {
    const kd_symmetry symmetry = kd_read_symmetry(model);
    uint32_t l;
    if (plan->layers != model->count[KD_REC_DENSE] || plan->inputs != kd_input_count(model)) return 0;
    if (plan->features.count != model->count[KD_REC_FEATURE] || plan->exact.count != model->count[KD_REC_EXACT])
        return 0;
    for (l = 0; l < plan->layers; ++l) {
        const kd_stored_layer layer = kd_evaluated(model, &symmetry, l);
        if (plan->layer[l].n_in != layer.n_in || plan->layer[l].n_out != layer.n_out) return 0;
        if (plan->layer[l].copies != layer.copies) return 0;
    }
    return 1;
}

kd_status kd_selftest(const kd_plan *plan, const kd_model *model, void *workspace, kd_selftest_result *out) {
    kd_selftest_result result = {0, 1, 0, {0, 1, 0, 0}, {0, 1, 0, 0}, {0, 1, 0, 0}, {0, 1, 0, 0}};
    room r = {(uint8_t *)workspace, 0};
    replay a;
    kd_status status;
    if (plan == NULL || model == NULL || workspace == NULL || out == NULL) return KD_ARGUMENT;
    if ((uintptr_t)workspace % KD_ALIGN != 0) return KD_MISALIGNED;
    if (!made_from(plan, model)) return KD_ARGUMENT;
    if (kd_baseline_table(model, KD_ROLE_POINTS).data != NULL) {
        a = lay_out(plan, model, &r);
        if ((status = run_replay(plan, model, &a, &result)) != KD_OK) return status;
    }
    result.passed = result.expected.passed && result.reference.passed && result.teacher.passed && result.residual.passed;
    *out = result;
    return KD_OK;
}
