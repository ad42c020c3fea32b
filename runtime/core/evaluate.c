/* The public evaluation calls: argument checks around the kernels, and the equations' residual. */
#include "internal.h"

const kd_channels KD_VALUES = {0, 0, {{0, 0}}};

/* Where the first derivative by each input goes, 1 and on; 0: not wanted. Their number. */
static uint32_t place_first(const kd_plan *plan, const kd_channels *channels, uint8_t *channel) {
    uint32_t count = 0, i;
    for (i = 0; i < plan->inputs; ++i) {
        const int wanted = (channels->first & (1 | KD_FIRST_BY(i))) != 0;
        channel[i] = (uint8_t)(wanted ? ++count : 0);
    }
    return count;
}

uint32_t kd_channel_count(const kd_plan *plan, const kd_channels *channels) {
    uint8_t channel[KD_MAX_INPUTS];
    return 1 + place_first(plan, channels, channel) + channels->pairs;
}

size_t kd_workspace_size(const kd_plan *plan, const kd_channels *channels) {
    const uint32_t count = kd_channel_count(plan, channels);
    const size_t vector = plan->kernels->lanes * (plan->precision == KD_F64 ? sizeof(double) : sizeof(float));
    const uint32_t features = plan->features.count, exact = plan->exact.count;
    const uint32_t operations = features > exact ? features : exact;
    const size_t inputs = operations > 0 ? plan->inputs : 0;
    const size_t maps = (inputs + (size_t)operations * count) * kd_tile_vectors(plan, count);
    const size_t size = (kd_buffer_vectors(plan, count) + maps) * vector;
    return (size + KD_ALIGN - 1) / KD_ALIGN * KD_ALIGN;
}

/* `wanted` as the kernels take it; 0 where a second derivative lacks the first ones of its chain rule. */
static int resolve(const kd_plan *plan, const kd_channels *wanted, kd_jets *out) {
    uint32_t p, k;
    out->first = place_first(plan, wanted, out->channel), out->pairs = wanted->pairs;
    for (p = 0; p < wanted->pairs; ++p)
        for (k = 0; k < 2; ++k) {
            const uint32_t input = wanted->pair[p][k];
            if (input >= plan->inputs || out->channel[input] == 0) return 0;
            out->pair[p][k] = (uint8_t)(out->channel[input] - 1);
        }
    return 1;
}

static kd_status evaluate(kd_precision precision, const kd_plan *plan, const kd_channels *wanted, size_t n,
                          const void *x, void *out, void *workspace, kd_report *report) {
    kd_jets channels;
    kd_report ignored = {0, 0};
    if (report == NULL) report = &ignored;
    if (plan->precision != precision) return KD_PRECISION;
    if (n == 0) return KD_OK;
    if (x == NULL || out == NULL || workspace == NULL || wanted->pairs > KD_MAX_PAIRS) return KD_ARGUMENT;
    if ((uintptr_t)workspace % KD_ALIGN != 0) return KD_MISALIGNED;
    if (!resolve(plan, wanted, &channels)) return KD_ARGUMENT;
    return plan->kernels->run(plan, &channels, n, x, out, workspace, report);
}

kd_status kd_eval(const kd_plan *plan, size_t n, const float *x, float *y, void *workspace, kd_report *report) {
    return evaluate(KD_F32, plan, &KD_VALUES, n, x, y, workspace, report);
}

kd_status kd_eval_f64(const kd_plan *plan, size_t n, const double *x, double *y, void *workspace,
                      kd_report *report) {
    return evaluate(KD_F64, plan, &KD_VALUES, n, x, y, workspace, report);
}

kd_status kd_jet(const kd_plan *plan, const kd_channels *channels, size_t n, const float *x, float *jets,
                 void *workspace, kd_report *report) {
    return evaluate(KD_F32, plan, channels, n, x, jets, workspace, report);
}

