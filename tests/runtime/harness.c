/* Throws damaged files at the core; built with sanitizers by test_sanitizers.py.
 *
 *     harness flips FILE     every single-bit flip is refused
 *     harness cuts FILE      every truncation is refused
 *     harness forged FILE    every single-bit flip with the digest made right again is refused, or
 *                            evaluated without touching memory it should not
 * Prints "refused accepted". Exits 1 when something was accepted that should not be.
 */
#include "exercise.h"

static int load(const uint8_t *bytes, size_t size, size_t bit, int run) {
    kd_model model;
    uint8_t *exact = exactly(size); /* a read past the end lands in the sanitizer's red zone */
    int accepted;
    if (size > 0) memcpy(exact, bytes, size);
    accepted = kd_load(&model, exact, size) == KD_OK;
    if (accepted && run) { /* one instruction set, precision and number of points per bit, in turn */
        size_t isas = 0;
        while (kd_isa_name(isas) != NULL) ++isas;
        exercise(&model, (int)(bit % isas), bit / isas % 2 ? KD_F32 : KD_F64, 1 + bit % 7 * 3, (uint32_t)bit + 1);
    }
    free(exact);
    return accepted;
}

static uint8_t bytes[1 << 20];

/* Flips every bit in turn; `forged` makes the digest right again. */
static void flip(size_t size, int forged, size_t *refused, size_t *accepted) {
    uint8_t kept[32];
    size_t k;
    memcpy(kept, bytes + 64, 32);
    for (k = 0; k < 8 * size; ++k) {
        const uint8_t before = bytes[k / 8];
        bytes[k / 8] ^= (uint8_t)(1u << k % 8);
        if (forged) kd_file_digest(bytes, size, bytes + 64);
        load(bytes, size, k, forged) ? ++*accepted : ++*refused;
        bytes[k / 8] = before;
        memcpy(bytes + 64, kept, 32);
    }
}

int main(int argc, char **argv) {
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    size_t size, k, refused = 0, accepted = 0;
    int forged;
    if (file == NULL) return 2;
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    if (!load(bytes, size, 0, 1)) return 5;
    forged = strcmp(argv[1], "forged") == 0;
    if (strcmp(argv[1], "cuts") == 0)
        for (k = 0; k < size; ++k) load(bytes, k, 0, 0) ? ++accepted : ++refused;
    else flip(size, forged, &refused, &accepted);
    printf("%zu %zu\n", refused, accepted);
    return !forged && accepted > 0;
}
