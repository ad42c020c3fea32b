/* Loads a model.kdp file, replays its baseline, and prints the values and the Jacobian (the first
 * derivatives of every output by every input) at the midpoint of its domain. Exits 1 if the file is
 * refused or if this machine does not reproduce the baseline.
 *
 *     cc evaluate.c $(python -m kdpinn_runtime.paths --cflags --libs) -o evaluate
 *     ./evaluate model.kdp
 */
#include <kdpinn.h>

#include <stdio.h>
#include <stdlib.h>

static void *aligned(size_t size) {
    return aligned_alloc(KD_ALIGN, (size + KD_ALIGN - 1) / KD_ALIGN * KD_ALIGN);
}

static int fail(const char *what, kd_status status) {
    fprintf(stderr, "%s: %s (%s)\n", what, kd_status_text(status), kd_status_name(status));
    return 1;
}

static void tell(const char *what, kd_check check) {
    if (check.carried)
        printf("  %-9s %s: %.3g, limit %.3g\n", what, check.passed ? "passed" : "FAILED", check.measured, check.limit);
}

/* Checks on this very machine what the file says of itself; 1 if it does not hold. */
static int selftest(const kd_plan *plan, const kd_model *model) {
    kd_selftest_result result;
    const kd_status status = kd_selftest(plan, model, aligned(kd_selftest_size(plan, model)), &result);
    if (status != KD_OK) return fail("self-test", status);
    printf("self-test %s, %u points\n", result.passed ? "passed" : "FAILED", (unsigned)result.points);
    tell("answers", result.expected);
    tell("reference", result.reference);
    tell("teacher", result.teacher);
    tell("physics", result.residual);
    return !result.passed;
}

int main(int argc, char **argv) {
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    kd_channels channels = {1, 0, {{0, 0}}}; /* the value and all first derivatives */
    float x[KD_MAX_INPUTS], jets[(1 + KD_MAX_INPUTS) * KD_MAX_OUTPUTS];
    kd_model model;
    kd_plan *plan;
    kd_status status;
    kd_variable variable;
    uint32_t i, j, inputs, outputs;
    long size;
    void *bytes;

    if (file == NULL) {
        fprintf(stderr, "usage: evaluate model.kdp (an existing file)\n");
        return 2;
    }
    fseek(file, 0, SEEK_END);
    size = ftell(file);
    rewind(file);
    bytes = aligned((size_t)size);
    if (fread(bytes, 1, (size_t)size, file) != (size_t)size) return 2;
    fclose(file);

    if ((status = kd_load(&model, bytes, (size_t)size)) != KD_OK) return fail(argv[1], status);
    status = kd_plan_init(&plan, &model, KD_F32, NULL, aligned(kd_plan_size(&model, KD_F32)));
    if (status != KD_OK) return fail("plan", status);

    inputs = kd_input_count(&model), outputs = kd_output_count(&model);
    printf("kdpinn %s, %s, %u parameters\n", kd_version(), kd_plan_isa(plan), kd_parameter_count(&model));
    if (selftest(plan, &model) != 0) return 1;
    for (i = 0; i < inputs; ++i) {
        kd_input(&model, i, &variable);
        x[i] = (float)(0.5 * (variable.lower + variable.upper));
        printf("%s = %g %s\n", variable.name, x[i], variable.unit);
    }
    status = kd_jet(plan, &channels, 1, x, jets, aligned(kd_workspace_size(plan, &channels)), NULL);
    if (status != KD_OK) return fail("evaluation", status);
    for (j = 0; j < outputs; ++j) {
        kd_output(&model, j, &variable);
        printf("%s = %.9g %s\n", variable.name, jets[j], variable.unit);
        for (i = 0; i < inputs; ++i) {
            kd_variable by;
            kd_input(&model, i, &by);
            printf("d%s/d%s = %.9g\n", variable.name, by.name, jets[(1 + i) * outputs + j]);
        }
    }
    return 0;
}
