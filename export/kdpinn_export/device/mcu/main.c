/* Replays the known answers of the model; the last line says `passed` or `FAILED`. */
#include "kdpinn_mcu.h"

#include "answers.h"
#include "board.h"

enum { REPEATS = 100 };

static float magnitude(float a) { return a < 0 ? -a : a; }

/* Largest error as a share of what is permitted; a NaN is larger than anything. error: in the output's
 * unit. */
static float replayed(float *error) {
    float worst = 0, y[KDPINN_OUTPUTS];
    int k, j;
    for (k = 0; k < KDPINN_ANSWERS; ++k) {
        kdpinn_eval(kdpinn_points[k], y);
        for (j = 0; j < KDPINN_OUTPUTS; ++j) {
            const float off = magnitude(y[j] - kdpinn_expected[k][j]), share = off / kdpinn_permitted[k][j];
            if (!(share <= worst)) worst = share;
            if (!(off <= *error)) *error = off;
        }
    }
    return worst;
}

int main(void) {
    volatile float sink;
    float y[KDPINN_OUTPUTS], worst, error = 0;
    uint32_t start, empty;
    int k;
    board_begin();
    worst = replayed(&error);
    /* Whole numbers, for want of a printf. */
    board_say("error_permille", worst < 1e6f ? (uint32_t)(worst * 1000 + 1) : 1000000000u);
    board_say("error_nano", error < 4 ? (uint32_t)(error * 1e9f) : 4000000000u);
    board_say("stack_bytes", board_stack());
    for (k = 0, start = board_clock(); k < REPEATS; ++k) sink = kdpinn_points[k % KDPINN_ANSWERS][0];
    empty = board_clock() - start;
    for (k = 0, start = board_clock(); k < REPEATS; ++k) {
        kdpinn_eval(kdpinn_points[k % KDPINN_ANSWERS], y);
        sink = y[0];
    }
    board_say("ticks", board_clock() - start - empty);
    board_say("evaluations", REPEATS);
    (void)sink;
    board_end(worst <= 1);
    return worst <= 1 ? 0 : 1;
}
