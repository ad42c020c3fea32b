/* The model of model_data.h on this machine: its own baseline, the known answers of answers.h, what an
 * evaluation takes, and its values at a point if one is given: ./model 0.5 0.25. The last line says
 * `passed` or `FAILED`. */
#include "answers.h"
#include "kdpinn.h"
#include "model_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Memory for the whole run of the program; the core itself allocates nothing. */
static void *aligned(size_t size) {
    unsigned char *const memory = (unsigned char *)malloc(size + KD_ALIGN);
    if (memory == NULL) {
        puts("out of memory");
        exit(1);
    }
    return memory + (KD_ALIGN - (size_t)((uintptr_t)memory % KD_ALIGN));
}

static void or_exit(const char *what, kd_status status) {
    if (status == KD_OK) return;
    printf("%s: %s (%s)\nFAILED\n", what, kd_status_text(status), kd_status_name(status));
    exit(1);
}

static int tell(const char *what, kd_check check) {
    if (check.carried) printf("%-9s %s: %.3g, limit %.3g\n", what, check.passed ? "passed" : "FAILED", check.measured, check.limit);
    return (int)check.passed;
}

static int selftest(const kd_plan *plan, const kd_model *model) {
    kd_selftest_result result;
    or_exit("self-test", kd_selftest(plan, model, aligned(kd_selftest_size(plan, model)), &result));
    printf("self-test at %lu points\n", (unsigned long)result.points);
    return tell("answers", result.expected) & tell("reference", result.reference) &
           tell("teacher", result.teacher) & tell("physics", result.residual);
}

/* Largest error of the known answers as a share of what is permitted; NaN is larger than anything.
 * error: in the output's unit. */
static double replayed(const kd_plan *plan, const kd_channels *channels, void *work, double *error) {
    double worst = 0;
    int k, j;
    for (k = 0; k < KDPINN_ANSWERS; ++k) {
        float y[KDPINN_OUTPUTS];
        or_exit("evaluation", kd_jet(plan, channels, 1, kdpinn_points[k], y, work, NULL));
        for (j = 0; j < KDPINN_OUTPUTS; ++j) {
            const double difference = (double)y[j] - (double)kdpinn_expected[k][j];
            const double off = difference < 0 ? -difference : difference, share = off / (double)kdpinn_permitted[k][j];
            if (!(share <= worst)) worst = share;
            if (!(off <= *error)) *error = off;
        }
    }
    return worst;
}

/* Nanoseconds for the evaluation of one point, over a tenth of a second. */
static void time_evaluations(const kd_plan *plan, const kd_channels *channels, void *work) {
    const clock_t start = clock();
    clock_t now = start;
    double count = 0;
    float y[KDPINN_OUTPUTS];
    while (now - start < CLOCKS_PER_SEC / 10) {
        int k;
        for (k = 0; k < 1000; ++k, ++count)
            if (kd_jet(plan, channels, 1, kdpinn_points[k % KDPINN_ANSWERS], y, work, NULL) != KD_OK) return;
        now = clock();
    }
    printf("nanoseconds %.0f\n", (double)(now - start) / CLOCKS_PER_SEC * 1e9 / count);
}

int main(int count, char **argument) {
    kd_model model;
    kd_plan *plan;
    kd_channels channels = KD_VALUES;
    void *work;
    double worst, error = 0;
    int passed;
    or_exit("model", kd_load(&model, kdpinn_model, sizeof kdpinn_model));
    or_exit("plan", kd_plan_init(&plan, &model, KD_F32, NULL, aligned(kd_plan_size(&model, KD_F32))));
    if (KDPINN_DERIVATIVES) kd_equation_channels(&model, &channels);
    work = aligned(kd_workspace_size(plan, &channels));
    printf("kdpinn %s, %s, %lu parameters\n", kd_version(), kd_plan_isa(plan), (unsigned long)kd_parameter_count(&model));
    passed = selftest(plan, &model);
    worst = replayed(plan, &channels, work, &error);
    printf("error_permille %.0f\nerror_nano %.0f\n", worst < 1e6 ? worst * 1000 + 1 : 1e9, error < 4 ? error * 1e9 : 4e9);
    time_evaluations(plan, &channels, work);
    if (count == 1 + KDPINN_INPUTS) {
        float x[KDPINN_INPUTS], y[KDPINN_OUTPUTS];
        int i;
        for (i = 0; i < KDPINN_INPUTS; ++i) x[i] = (float)atof(argument[1 + i]);
        or_exit("evaluation", kd_jet(plan, &channels, 1, x, y, work, NULL));
        for (i = 0; i < KDPINN_OUTPUTS; ++i) printf("%s = %.9g\n", kdpinn_names[i], (double)y[i]);
    }
    passed = passed && worst <= 1;
    puts(passed ? "passed" : "FAILED");
    return !passed;
}
