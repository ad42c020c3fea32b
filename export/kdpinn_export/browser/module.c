/* The core as the page calls it: one model for each instance of the WebAssembly module.
 *
 * Functions named by PAGE are what page/core.js sees; pointers are offsets into the module's memory.
 * Fields are computed in float32, point by point readings and the replay of the baseline in float64 too.
 */
#include "kdpinn.h"

#define PAGE(name) __attribute__((export_name(#name))) name

enum { CHUNK = 512, WASM_PAGE = 65536 }; /* points at a time; bytes by which memory grows */
enum { VALUE, FIRST, SECOND, RESIDUAL };

/* One scalar field of the model: a value, a derivative by inputs a (and b), or an equation's residual. */
typedef struct {
    uint32_t kind, which, a, b; /* which: output, or equation */
} quantity;

static kd_model model;
static kd_plan *narrow, *wide; /* float32, float64 */
static uint32_t inputs, outputs, equations;
static kd_channels everything, physics; /* all second derivatives; those of the equations */
static void *work;
static float *points, *jets;
static double *wide_points, *wide_jets, *ones, *residuals;
static kd_selftest_result verdict;

extern unsigned char __heap_base;
static uintptr_t heap;

/* Memory that lasts as long as the instance; NULL if the browser gives no more. */
void *PAGE(allocate)(size_t size) {
    const uintptr_t begin = ((heap ? heap : (uintptr_t)&__heap_base) + KD_ALIGN - 1) / KD_ALIGN * KD_ALIGN;
    const size_t have = __builtin_wasm_memory_size(0) * (size_t)WASM_PAGE;
    const uintptr_t end = begin + size;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + WASM_PAGE - 1) / WASM_PAGE) == (size_t)-1)
        return NULL;
    heap = end;
    return (void *)begin;
}

