/* Evaluates a model as a device would: the jets at given points and the self-test, as text.
 *
 *     replay MODEL POINTS ISA BITS
 *
 * POINTS holds doubles, (n, inputs). ISA is a name or "best". BITS is 32 or 64. Prints the instruction
 * set, the self-test ("passed points expected reference teacher residual"), then the jets over the
 * channels of the file's equations, (channels, n, outputs), a number to a line, and at last how many
 * points lie outside the domain. */
#include <kdpinn.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *aligned(size_t size) {
    char *const memory = (char *)malloc(size + KD_ALIGN);
    if (memory == NULL) exit(3);
    return memory + (KD_ALIGN - (uintptr_t)memory % KD_ALIGN);
}

static void *read_file(const char *path, size_t *size) {
    FILE *const file = fopen(path, "rb");
    void *bytes;
    if (file == NULL) exit(2);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = aligned(*size);
    if (fread(bytes, 1, *size, file) != *size) exit(2);
    fclose(file);
    return bytes;
}

static void demand(kd_status status) {
    if (status == KD_OK) return;
    fprintf(stderr, "%s\n", kd_status_name(status));
    exit(1);
}

int main(int argc, char **argv) {
    size_t size, points, outputs, k;
    kd_model model;
    kd_plan *plan;
    kd_precision precision;
    kd_channels channels;
    kd_selftest_result result;
    kd_report report = {0, 0};
    const double *x;
    double *jets;
    void *work;
    if (argc != 5) return 2;
    precision = strcmp(argv[4], "32") == 0 ? KD_F32 : KD_F64;
    work = read_file(argv[1], &size);
    demand(kd_load(&model, work, size));
    demand(kd_plan_init(&plan, &model, precision, strcmp(argv[3], "best") == 0 ? NULL : argv[3],
                        aligned(kd_plan_size(&model, precision))));
    demand(kd_selftest(plan, &model, aligned(kd_selftest_size(plan, &model)), &result));
    printf("%s\n%u %u %.17g %.17g %.17g %.17g\n", kd_plan_isa(plan), (unsigned)result.passed,
           (unsigned)result.points, result.expected.measured, result.reference.measured,
           result.teacher.measured, result.residual.measured);

    x = (const double *)read_file(argv[2], &size);
    points = size / sizeof(double) / kd_input_count(&model);
    kd_equation_channels(&model, &channels);
    outputs = points * kd_output_count(&model) * kd_channel_count(plan, &channels);
    jets = (double *)aligned(outputs * sizeof(double));
    work = aligned(kd_workspace_size(plan, &channels));
    if (precision == KD_F64) {
        demand(kd_jet_f64(plan, &channels, points, x, jets, work, &report));
    } else {
        float *const narrow_x = (float *)aligned(size), *const narrow = (float *)aligned(outputs * sizeof(float));
        for (k = 0; k < size / sizeof(double); ++k) narrow_x[k] = (float)x[k];
        demand(kd_jet(plan, &channels, points, narrow_x, narrow, work, &report));
        for (k = 0; k < outputs; ++k) jets[k] = narrow[k];
    }
    for (k = 0; k < outputs; ++k) printf("%.17g\n", jets[k]);
    printf("%u\n", (unsigned)report.outside);
    return 0;
}
