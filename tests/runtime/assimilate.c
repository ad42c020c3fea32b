/* Updates an estimate as a device would, in exactly sized buffers; prints what came of it.
 *
 *     assimilate MODEL READINGS BITS LOSS UNKNOWN...
 *
 * READINGS holds doubles: noise, number of batches, rows of a batch, then for each batch x (rows, inputs -
 * unknowns) and y (rows, outputs). UNKNOWN are indices of inputs. After each batch a line: used, missing,
 * outside, outliers, iterations, converged, at_bound; then the mean and the covariance. */
#define _POSIX_C_SOURCE 200112L
#include <kdpinn_assimilate.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *exactly(size_t size) {
    void *memory = NULL;
    if (posix_memalign(&memory, KD_ALIGN, size ? size : 1) != 0) exit(3);
    memset(memory, 0x5A, size); /* nothing may depend on what was there */
    return memory;
}

static void *copied(const void *from, size_t size) {
    void *const memory = exactly(size);
    if (size > 0) memcpy(memory, from, size);
    return memory;
}

static void demand(kd_status status) {
    if (status == KD_OK) return;
    fprintf(stderr, "%s\n", kd_status_name(status));
    exit(1);
}

static char *read_file(const char *path, size_t *size) {
    FILE *const file = fopen(path, "rb");
    char *bytes;
    if (file == NULL) exit(2);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = exactly(*size);
    if (fread(bytes, 1, *size, file) != *size) exit(2);
    fclose(file);
    return bytes;
}

static void tell(const kd_assimilation *how, const kd_estimate *estimate, const kd_outcome *outcome) {
    uint32_t i, j;
    for (i = 0; i < KD_READINGS; ++i) printf("%u ", (unsigned)outcome->count[i]);
    printf("%u %u %u\n", (unsigned)outcome->iterations, (unsigned)outcome->converged, (unsigned)outcome->at_bound);
    for (i = 0; i < how->unknowns; ++i) printf("%.17g ", estimate->mean[i]);
    for (i = 0; i < how->unknowns; ++i)
        for (j = 0; j < how->unknowns; ++j) printf("%.17g ", estimate->covariance[i][j]);
    for (i = 0; i < how->unknowns; ++i) printf("%.17g ", kd_assimilate_value(how, estimate, i, 1.96));
    printf("\n");
}

int main(int argc, char **argv) {
    size_t size, batch, batches, rows, known, outputs;
    kd_model model;
    kd_plan *plan;
    kd_assimilation how;
    kd_estimate estimate;
    uint32_t unknown[KD_MAX_UNKNOWNS], k;
    char *file;
    const double *numbers;
    kd_precision precision;
    if (argc < 6) return 2;
    precision = strcmp(argv[3], "32") == 0 ? KD_F32 : KD_F64;
    file = read_file(argv[1], &size);
    demand(kd_load(&model, file, size));
    demand(kd_plan_init(&plan, &model, precision, NULL, exactly(kd_plan_size(&model, precision))));
    for (k = 0; k + 5 < (uint32_t)argc; ++k) unknown[k] = (uint32_t)atoi(argv[5 + k]);
    demand(kd_assimilate_settings(plan, &model, k, unknown, &how));
    numbers = (const double *)(const void *)read_file(argv[2], &size);
    how.loss = (uint32_t)atoi(argv[4]);
    for (k = 0; k < kd_output_count(&model); ++k) how.noise[k] = numbers[0];
    batches = (size_t)numbers[1], rows = (size_t)numbers[2], numbers += 3;
    known = rows * (kd_input_count(&model) - how.unknowns), outputs = rows * kd_output_count(&model);
    demand(kd_assimilate_prior(&how, &estimate));
    for (batch = 0; batch < batches; ++batch) {
        double *const x = copied(numbers, known * sizeof(double));
        double *const y = copied(numbers + known, outputs * sizeof(double));
        uint8_t *const reading = exactly(outputs);
        double *const residual = exactly(outputs * sizeof(double)), *const value = exactly(outputs * sizeof(double));
        double *const gradient = exactly(outputs * how.unknowns * sizeof(double));
        void *const work = exactly(kd_assimilate_size(plan));
        kd_outcome outcome;
        kd_status status;
        demand(kd_assimilate_update(plan, &how, rows, x, y, NULL, &estimate, reading, residual, work, &outcome));
        tell(&how, &estimate, &outcome);
        status = kd_assimilate_state(plan, &how, &estimate, rows, x, value, residual, gradient, work);
        if (status != KD_NOT_FINITE) demand(status);
        numbers += known + outputs;
        free(x), free(y), free(reading), free(residual), free(value), free(gradient), free(work);
    }
    return 0;
}