static kd_status make_plan(kd_plan **plan, kd_precision precision) {
    void *const memory = allocate(kd_plan_size(&model, precision));
    return memory == NULL ? KD_TOO_LARGE : kd_plan_init(plan, &model, precision, NULL, memory);
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static void choose_channels(void) {
    uint32_t i, j;
    everything.first = 1, everything.pairs = 0;
    for (i = 0; i < inputs; ++i)
        for (j = i; j < inputs; ++j, ++everything.pairs)
            everything.pair[everything.pairs][0] = (uint8_t)i, everything.pair[everything.pairs][1] = (uint8_t)j;
    kd_equation_channels(&model, &physics);
}

/* What a field of the quantity needs; it is the last of these channels. */
static kd_channels needed(const quantity *q) {
    kd_channels channels = KD_VALUES;
    if (q->kind != VALUE) channels.first = KD_FIRST_BY(q->a);
    if (q->kind == SECOND) {
        channels.first |= KD_FIRST_BY(q->b), channels.pairs = 1;
        channels.pair[0][0] = (uint8_t)q->a, channels.pair[0][1] = (uint8_t)q->b;
    }
    return channels;
}

/* Of a workspace for everything at once, or for one derivative: fewer channels may take more, in wider tiles. */
static size_t work_size(const kd_plan *plan) {
    size_t most = kd_workspace_size(plan, &everything);
    uint32_t kind, p;
    for (kind = FIRST; kind <= SECOND; ++kind)
        for (p = 0; p < everything.pairs; ++p) {
            const quantity q = {kind, 0, everything.pair[p][0], everything.pair[p][1]};
            const kd_channels channels = needed(&q);
            most = larger(most, kd_workspace_size(plan, &channels));
        }
    return most;
}

static kd_status make_room(void) {
    const size_t all = kd_channel_count(wide, &everything), most = larger(all, kd_channel_count(wide, &physics));
    const size_t columns = kd_data_count(&model), values = CHUNK * outputs * most;
    size_t k;
    work = allocate(larger(kd_selftest_size(wide, &model), larger(work_size(wide), work_size(narrow))));
    points = allocate(CHUNK * inputs * sizeof *points), jets = allocate(values * sizeof *jets);
    wide_points = allocate(CHUNK * inputs * sizeof *wide_points), wide_jets = allocate(values * sizeof *wide_jets);
    ones = allocate(CHUNK * columns * sizeof *ones), residuals = allocate(CHUNK * equations * sizeof *residuals);
    if (residuals == NULL) return KD_TOO_LARGE;
    for (k = 0; k < CHUNK * columns; ++k) ones[k] = 1;
    return KD_OK;
}

/* Checks the file and makes everything ready; the bytes came to `allocate`d memory. A kd_status. */
kd_status PAGE(load)(const void *bytes, size_t size) {
    kd_status status = kd_load(&model, bytes, size);
    if (status != KD_OK) return status;
    inputs = kd_input_count(&model), outputs = kd_output_count(&model), equations = kd_equation_count(&model);
    if ((status = make_plan(&narrow, KD_F32)) != KD_OK || (status = make_plan(&wide, KD_F64)) != KD_OK)
        return status;
    choose_channels();
    return make_room();
}

const char *PAGE(status_text)(kd_status status) { return kd_status_text(status); }
const char *PAGE(isa)(void) { return kd_plan_isa(narrow); }

/* Replays the baseline in float32 (bits 32) or float64. */
kd_status PAGE(selftest)(uint32_t bits) { return kd_selftest(bits == 32 ? narrow : wide, &model, work, &verdict); }
uint32_t PAGE(selftest_points)(void) { return (uint32_t)verdict.points; }
uint32_t PAGE(selftest_passed)(void) { return verdict.passed; }

static const kd_check *check(uint32_t index) {
    const kd_check *const checks[] = {&verdict.expected, &verdict.reference, &verdict.teacher, &verdict.residual};
    return checks[index & 3];
}
uint32_t PAGE(check_carried)(uint32_t index) { return check(index)->carried; }
uint32_t PAGE(check_passed)(uint32_t index) { return check(index)->passed; }
double PAGE(check_measured)(uint32_t index) { return check(index)->measured; }
double PAGE(check_limit)(uint32_t index) { return check(index)->limit; }

/* Values and all derivatives of every output at one point, in float64: (channels, outputs), channels the
 * value, one by each input, one by each pair of inputs in the order (0, 0), (0, 1), ... NULL: not finite. */
const double *PAGE(jet_at)(const double *x) {
    return kd_jet_f64(wide, &everything, 1, x, wide_jets, work, NULL) == KD_OK ? wide_jets : NULL;
}

/* Residuals of all equations at one point, in float64, with 1 for every column of tabulated data. */
const double *PAGE(residuals_at)(const double *x) {
    if (kd_jet_f64(wide, &physics, 1, x, wide_jets, work, NULL) != KD_OK) return NULL;
    return kd_residual(&model, 1, x, wide_jets, ones, residuals) == KD_OK ? residuals : NULL;
}

static void pick(size_t n, size_t channel, uint32_t output, float *out) {
    const float *const from = jets + channel * n * outputs + output;
    size_t p;
    for (p = 0; p < n; ++p) out[p] = from[p * outputs];
}

static kd_status residual_of(uint32_t equation, size_t n, const float *x, float *out) {
    const size_t values = n * outputs * kd_channel_count(narrow, &physics);
    kd_status status = kd_jet(narrow, &physics, n, x, jets, work, NULL);
    size_t k;
    if (status != KD_OK) return status;
    for (k = 0; k < n * inputs; ++k) wide_points[k] = x[k];
    for (k = 0; k < values; ++k) wide_jets[k] = jets[k];
    status = kd_residual(&model, n, wide_points, wide_jets, ones, residuals);
    for (k = 0; k < n; ++k) out[k] = (float)residuals[k * equations + equation];
    return status;
}

/* The quantity at n <= CHUNK points. */
static kd_status evaluate(const quantity *q, size_t n, const float *x, float *out) {
    kd_channels channels;
    kd_status status;
    if (q->kind == RESIDUAL) return residual_of(q->which, n, x, out);
    if (q->kind == VALUE && outputs == 1) return kd_eval(narrow, n, x, out, work, NULL);
    channels = needed(q);
    status = kd_jet(narrow, &channels, n, x, jets, work, NULL);
    if (status == KD_OK) pick(n, kd_channel_count(narrow, &channels) - 1, q->which, out);
    return status;
}

/* The quantity at `count` points x (count, inputs). */
kd_status PAGE(sample)(uint32_t kind, uint32_t which, uint32_t a, uint32_t b, size_t count, const float *x, float *out) {
    const quantity q = {kind, which, a, b};
    kd_status status = KD_OK;
    size_t at;
    for (at = 0; at < count && status == KD_OK; at += CHUNK) {
        const size_t n = count - at < CHUNK ? count - at : CHUNK;
        status = evaluate(&q, n, x + at * inputs, out + at);
    }
    return status;
}

/* Coordinate of the middle of cell k of n between lower and upper. */
static float middle(double lower, double upper, size_t k, size_t n) {
    return (float)(lower + (upper - lower) * ((double)k + 0.5) / (double)n);
}

/* The quantity over a picture of `columns` by `rows` pixels, the top row first: input `across` runs from
 * box[0] to box[1], input `up` from box[2] to box[3], the other inputs stay at their value in `fixed`. */
kd_status PAGE(picture)(uint32_t kind, uint32_t which, uint32_t a, uint32_t b, uint32_t across, uint32_t up,
                        size_t columns, size_t rows, const double *fixed, const double *box, float *out) {
    const quantity q = {kind, which, a, b};
    const size_t total = columns * rows;
    size_t at, p, n;
    uint32_t i;
    for (p = 0; p < CHUNK; ++p)
        for (i = 0; i < inputs; ++i) points[p * inputs + i] = (float)fixed[i];
    for (at = 0; at < total; at += n) {
        kd_status status;
        n = total - at < CHUNK ? total - at : CHUNK;
        for (p = 0; p < n; ++p) {
            const size_t column = (at + p) % columns, row = (at + p) / columns;
            if (up != across) points[p * inputs + up] = middle(box[3], box[2], row, rows);
            points[p * inputs + across] = middle(box[0], box[1], column, columns);
        }
        if ((status = evaluate(&q, n, points, out + at)) != KD_OK) return status;
    }
    return KD_OK;
}

/* log2 |a| within 2e-5, far below one color: the exponent, and in the mantissa the polynomial that
 * interpolates log2(1 + z) at the six Chebyshev points of [0, 1]. */
static float log2_of(float a) {
    union { float value; uint32_t bits; } u = {a};
    const int exponent = (int)(u.bits >> 23 & 255) - 127;
    float z;
    u.bits = (u.bits & 0x7FFFFFu) | 0x3F800000u;
    z = u.value - 1;
    return (float)exponent + 1.651467e-5f +
           z * (1.441492f + z * (-0.7064864f + z * (0.4094703f + z * (-0.1874886f + z * 0.04300496f))));
}

/* Colors of n numbers: `colors` has 256, the first for `low` and less, the last for `high` and more;
 * `logarithmic`: of magnitudes, by their logarithms. NaN becomes transparent. */
void PAGE(colorize)(size_t n, const float *values, double low, double high, uint32_t logarithmic,
                    const uint32_t *colors, uint32_t *out) {
    const float from = logarithmic ? log2_of((float)low) : (float)low;
    const float span = (logarithmic ? log2_of((float)high) : (float)high) - from, scale = 256 / span;
    size_t k;
    for (k = 0; k < n; ++k) {
        const float place = ((logarithmic ? log2_of(values[k]) : values[k]) - from) * scale;
        const float held = place > 0 ? place < 255 ? place : 255 : 0;
        out[k] = values[k] == values[k] ? colors[(int)held] : 0;
    }
}