kd_status kd_jet_f64(const kd_plan *plan, const kd_channels *channels, size_t n, const double *x, double *jets,
                     void *workspace, kd_report *report) {
    return evaluate(KD_F64, plan, channels, n, x, jets, workspace, report);
}

/* ---- the equations ---- */

uint32_t kd_equation_count(const kd_model *model) { return model->count[KD_REC_EQUATION]; }

void kd_equation_channels(const kd_model *model, kd_channels *out) {
    uint32_t p;
    out->first = 1;
    out->pairs = model->count[KD_REC_SECOND];
    for (p = 0; p < out->pairs; ++p) {
        const uint8_t *record = kd_record(model, KD_REC_SECOND, p);
        out->pair[p][0] = (uint8_t)kd_u32(record + 8), out->pair[p][1] = (uint8_t)kd_u32(record + 12);
    }
}

enum { BLOCK = 64 }; /* points at a time: their products stay in the first-level cache */

typedef struct {
    size_t n;
    const double *x, *jets, *data;
    uint32_t inputs, outputs, columns;
    double parameter;
} points;

/* A factor at one point after the other: `at`, and so many numbers on. */
typedef struct {
    const double *at;
    size_t stride;
} sequence;

/* From point `row` on. A parameter is the same everywhere, and kept in `p`. */
static sequence factor(const kd_model *model, points *p, size_t row, uint32_t code) {
    const uint32_t a = code >> 12 & 0xFFF, b = code & 0xFFF;
    sequence jets = {p->jets + row * p->outputs + a, p->outputs};
    const size_t channel = p->n * p->outputs;
    const sequence coordinate = {p->x + row * p->inputs + a, p->inputs}, same = {&p->parameter, 0};
    const sequence data = {p->columns > 0 ? p->data + row * p->columns + a : NULL, p->columns};
    switch (code >> 24) {
    case KD_FACTOR_COORDINATE: return coordinate;
    case KD_FACTOR_PARAMETER: p->parameter = kd_f64(kd_record(model, KD_REC_PARAMETER, a) + 48); return same;
    case KD_FACTOR_DATA: return data;
    case KD_FACTOR_FIRST: jets.at += (1 + b) * channel; break;
    case KD_FACTOR_SECOND: jets.at += (1 + p->inputs + b) * channel; break;
    default: break;
    }
    return jets;
}

/* One term of an equation at `count` points from `row` on. */
static void add_term(const kd_model *model, points *p, size_t row, size_t count, const uint8_t *term, double *out) {
    const uint32_t equations = kd_equation_count(model), factors = kd_u32(term + 12);
    double product[BLOCK];
    uint32_t f;
    size_t k;
    for (k = 0; k < count; ++k) product[k] = kd_f64(term + 16);
    for (f = 0; f < factors; ++f) {
        const sequence values = factor(model, p, row, kd_u32(term + 24 + 4 * f));
        for (k = 0; k < count; ++k) product[k] *= values.at[k * values.stride];
    }
    for (k = 0; k < count; ++k) out[(row + k) * equations + kd_u32(term + 8)] += product[k];
}

kd_status kd_residual(const kd_model *model, size_t n, const double *x, const double *jets, const double *data,
                      double *residual) {
    const uint32_t equations = kd_equation_count(model), terms = model->count[KD_REC_TERM];
    points p = {n, x, jets, data, kd_input_count(model), kd_output_count(model), kd_data_count(model), 0};
    size_t row, count, k;
    uint32_t t;
    if (x == NULL || jets == NULL || residual == NULL) return KD_ARGUMENT;
    if (p.columns > 0 && data == NULL) return KD_ARGUMENT;
    for (k = 0; k < n * equations; ++k) residual[k] = 0;
    for (row = 0; row < n; row += count) {
        count = n - row < BLOCK ? n - row : (size_t)BLOCK;
        for (t = 0; t < terms; ++t) add_term(model, &p, row, count, kd_record(model, KD_REC_TERM, t), residual);
    }
    return KD_OK;
}
