/* Does with a loaded model everything that the interface offers, in exactly sized buffers, so that a
 * sanitizer sees every access past one. The answers may be anything, but they have to repeat: a
 * point alone, in a batch and as a jet's value has the same bits.
 *
 * Used by harness.c and by the fuzz targets. */
#ifndef EXERCISE_H
#define EXERCISE_H

#define _POSIX_C_SOURCE 200112L /* posix_memalign */

#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *exactly(size_t size) {
    void *memory = NULL;
    if (posix_memalign(&memory, KD_ALIGN, size ? size : 1) != 0) exit(3);
    return memory;
}

static void demand(int holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "exercise: %s\n", what);
    abort();
}

static uint32_t next_random(uint32_t *state) { /* xorshift; Marsaglia, J. Stat. Softw. 8 (2003) 14 */
    *state ^= *state << 13, *state ^= *state >> 17, *state ^= *state << 5;
    return *state;
}

/* Mostly inside the domain, now and then outside, and once in a while not finite. */
static double coordinate(const kd_variable *input, uint32_t *state) {
    const uint32_t draw = next_random(state);
    if (draw % 4096 == 0) return draw & 8192 ? 1e300 * 1e300 : -1e30;
    return input->lower / 2 + input->upper / 2 +
           (input->upper / 2 - input->lower / 2) * ((double)(draw % 2100) / 1000 - 1.04);
}

static int same_bits(const void *a, const void *b, size_t count, kd_precision precision) {
    size_t k;
    for (k = 0; k < count; ++k) {
        const double p = precision == KD_F64 ? ((const double *)a)[k] : (double)((const float *)a)[k];
        const double q = precision == KD_F64 ? ((const double *)b)[k] : (double)((const float *)b)[k];
        const size_t item = precision == KD_F64 ? 8 : 4;
        const int both_nan = p != p && q != q;
        if (!both_nan && memcmp((const char *)a + k * item, (const char *)b + k * item, item) != 0) return 0;
    }
    return 1;
}

static kd_status jets_of(const kd_plan *plan, kd_precision precision, const kd_channels *channels, size_t n,
                         const void *x, void *out, kd_report *report) {
    void *work = exactly(kd_workspace_size(plan, channels));
    const int values = channels->first == 0;
    kd_status status;
    memset(report, 0, sizeof *report);
    if (precision == KD_F64)
        status = values ? kd_eval_f64(plan, n, x, out, work, report) : kd_jet_f64(plan, channels, n, x, out, work, report);
    else
        status = values ? kd_eval(plan, n, x, out, work, report) : kd_jet(plan, channels, n, x, out, work, report);
    demand(status == KD_OK || (status == KD_NOT_FINITE && report->row < n), "an evaluation fails");
    demand(report->outside <= n, "more points outside than points");
    free(work);
    return status;
}

/* The replay of the file's baseline, in a workspace of exactly the size that is asked for. */
static void exercise_selftest(const kd_plan *plan, const kd_model *model) {
    void *work = exactly(kd_selftest_size(plan, model));
    kd_selftest_result result;
    demand(kd_selftest(plan, model, work, &result) == KD_OK, "the self-test of an accepted file fails");
    demand(result.expected.carried == (result.points > 0), "the self-test miscounts");
    demand(result.equation < kd_equation_count(model) || !result.residual.carried, "the self-test names no equation");
    free(work);
}

/* The derivatives by one input alone, first and second, are those among all, bit for bit. */
static void exercise_one_input(const kd_plan *plan, kd_precision precision, uint32_t input, const kd_channels *all,
                               size_t n, const void *x, const void *jets) {
    const size_t block = n * plan->outputs * (precision == KD_F64 ? 8 : 4);
    const char *own[3] = {jets, (const char *)jets + (1 + input) * block, NULL}; /* its channels among all */
    kd_channels alone = {KD_FIRST_BY(input), 0, {{(uint8_t)input, (uint8_t)input}}};
    kd_report report;
    uint32_t k;
    for (k = 0; k < all->pairs; ++k)
        if (all->pair[k][0] == input && all->pair[k][1] == input)
            alone.pairs = 1, own[2] = (const char *)jets + (1 + plan->inputs + k) * block;
    char *part = exactly((2 + alone.pairs) * block);
    demand(kd_channel_count(plan, &alone) == 2 + alone.pairs, "channels of one input miscounted");
    demand(jets_of(plan, precision, &alone, n, x, part, &report) == KD_OK, "the derivatives by one input fail");
    for (k = 0; k < 2 + alone.pairs; ++k)
        demand(same_bits(part + k * block, own[k], n * plan->outputs, precision),
               "a derivative alone differs from the same among all");
    free(part);
}

