/* Throws damaged files at the core; built with sanitizers by test_sanitizers.py.
 *
 *     harness flips FILE     every single-bit flip is refused
 *     harness cuts FILE      every truncation is refused
 *     harness forged FILE    every single-bit flip with the digest made right again is refused, or
 *                            evaluated without touching memory it should not
 * Prints "refused accepted". Exits 1 when something was accepted that should not be.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINTS = 37 };

static void *allocate(size_t size) {
    void *memory = aligned_alloc(KD_ALIGN, (size + KD_ALIGN - 1) / KD_ALIGN * KD_ALIGN);
    if (memory == NULL) exit(3);
    return memory;
}

/* Runs everything that a model can do; the answers may be anything, the memory may not. */
static void use(const kd_model *model) {
    const uint32_t inputs = kd_input_count(model), outputs = kd_output_count(model);
    const size_t columns = kd_data_count(model), equations = kd_equation_count(model);
    kd_channels channels;
    kd_variable variable;
    uint32_t i;
    size_t k;
    kd_equation_channels(model, &channels);
    for (i = 0; i <= inputs; ++i) kd_input(model, i, &variable);
    for (i = 0; i <= outputs; ++i) kd_output(model, i, &variable);
    for (k = 0; kd_isa_name(k) != NULL; ++k) {
        void *memory = allocate(kd_plan_size(model, KD_F64));
        kd_plan *plan;
        if (kd_plan_init(&plan, model, KD_F64, kd_isa_name(k), memory) != KD_OK) exit(4);
        const size_t count = kd_channel_count(plan, &channels);
        void *work = allocate(kd_workspace_size(plan, &channels));
        double *x = calloc(POINTS * inputs, sizeof *x), *jets = calloc(count * POINTS * outputs, sizeof *jets);
        double *data = calloc(POINTS * (columns + 1), sizeof *data), *r = calloc(POINTS * (equations + 1), sizeof *r);
        kd_report report = {0, 0};
        kd_eval_f64(plan, POINTS, x, jets, work, &report);
        kd_jet_f64(plan, &channels, POINTS, x, jets, work, &report);
        kd_residual(model, POINTS, x, jets, columns ? data : NULL, r);
        free(x), free(jets), free(data), free(r), free(work), free(memory);
    }
}

static int load(const uint8_t *bytes, size_t size, int run) {
    kd_model model;
    uint8_t *exact = allocate(size + 1); /* a read past the end lands in the sanitizer's red zone */
    uint8_t *end = exact + (size + KD_ALIGN) / KD_ALIGN * KD_ALIGN - size;
    int accepted;
    end -= (uintptr_t)end % 8;
    memcpy(end, bytes, size);
    accepted = kd_load(&model, end, size) == KD_OK;
    if (accepted && run) use(&model);
    free(exact);
    return accepted;
}

int main(int argc, char **argv) {
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    static uint8_t bytes[1 << 20];
    size_t size, k, refused = 0, accepted = 0;
    int forged;
    if (file == NULL) return 2;
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    if (!load(bytes, size, 1)) return 5;
    forged = strcmp(argv[1], "forged") == 0;
    if (strcmp(argv[1], "cuts") == 0) {
        for (k = 0; k < size; ++k) load(bytes, k, 0) ? ++accepted : ++refused;
    } else {
        for (k = 0; k < 8 * size; ++k) {
            uint8_t kept[32];
            memcpy(kept, bytes + 64, 32);
            bytes[k / 8] ^= (uint8_t)(1u << k % 8);
            if (forged) kd_file_digest(bytes, size, bytes + 64);
            load(bytes, size, forged) ? ++accepted : ++refused;
            memcpy(bytes + 64, kept, 32);
            if (forged || k / 8 < 64 || k / 8 >= 96) bytes[k / 8] ^= (uint8_t)(1u << k % 8);
            if (forged && k / 8 >= 64 && k / 8 < 96) memcpy(bytes + 64, kept, 32);
        }
    }
    printf("%zu %zu\n", refused, accepted);
    return !forged && accepted > 0;
}
