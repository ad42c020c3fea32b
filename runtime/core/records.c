/* The program of a file, its records of 64 bytes: how many there are of each kind, and the names and
 * numbers in them that need no other part of the file. */
#include "internal.h"

enum { MAX_TARGET_POINTS = 1 << 24 };

/* Most records of a kind, and the bytes of a record that the kind uses; the rest is zero. */
static const struct { uint16_t most, used; } limits[KD_RECORD_KINDS] = {
    {0, 0},                        {KD_MAX_INPUTS, 64}, {KD_MAX_OUTPUTS, 64}, {2 * KD_MAX_LAYERS + 5, 48},
    {KD_MAX_FEATURES, 28},           {KD_MAX_LAYERS, 28}, {1, 64},              {KD_MAX_OUTPUTS, 32},
    {KD_MAX_PAIRS, 16},            {64, 56},            {KD_MAX_EQUATIONS, 48}, {256, 64},
    {5, 24},                       {16, 32},            {KD_MAX_OPERATIONS, 28}, {KD_MAX_OPERATIONS, 28}};

/* Sorts the records by kind: finds the first of each and counts them. */
static kd_status index_records(kd_model *m, const kd_sections *s) {
    const size_t records = s->program_size / KD_RECORD_SIZE;
    uint32_t kind = 0;
    size_t r;
    int k;
    for (k = 0; k < KD_RECORD_KINDS; ++k) m->records[k] = s->program, m->count[k] = 0;
    for (r = 0; r < records; ++r) {
        const uint8_t *record = s->program + r * KD_RECORD_SIZE;
        const uint32_t this_kind = kd_u32(record);
        if (this_kind < kind || this_kind == 0 || this_kind >= KD_RECORD_KINDS) return KD_RECORD;
        if (this_kind != kind) m->records[this_kind] = record;
        kind = this_kind;
        if (kd_u32(record + 4) != m->count[kind]++ || m->count[kind] > limits[kind].most) return KD_RECORD;
        if (!kd_all_zero(record + limits[kind].used, record + KD_RECORD_SIZE)) return KD_PADDING;
    }
    if (m->count[KD_REC_INPUT] == 0 || m->count[KD_REC_OUTPUT] == 0 || m->count[KD_REC_DENSE] == 0 ||
        m->count[KD_REC_NORMALIZE] == 0 || m->count[KD_REC_AFFINE] != m->count[KD_REC_OUTPUT])
        return KD_RECORD;
    if (m->count[KD_REC_FEATURE] == 0 && m->count[KD_REC_NORMALIZE] != m->count[KD_REC_INPUT]) return KD_RECORD;
    return KD_OK;
}

static int is_letter(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* An identifier, zero-padded to 24 bytes. */
static int valid_name(const uint8_t *name) {
    int i = 0;
    if (!is_letter(name[0])) return 0;
    while (i < 24 && (is_letter(name[i]) || (name[i] >= '0' && name[i] <= '9'))) ++i;
    return i < 24 && kd_all_zero(name + i, name + 24);
}

/* UTF-8 without zeros inside, zero-padded to 16 bytes. */
static int valid_unit(const uint8_t *unit) {
    int i = 0;
    while (i < 16 && unit[i] != 0) {
        const uint8_t c = unit[i];
        int extra = c < 0x80 ? 0 : c >= 0xC2 && c < 0xE0 ? 1 : (c & 0xF0) == 0xE0 ? 2 : c >= 0xF0 && c < 0xF5 ? 3 : -1;
        if (extra < 0 || i + extra >= 16) return 0;
        if ((c == 0xE0 && unit[i + 1] < 0xA0) || (c == 0xED && unit[i + 1] > 0x9F) ||
            (c == 0xF0 && unit[i + 1] < 0x90) || (c == 0xF4 && unit[i + 1] > 0x8F))
            return 0; /* overlong forms, surrogates, past U+10FFFF */
        for (++i; extra > 0; --extra, ++i)
            if ((unit[i] & 0xC0) != 0x80) return 0;
    }
    return i < 16 && kd_all_zero(unit + i, unit + 16);
}

static int same_name(const uint8_t *a, const uint8_t *b) {
    int i;
    for (i = 0; i < 24; ++i)
        if (a[i] != b[i]) return 0;
    return 1;
}

static kd_status check_names(const kd_model *m) {
    static const int kinds[3] = {KD_REC_INPUT, KD_REC_OUTPUT, KD_REC_PARAMETER};
    const uint8_t *seen[KD_MAX_INPUTS + KD_MAX_OUTPUTS + 64];
    uint32_t names = 0, i, j;
    int k;
    for (k = 0; k < 3; ++k)
        for (i = 0; i < m->count[kinds[k]]; ++i) {
            const uint8_t *record = kd_record(m, kinds[k], i);
            if (!valid_name(record + 8) || !valid_unit(record + 32)) return KD_NAME;
            for (j = 0; j < names; ++j)
                if (same_name(seen[j], record + 8)) return KD_NAME;
            seen[names++] = record + 8;
        }
    for (i = 0; i < m->count[KD_REC_EQUATION]; ++i)
        if (!valid_name(kd_record(m, KD_REC_EQUATION, i) + 8)) return KD_NAME;
    return KD_OK;
}

static kd_status check_values(const kd_model *m) {
    uint32_t i;
    for (i = 0; i < m->count[KD_REC_INPUT]; ++i) {
        const uint8_t *input = kd_record(m, KD_REC_INPUT, i);
        const double lower = kd_f64(input + 48), upper = kd_f64(input + 56);
        if (!kd_finite(lower) || !kd_finite(upper) || !(lower < upper)) return KD_VALUE;
    }
    for (i = 0; i < m->count[KD_REC_NORMALIZE]; ++i) {
        const uint8_t *normalize = kd_record(m, KD_REC_NORMALIZE, i);
        const double scale = kd_f64(normalize + 16);
        if (!kd_finite(kd_f64(normalize + 8)) || !kd_finite(scale) || scale == 0) return KD_VALUE;
    }
    for (i = 0; i < m->count[KD_REC_OUTPUT]; ++i) {
        const uint8_t *output = kd_record(m, KD_REC_OUTPUT, i), *affine = kd_record(m, KD_REC_AFFINE, i);
        const double lower = kd_f64(output + 48), upper = kd_f64(output + 56);
        if (!kd_finite(lower) || !kd_finite(upper) || !(lower <= upper)) return KD_VALUE;
        if (!kd_finite(kd_f64(affine + 8)) || kd_f64(affine + 8) == 0 || !kd_finite(kd_f64(affine + 16)))
            return KD_VALUE;
    }
    for (i = 0; i < m->count[KD_REC_PARAMETER]; ++i)
        if (!kd_finite(kd_f64(kd_record(m, KD_REC_PARAMETER, i) + 48))) return KD_VALUE;
    for (i = 0; i < m->count[KD_REC_TARGET]; ++i) {
        const uint8_t *target = kd_record(m, KD_REC_TARGET, i);
        const double limit = kd_f64(target + 8), quantile = kd_f64(target + 16);
        const uint64_t points = kd_u64(target + 24);
        if (!kd_finite(limit) || !(limit > 0) || !(quantile > 0 && quantile < 1)) return KD_VALUE;
        if (points == 0 || points > MAX_TARGET_POINTS) return KD_VALUE;
    }
    return KD_OK;
}

kd_status kd_check_records(kd_model *m, const kd_sections *s) {
    kd_status status;
    if ((status = index_records(m, s)) != KD_OK) return status;
    if ((status = check_names(m)) != KD_OK) return status;
    return check_values(m);
}