static void exercise_on(const kd_model *model, const char *isa, kd_precision precision, size_t n, uint32_t seed) {
    const uint32_t inputs = kd_input_count(model), outputs = kd_output_count(model), columns = kd_data_count(model);
    const size_t item = precision == KD_F64 ? 8 : 4;
    void *memory = exactly(kd_plan_size(model, precision));
    kd_plan *plan;
    kd_channels channels;
    kd_report report;
    kd_status status;
    kd_equation_channels(model, &channels);
    demand(kd_plan_init(&plan, model, precision, isa, memory) == KD_OK, "an accepted file has no plan");
    const size_t count = kd_channel_count(plan, &channels);
    void *x = exactly(n * inputs * item), *y = exactly(n * outputs * item), *alone = exactly(outputs * item);
    void *jets = exactly(count * n * outputs * item);
    double *wide_x = exactly(n * inputs * 8), *wide = exactly(count * n * outputs * 8);
    double *data = exactly(n * columns * 8), *residual = exactly(n * kd_equation_count(model) * 8);
    size_t k;
    for (k = 0; k < n * inputs; ++k) {
        kd_variable input;
        kd_input(model, (uint32_t)(k % inputs), &input);
        wide_x[k] = coordinate(&input, &seed);
        if (precision == KD_F64) ((double *)x)[k] = wide_x[k];
        else ((float *)x)[k] = (float)wide_x[k];
    }
    status = jets_of(plan, precision, &KD_VALUES, n, x, y, &report);
    demand(status == jets_of(plan, precision, &channels, n, x, jets, &report), "values and jets disagree on a point");
    if (status == KD_OK) {
        const size_t last = n - 1;
        demand(same_bits(y, jets, n * outputs, precision), "values differ from the jets' values");
        demand(jets_of(plan, precision, &KD_VALUES, 1, (char *)x + last * inputs * item, alone, &report) == KD_OK,
               "a point alone fails");
        demand(same_bits(alone, (char *)y + last * outputs * item, outputs, precision),
               "a point alone differs from the same point in a batch");
        exercise_one_input(plan, precision, seed % inputs, &channels, n, x, jets);
        for (k = 0; k < count * n * outputs; ++k)
            wide[k] = precision == KD_F64 ? ((double *)jets)[k] : (double)((float *)jets)[k];
        for (k = 0; k < n * columns; ++k) data[k] = 0.5;
        demand(kd_residual(model, n, wide_x, wide, data, residual) == KD_OK, "the residual fails");
    }
    exercise_selftest(plan, model);
    free(x), free(y), free(alone), free(jets), free(wide_x), free(wide), free(data), free(residual), free(memory);
}

/* Discovery calls, one past the end included; returns 1 if `out of range` is answered everywhere. */
static void exercise_discovery(const kd_model *model) {
    kd_variable v;
    uint32_t i;
    for (i = 0; i < kd_input_count(model); ++i) demand(kd_input(model, i, &v) == KD_OK && v.name[23] == 0, "an input");
    for (i = 0; i < kd_output_count(model); ++i) demand(kd_output(model, i, &v) == KD_OK && v.unit[15] == 0, "an output");
    demand(kd_input(model, kd_input_count(model), &v) == KD_ARGUMENT, "an input too many");
    demand(kd_output(model, kd_output_count(model), &v) == KD_ARGUMENT, "an output too many");
    demand(kd_parameter_count(model) > 0, "no parameters");
}

/* `isa` is an index into the list of this processor; every one of them if it is negative. */
static void exercise(const kd_model *model, int isa, kd_precision precision, size_t n, uint32_t seed) {
    size_t k;
    exercise_discovery(model);
    for (k = 0; kd_isa_name(k) != NULL; ++k)
        if (isa < 0 || (size_t)isa == k) exercise_on(model, kd_isa_name(k), precision, n, seed);
}

#endif
