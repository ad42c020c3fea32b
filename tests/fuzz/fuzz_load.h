/* What both fuzz targets do with a file. */
#ifndef FUZZ_LOAD_H
#define FUZZ_LOAD_H

#include "exercise.h"

enum { MOST_WORK = 1 << 12 }; /* multiply-adds of an execution on one instruction set */

/* Multiply-adds of one point's jet; 0 where the model is too large to be worth a fuzzer's time. */
static size_t work_per_point(const kd_model *model) {
    const size_t operations = (size_t)model->count[KD_REC_FEATURE] + model->count[KD_REC_EXACT];
    const size_t parameters = kd_parameter_count(model) + operations;
    kd_channels channels;
    kd_equation_channels(model, &channels);
    const size_t work = parameters * (2 + kd_input_count(model) + channels.pairs);
    return parameters <= MOST_WORK && work <= MOST_WORK ? work : 0;
}

/* Loads a copy that ends where the file ends; then evaluates a few points on every instruction set. */
static void load_and_exercise(const uint8_t *data, size_t size) {
    static const size_t counts[8] = {1, 2, 3, 5, 9, 17, 33, 67}; /* around vectors and tiles */
    uint8_t *copy = exactly(size);
    kd_model model;
    if (size > 0) memcpy(copy, data, size);
    if (kd_load(&model, copy, size) == KD_OK) {
        const uint32_t seed = (uint32_t)size * 2654435761u + data[size / 2] * 40503u + data[size - 64] + 1;
        const size_t work = work_per_point(&model);
        size_t n = counts[seed >> 8 & 7];
        if (work > 0) {
            if (n * work > MOST_WORK) n = 1 + MOST_WORK / work / 2;
            exercise(&model, -1, seed & 2048 ? KD_F32 : KD_F64, n, seed | 1);
        } else exercise_discovery(&model);
    }
    free(copy);
}

#endif
