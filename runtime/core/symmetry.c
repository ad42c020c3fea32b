/* The symmetry that a network's tied layers have: reading it, and checking that it is one. The
 * layout is in docs/format.md, what the symmetry means in docs/derivations/walsh_hadamard.md. */
#include "internal.h"

static uint32_t generators_of(const uint8_t *record) { return kd_u32(record + 8); }
static uint32_t sign_of(const uint8_t *record, uint32_t b, uint32_t i) { return record[16 + 2 * b + i / 8] >> i % 8 & 1u; }
static uint8_t nibble(const uint8_t *at, uint32_t i) { return at[i / 2] >> 4 * (i % 2) & 15; }

/* Element g is its highest generator after the rest of it. */
static void compose(kd_symmetry *s, const uint8_t *record, uint32_t g, uint32_t inputs) {
    uint32_t b = 0, rest, i;
    while (g >> (b + 1)) ++b;
    rest = g & ~(1u << b);
    s->negative[g] = 0;
    for (i = 0; i < inputs; ++i) {
        const uint32_t from = nibble(record + 24 + 8 * b, i);
        const uint32_t sign = sign_of(record, b, i) ^ (s->negative[rest] >> from & 1u);
        s->source[g][i] = s->source[rest][from];
        s->negative[g] = (uint16_t)(s->negative[g] | sign << i);
    }
}

kd_symmetry kd_read_symmetry(const kd_model *m) {
    const uint32_t inputs = m->count[KD_REC_INPUT], outputs = m->count[KD_REC_OUTPUT];
    const uint8_t *record = kd_record(m, KD_REC_SYMMETRY, 0);
    kd_symmetry s;
    uint32_t g, i;
    s.order = m->count[KD_REC_SYMMETRY] ? 1u << generators_of(record) : 1;
    s.negative[0] = 0;
    for (i = 0; i < inputs; ++i) s.source[0][i] = (uint8_t)i;
    for (i = 0; i < outputs; ++i) s.character[i] = s.order > 1 ? nibble(record + 56, i) : 0;
    for (g = 1; g < s.order; ++g) compose(&s, record, g, inputs);
    return s;
}

/* Every byte is in its range, or zero where the network has no such generator, input or output. */
static kd_status check_ranges(const uint8_t *record, uint32_t inputs, uint32_t outputs) {
    const uint32_t generators = generators_of(record);
    uint32_t b, i;
    if (generators == 0 || generators > KD_MAX_GENERATORS) return KD_SYMMETRY;
    if (kd_u32(record + 12) != 0) return KD_PADDING;
    for (b = 0; b < KD_MAX_GENERATORS; ++b)
        for (i = 0; i < KD_MAX_INPUTS; ++i) {
            const uint8_t from = nibble(record + 24 + 8 * b, i);
            if ((b >= generators || i >= inputs) && (from != 0 || sign_of(record, b, i))) return KD_PADDING;
            if (from >= inputs) return KD_SYMMETRY;
        }
    for (i = 0; i < KD_MAX_OUTPUTS; ++i) {
        const uint8_t character = nibble(record + 56, i);
        if (i >= outputs && character != 0) return KD_PADDING;
        if (character >> generators) return KD_SYMMETRY;
    }
    return KD_OK;
}

/* Where a after b takes input i from, and with which sign. */
static uint32_t image(const kd_symmetry *s, uint32_t a, uint32_t b, uint32_t i) {
    const uint32_t middle = s->source[a][i];
    return 2u * s->source[b][middle] + ((s->negative[a] >> i ^ s->negative[b] >> middle) & 1u);
}

/* Generators undo themselves and may change places; inputs that change places are scaled alike. */
static int is_group(const kd_model *m, const kd_symmetry *s) {
    uint32_t a, b, i;
    for (a = 1; a < s->order; a *= 2)
        for (i = 0; i < m->count[KD_REC_INPUT]; ++i) {
            const uint8_t *mine = kd_record(m, KD_REC_NORMALIZE, i);
            const uint8_t *other = kd_record(m, KD_REC_NORMALIZE, s->source[a][i]);
            if (image(s, a, a, i) != 2 * i) return 0;
            for (b = 1; b < a; b *= 2)
                if (image(s, a, b, i) != image(s, b, a, i)) return 0;
            if (kd_f64(mine + 8) != kd_f64(other + 8) || kd_f64(mine + 16) != kd_f64(other + 16)) return 0;
        }
    return 1;
}

kd_status kd_check_symmetry(const kd_model *m) {
    const uint32_t inputs = m->count[KD_REC_INPUT], outputs = m->count[KD_REC_OUTPUT];
    kd_symmetry s;
    kd_status status;
    uint32_t j;
    if (m->count[KD_REC_SYMMETRY] == 0) return KD_OK;
    if (m->count[KD_REC_FEATURE] != 0 || m->count[KD_REC_EXACT] != 0) return KD_SYMMETRY;
    if ((status = check_ranges(kd_record(m, KD_REC_SYMMETRY, 0), inputs, outputs)) != KD_OK) return status;
    s = kd_read_symmetry(m);
    if (m->count[KD_REC_DENSE] < 2 || !is_group(m, &s)) return KD_SYMMETRY;
    for (j = 0; j < outputs; ++j) /* an output that changes its sign is not shifted */
        if (s.character[j] != 0 && kd_f64(kd_record(m, KD_REC_AFFINE, j) + 16) != 0) return KD_SYMMETRY;
    return KD_OK;
}
