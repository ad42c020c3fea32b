/* The symmetry that a network's tied layers have: reading it, and checking that it is one. The layout
 * is in docs/format.md; what the symmetry means in docs/derivations/walsh_hadamard.md and
 * docs/derivations/regular_representation.md. */
#include "internal.h"

static uint32_t generators_of(const uint8_t *record) { return kd_u32(record + 8); }
static uint32_t elements_of(const uint8_t *record) { return kd_u32(record + 12); }
static uint32_t sign_of(const uint8_t *record, uint32_t b, uint32_t i) { return record[16 + 2 * b + i / 8] >> i % 8 & 1u; }
static uint8_t nibble(const uint8_t *at, uint32_t i) { return at[i / 2] >> 4 * (i % 2) & 15; }

/* How inputs change places and signs, and which outputs change theirs. */
typedef struct {
    uint32_t inputs;
    uint8_t source[KD_MAX_INPUTS];
    uint16_t negative, odd;
} movement;

static movement unmoved(uint32_t inputs) {
    movement m = {inputs, {0}, 0, 0};
    uint32_t i;
    for (i = 0; i < inputs; ++i) m.source[i] = (uint8_t)i;
    return m;
}

static movement generator_of(const uint8_t *record, uint32_t b, uint32_t inputs) {
    movement m = {inputs, {0}, 0, 0};
    uint32_t i;
    for (i = 0; i < inputs; ++i) {
        m.source[i] = nibble(record + 24 + 8 * b, i);
        m.negative = (uint16_t)(m.negative | sign_of(record, b, i) << i);
    }
    for (i = 0; i < KD_MAX_OUTPUTS; ++i) m.odd = (uint16_t)(m.odd | (nibble(record + 56, i) >> b & 1u) << i);
    return m;
}

/* `other` first, and then this one. */
static movement moved_after(const movement *a, const movement *other) {
    movement m = {a->inputs, {0}, 0, (uint16_t)(a->odd ^ other->odd)};
    uint32_t i;
    for (i = 0; i < a->inputs; ++i) {
        const uint32_t middle = a->source[i], sign = (a->negative >> i ^ other->negative >> middle) & 1u;
        m.source[i] = other->source[middle];
        m.negative = (uint16_t)(m.negative | sign << i);
    }
    return m;
}

static int same_movement(const movement *a, const movement *b) {
    uint32_t i;
    for (i = 0; i < a->inputs; ++i)
        if (a->source[i] != b->source[i]) return 0;
    return a->negative == b->negative && a->odd == b->odd;
}

static movement element_of(const kd_symmetry *s, uint32_t g, uint32_t inputs) {
    movement m = {inputs, {0}, s->negative[g], s->odd[g]};
    uint32_t i;
    for (i = 0; i < inputs; ++i) m.source[i] = s->source[g][i];
    return m;
}

static void append_element(kd_symmetry *s, const movement *m) {
    uint32_t i;
    for (i = 0; i < m->inputs; ++i) s->source[s->order][i] = m->source[i];
    s->negative[s->order] = m->negative, s->odd[s->order] = m->odd;
    ++s->order;
}

/* The number of an element; the group's order if it has none like this. */
static uint32_t position_of(const kd_symmetry *s, const movement *wanted) {
    uint32_t g;
    for (g = 0; g < s->order; ++g) {
        const movement here = element_of(s, g, wanted->inputs);
        if (same_movement(&here, wanted)) break;
    }
    return g;
}

/* `first` after each of the first `count` elements, at the end; 0 if there is no room. */
static int append_coset(kd_symmetry *s, const movement *first, uint32_t count) {
    uint32_t g;
    if (s->order + count > KD_MAX_ORDER) return 0;
    for (g = 0; g < count; ++g) {
        const movement here = element_of(s, g, first->inputs), m = moved_after(first, &here);
        append_element(s, &m);
    }
    return 1;
}

/* The group that the generators make, coset by coset (Dimino's algorithm); 0 if it is too large or a
 * generator follows from those before it. */
static int generate_group(kd_symmetry *s, const uint8_t *record, uint32_t inputs) {
    uint32_t b, c, at, count;
    for (b = 0; b < generators_of(record); ++b) {
        const movement newest = generator_of(record, b, inputs);
        count = s->order;
        if (position_of(s, &newest) < s->order || !append_coset(s, &newest, count)) return 0;
        for (at = count; at < s->order; at += count)
            for (c = 0; c <= b; ++c) {
                const movement first = element_of(s, at, inputs), by = generator_of(record, c, inputs);
                const movement m = moved_after(&by, &first);
                if (position_of(s, &m) == s->order && !append_coset(s, &m, count)) return 0;
            }
    }
    return 1;
}

