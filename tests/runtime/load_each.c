/* Loads the files given on the command line and asks for everything that the loader answers; built
 * by loader_coverage.py, and with sanitizers by test_sanitizers.py: each file lies in a buffer of its
 * exact size. Prints the name of each file's status. */
#include "exercise.h"

static void check_weights(const kd_model *model) {
    const kd_symmetry symmetry = kd_read_symmetry(model);
    uint32_t l;
    size_t k;
    for (l = 0; l < model->count[KD_REC_DENSE]; ++l) {
        const kd_tensor weight = kd_stored(model, &symmetry, l).weight;
        for (k = 0; k < weight.rows * weight.cols; ++k)
            demand(kd_finite(kd_element(&weight, k)), "weights are finite");
    }
}

static void check_arguments(const uint8_t *file, size_t size) {
    kd_model model;
    kd_variable variable;
    demand(kd_load(NULL, file, size) == KD_ARGUMENT, "no room for a model");
    demand(kd_load(&model, NULL, size) == KD_ARGUMENT, "no bytes");
    demand(kd_load(&model, file + 4, size) == KD_MISALIGNED, "bytes that are not aligned");
    if (kd_load(&model, file, size) != KD_OK) return;
    exercise_discovery(&model);
    demand(kd_input(&model, 0, NULL) == KD_ARGUMENT, "no room for a variable");
    demand(kd_data_count(&model) <= 16 && kd_equation_count(&model) <= 16, "counts");
    check_weights(&model);
}

static uint8_t bytes[2 << 20];

int main(int argc, char **argv) {
    int i;
    for (i = 1; i < argc; ++i) {
        FILE *file = fopen(argv[i], "rb");
        kd_model model;
        uint8_t *exact;
        size_t size;
        if (file == NULL) return 2;
        size = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        exact = exactly(size);
        if (size > 0) memcpy(exact, bytes, size);
        puts(kd_status_name(kd_load(&model, exact, size)));
        check_arguments(exact, size);
        free(exact);
    }
    return 0;
}