/* block[g][h] is the number of g h^-1: of the f with f h = g. */
static void fill_blocks(kd_symmetry *s, uint32_t inputs) {
    uint32_t f, h;
    for (f = 0; f < s->order; ++f)
        for (h = 0; h < s->order; ++h) {
            const movement left = element_of(s, f, inputs), right = element_of(s, h, inputs), m = moved_after(&left, &right);
            s->block[position_of(s, &m)][h] = (uint8_t)f;
        }
}

/* Where generators undo themselves and may change places: element g is its highest generator after the
 * rest of it. */
static void generate_doubling(kd_symmetry *s, const uint8_t *record, uint32_t inputs) {
    uint32_t b;
    for (b = 0; b < generators_of(record); ++b) {
        const movement newest = generator_of(record, b, inputs);
        (void)append_coset(s, &newest, s->order);
    }
}

kd_symmetry kd_read_symmetry(const kd_model *m) {
    const uint32_t inputs = m->count[KD_REC_NORMALIZE] < KD_MAX_INPUTS ? m->count[KD_REC_NORMALIZE] : KD_MAX_INPUTS;
    const uint8_t *record = kd_record(m, KD_REC_SYMMETRY, 0);
    const movement one = unmoved(inputs);
    kd_symmetry s;
    uint32_t j;
    s.order = 0, s.written_out = 0;
    for (j = 0; j < KD_MAX_OUTPUTS; ++j) s.character[j] = 0;
    append_element(&s, &one);
    if (m->count[KD_REC_SYMMETRY] == 0) return s;
    for (j = 0; j < KD_MAX_OUTPUTS; ++j) s.character[j] = nibble(record + 56, j);
    if (elements_of(record) == 0) {
        generate_doubling(&s, record, inputs);
        return s;
    }
    s.written_out = 1;
    if (generate_group(&s, record, inputs)) fill_blocks(&s, inputs);
    else s.order = 0;
    return s;
}

/* Every byte is in its range, or zero where the network has no such generator, input or output. */
static kd_status check_ranges(const uint8_t *record, uint32_t inputs, uint32_t outputs) {
    const uint32_t generators = generators_of(record);
    uint32_t b, i;
    if (generators == 0 || generators > KD_MAX_GENERATORS) return KD_SYMMETRY;
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

/* Whether a generator takes every input once, and gives it to one that is scaled alike. */
static int is_movement(const kd_model *m, const movement *g) {
    uint32_t i, taken = 0;
    for (i = 0; i < g->inputs; ++i) {
        const uint8_t *mine = kd_record(m, KD_REC_NORMALIZE, i);
        const uint8_t *other = kd_record(m, KD_REC_NORMALIZE, g->source[i]);
        if (kd_f64(mine + 8) != kd_f64(other + 8) || kd_f64(mine + 16) != kd_f64(other + 16)) return 0;
        taken |= 1u << g->source[i];
    }
    return taken == (1u << g->inputs) - 1;
}

/* Whether generators undo themselves on the inputs and may change places there. */
static int undo_themselves(const uint8_t *record, uint32_t inputs) {
    const movement one = unmoved(inputs);
    uint32_t a, b;
    for (a = 0; a < generators_of(record); ++a)
        for (b = 0; b <= a; ++b) {
            const movement left = generator_of(record, a, inputs), right = generator_of(record, b, inputs);
            const movement forth = moved_after(&left, &right), back = moved_after(&right, &left);
            if (!same_movement(&forth, a == b ? &one : &back)) return 0;
        }
    return 1;
}

static kd_status check_group(const kd_model *m, const uint8_t *record, uint32_t inputs) {
    const uint32_t elements = elements_of(record);
    uint32_t b;
    for (b = 0; b < generators_of(record); ++b) {
        const movement g = generator_of(record, b, inputs);
        if (!is_movement(m, &g)) return KD_SYMMETRY;
    }
    if (undo_themselves(record, inputs)) return elements == 0 ? KD_OK : KD_SYMMETRY;
    return elements != 0 && kd_read_symmetry(m).order == elements ? KD_OK : KD_SYMMETRY;
}

kd_status kd_check_symmetry(const kd_model *m) {
    const uint32_t inputs = m->count[KD_REC_NORMALIZE], outputs = m->count[KD_REC_OUTPUT];
    const uint8_t *record = kd_record(m, KD_REC_SYMMETRY, 0);
    kd_status status;
    uint32_t j;
    if (m->count[KD_REC_SYMMETRY] == 0) return KD_OK;
    if (m->count[KD_REC_DENSE] < 2 || inputs > KD_MAX_INPUTS) return KD_SYMMETRY;
    if ((status = check_ranges(record, inputs, outputs)) != KD_OK) return status;
    if ((status = check_group(m, record, inputs)) != KD_OK) return status;
    for (j = 0; j < outputs; ++j) /* an output that changes its sign is not shifted */
        if (nibble(record + 56, j) != 0 && kd_f64(kd_record(m, KD_REC_AFFINE, j) + 16) != 0) return KD_SYMMETRY;
    return KD_OK;
}
