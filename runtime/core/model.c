/* Checks a model.kdp file and makes a view of it. docs/format.md is the specification; nothing in
 * the file is trusted, and every product of sizes is bounded before it is formed. */
#include "internal.h"

enum { MAX_FILE = 64 << 20, MAX_CARD = 1 << 20, MAX_WIDTH = 4096, MAX_RECORDS = 4096, MAX_POINTS = 1 << 20,
       MAX_DATA = 16, MAX_TARGET_POINTS = 1 << 24 };

/* Most records of a kind, and the bytes of a record that the kind uses; the rest is zero. */
static const struct { uint16_t most, used; } limits[KD_RECORD_KINDS] = {
    {0, 0},                        {KD_MAX_INPUTS, 64}, {KD_MAX_OUTPUTS, 64}, {2 * KD_MAX_LAYERS + 5, 48},
    {KD_MAX_FEATURES, 28},           {KD_MAX_LAYERS, 28}, {1, 64},              {KD_MAX_OUTPUTS, 32},
    {KD_MAX_PAIRS, 16},            {64, 56},            {KD_MAX_EQUATIONS, 48}, {256, 64},
    {5, 24},                       {16, 32},            {KD_MAX_OPERATIONS, 28}, {KD_MAX_OPERATIONS, 28}};

static int all_zero(const uint8_t *from, const uint8_t *to) {
    for (; from < to; ++from)
        if (*from) return 0;
    return 1;
}

static size_t padded(uint64_t size) { return (size_t)((size + 63) / 64 * 64); }

/* ---- the frame: preamble, sections, digest ---- */

typedef struct {
    const uint8_t *program, *card, *tensors, *baseline;
    size_t program_size, card_size, tensors_size, baseline_size;
} sections;

static kd_status check_frame(const uint8_t *bytes, size_t size, sections *s) {
    static const uint8_t magic[8] = {0x89, 'K', 'D', 'P', 0x0D, 0x0A, 0x1A, 0x0A};
    uint64_t sizes[4];
    uint8_t digest[32];
    int i;
    if (size < KD_PREAMBLE_SIZE) return KD_TRUNCATED;
    for (i = 0; i < 8; ++i)
        if (bytes[i] != magic[i]) return KD_MAGIC;
    if (kd_u32(bytes + 8) != 1 || kd_u32(bytes + 12) != KD_PREAMBLE_SIZE) return KD_VERSION;
    if (kd_u64(bytes + 16) > MAX_FILE) return KD_TOO_LARGE;
    if (size < kd_u64(bytes + 16)) return KD_TRUNCATED;
    for (i = 0; i < 4; ++i) {
        sizes[i] = kd_u64(bytes + 24 + 8 * i);
        if (sizes[i] > MAX_FILE) return KD_TOO_LARGE;
    }
    if (sizes[0] > (uint64_t)MAX_RECORDS * KD_RECORD_SIZE || sizes[1] > MAX_CARD) return KD_TOO_LARGE;
    if (size != kd_u64(bytes + 16) || sizes[0] % KD_RECORD_SIZE != 0 ||
        size != KD_PREAMBLE_SIZE + sizes[0] + padded(sizes[1]) + padded(sizes[2]) + padded(sizes[3]))
        return KD_SIZES;
    kd_file_digest(bytes, size, digest);
    for (i = 0; i < 32; ++i)
        if (digest[i] != bytes[64 + i]) return KD_DIGEST;
    s->program = bytes + KD_PREAMBLE_SIZE, s->program_size = (size_t)sizes[0];
    s->card = s->program + sizes[0], s->card_size = (size_t)sizes[1];
    s->tensors = s->card + padded(sizes[1]), s->tensors_size = (size_t)sizes[2];
    s->baseline = s->tensors + padded(sizes[2]), s->baseline_size = (size_t)sizes[3];
    if (!all_zero(bytes + 56, bytes + 64) || !all_zero(bytes + 96, bytes + 128) ||
        !all_zero(s->card + s->card_size, s->tensors) || !all_zero(s->tensors + s->tensors_size, s->baseline) ||
        !all_zero(s->baseline + s->baseline_size, bytes + size))
        return KD_PADDING;
    return KD_OK;
}

/* ---- records ---- */

/* Sorts the records by kind: finds the first of each and counts them. */
static kd_status index_records(kd_model *m, const sections *s) {
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
        if (!all_zero(record + limits[kind].used, record + KD_RECORD_SIZE)) return KD_PADDING;
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
    return i < 24 && all_zero(name + i, name + 24);
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
    return i < 16 && all_zero(unit + i, unit + 16);
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

/* ---- tensors ---- */

static uint32_t section_of(const kd_model *m, uint32_t index) { return kd_u32(kd_record(m, KD_REC_TENSOR, index) + 12); }

static kd_tensor get_tensor(const kd_model *m, uint32_t index) {
    const uint8_t *record = kd_record(m, KD_REC_TENSOR, index);
    const kd_tensor t = {(section_of(m, index) ? m->baseline : m->tensors) + kd_u64(record + 32), kd_u32(record + 8),
                         (size_t)kd_u64(record + 16), (size_t)kd_u64(record + 24)};
    return t;
}

/* The bits that fill up the last byte are zero, the grid is symmetric, no weight is infinite. */
static kd_status check_codes(const kd_tensor *t) {
    const uint32_t bits = kd_code_bits(t->type), rest = (uint32_t)(t->rows * t->cols * bits % 8);
    const int32_t most = (1 << (bits - 1)) - 1;
    const uint8_t last = t->data[kd_tensor_bytes(t->type, t->rows, t->cols) - 1];
    size_t k;
    if (rest != 0 && last >> rest != 0) return KD_PADDING;
    for (k = 0; k < t->rows; ++k) {
        const float scale = kd_scale(t, k), normal = 1.17549435e-38f; /* the smallest one */
        if (!(scale >= normal) || !kd_finite((double)(scale * (float)most))) return KD_VALUE;
    }
    for (k = 0; k < t->rows * t->cols; ++k)
        if (kd_code(t, k) < -most) return KD_VALUE;
    return KD_OK;
}

static kd_status check_numbers(const kd_tensor *t) {
    size_t k;
    if (kd_code_bits(t->type) != 0) return check_codes(t);
    for (k = 0; k < t->rows * t->cols; ++k)
        if (!kd_finite(kd_element(t, k))) return KD_VALUE;
    return KD_OK;
}

/* Tensors lie one after the other, 64-aligned, with nothing but zeros between them. */
static kd_status check_tensors(const kd_model *m, const sections *s) {
    size_t end[2] = {0, 0};
    uint32_t i;
    size_t start, room;
    kd_status status;
    for (i = 0; i < m->count[KD_REC_TENSOR]; ++i) {
        const uint8_t *record = kd_record(m, KD_REC_TENSOR, i);
        const uint32_t type = kd_u32(record + 8), section = kd_u32(record + 12);
        const uint64_t rows = kd_u64(record + 16), cols = kd_u64(record + 24), bytes = kd_u64(record + 40);
        kd_tensor t;
        if (type == 0 || type >= KD_TYPES) return KD_DTYPE;
        if (section > 1 || rows == 0 || cols == 0) return KD_TENSOR;
        if (rows > MAX_POINTS || cols > MAX_WIDTH) return KD_TOO_LARGE;
        if (bytes != kd_tensor_bytes(type, rows, cols) || kd_u64(record + 32) != padded(end[section])) return KD_TENSOR;
        start = padded(end[section]), room = section ? s->baseline_size : s->tensors_size;
        if (start > room || bytes > room - start) return KD_TENSOR;
        t = get_tensor(m, i);
        if (!all_zero((section ? s->baseline : s->tensors) + end[section], t.data)) return KD_PADDING;
        end[section] = start + (size_t)bytes;
        if ((status = check_numbers(&t)) != KD_OK) return status;
    }
    return end[0] == s->tensors_size && end[1] == s->baseline_size ? KD_OK : KD_TENSOR;
}

/* Index of the first tensor of `section` at or after `from`, or the number of tensors. */
static uint32_t next_tensor(const kd_model *m, uint32_t from, uint32_t section) {
    while (from < m->count[KD_REC_TENSOR] && section_of(m, from) != section) ++from;
    return from;
}

/* An output that changes its sign has no bias. */
static int free_of_bias(const kd_symmetry *s, const kd_tensor *bias) {
    size_t j;
    for (j = 0; j < bias->rows; ++j)
        if (s->character[j] != 0 && kd_element(bias, j) != 0) return 0;
    return 1;
}

/* Biases are all f32 or all f64; weights have the same type, or a narrow one beside f32. */
static int types_fit(uint32_t type, const kd_tensor *weight, const kd_tensor *bias) {
    if (bias->type > KD_TYPE_F64 || bias->type != type) return 0;
    return weight->type == type || (type == KD_TYPE_F32 && weight->type > KD_TYPE_F64);
}

/* Layers use the tensors of section 0 in order, each once: weight, bias, weight, bias, ... */
static kd_status check_layers(const kd_model *m) {
    const kd_symmetry symmetry = kd_read_symmetry(m);
    const uint32_t layers = m->count[KD_REC_DENSE];
    uint32_t width = m->count[KD_REC_NORMALIZE], l, type = 0, next = next_tensor(m, 0, 0);
    for (l = 0; l < layers; ++l) {
        const uint8_t *record = kd_record(m, KD_REC_DENSE, l);
        const uint32_t activation = kd_u32(record + 8), n_in = kd_u32(record + 12), n_out = kd_u32(record + 16);
        const uint32_t weight = kd_u32(record + 20), bias = kd_u32(record + 24), last = l + 1 == layers;
        kd_stored_layer layer;
        kd_tensor w, b;
        if (activation >= KD_ACTIVATIONS || n_in != width || n_out == 0) return KD_LAYER;
        if (n_out > MAX_WIDTH) return KD_TOO_LARGE;
        if (!last && n_out % symmetry.order != 0) return KD_SYMMETRY;
        if (weight >= m->count[KD_REC_TENSOR] || bias >= m->count[KD_REC_TENSOR]) return KD_LAYER;
        if (weight != next || bias != next_tensor(m, weight + 1, 0)) return KD_LAYER;
        next = next_tensor(m, bias + 1, 0);
        w = get_tensor(m, weight), b = get_tensor(m, bias);
        if (l == 0) type = b.type;
        if (!types_fit(type, &w, &b)) return KD_LAYER;
        layer = kd_stored(m, &symmetry, l);
        if (w.rows != layer.n_out || w.cols != layer.sets * layer.n_in) return KD_LAYER;
        if (b.rows != layer.n_out || b.cols != 1) return KD_LAYER;
        if (last && n_out == m->count[KD_REC_OUTPUT] && !free_of_bias(&symmetry, &b)) return KD_SYMMETRY;
        width = n_out;
    }
    if (width != m->count[KD_REC_OUTPUT] || kd_u32(kd_record(m, KD_REC_DENSE, layers - 1) + 8) != KD_IDENTITY)
        return KD_LAYER;
    return next == m->count[KD_REC_TENSOR] ? KD_OK : KD_LAYER;
}

kd_stored_layer kd_stored(const kd_model *m, const kd_symmetry *symmetry, uint32_t l) {
    const uint8_t *record = kd_record(m, KD_REC_DENSE, l);
    const kd_tensor w = get_tensor(m, kd_u32(record + 20)), b = get_tensor(m, kd_u32(record + 24));
    const uint32_t first = l == 0, last = l + 1 == m->count[KD_REC_DENSE];
    const uint32_t fed = first ? 1 : symmetry->order, copies = last ? 1 : symmetry->order;
    const kd_stored_layer layer = {kd_u32(record + 12) / fed, kd_u32(record + 16) / copies, kd_u32(record + 8), copies,
                                   fed < copies ? fed : copies, w, b, first, last, NULL};
    return layer;
}

/* ---- functions of the coordinates ---- */

static int valid_operation(const kd_model *m, const uint8_t *record, uint32_t index) {
    const uint32_t kind = kd_u32(record + 16), a = kd_u32(record + 20), b = kd_u32(record + 24);
    if (kind != KD_OPERATION_CONSTANT && kd_u64(record + 8) != 0) return 0;
    switch (kind) {
    case KD_OPERATION_COORDINATE: return a < m->count[KD_REC_INPUT] && b == 0;
    case KD_OPERATION_CONSTANT: return a == 0 && b == 0;
    case KD_OPERATION_ADD:
    case KD_OPERATION_MULTIPLY: return a < index && b < index;
    default: return kind > 0 && kind < KD_OPERATIONS && a < index && b == 0;
    }
}

/* The operations of one kind of record, and the `results` indices of them, from byte 24 on, that each
 * of the `owner` records has. */
static kd_status check_map(const kd_model *m, int kind, int owner, uint32_t results) {
    const uint32_t count = m->count[kind];
    uint32_t k, r;
    for (k = 0; k < count; ++k) {
        const uint8_t *record = kd_record(m, kind, k);
        if (!kd_finite(kd_f64(record + 8))) return KD_VALUE;
        if (!valid_operation(m, record, k)) return KD_MAP;
    }
    for (k = 0; k < m->count[owner]; ++k)
        for (r = 0; r < results; ++r) {
            const uint32_t operation = kd_u32(kd_record(m, owner, k) + 24 + 4 * r);
            if (count == 0 && operation != 0) return KD_PADDING;
            if (count != 0 && operation >= count) return KD_MAP;
        }
    return KD_OK;
}

/* ---- the equations ---- */

static int valid_factor(const kd_model *m, uint32_t factor, uint32_t data_columns) {
    const uint32_t a = factor >> 12 & 0xFFF, b = factor & 0xFFF;
    switch (factor >> 24) {
    case KD_FACTOR_COORDINATE: return a < m->count[KD_REC_INPUT] && b == 0;
    case KD_FACTOR_VALUE: return a < m->count[KD_REC_OUTPUT] && b == 0;
    case KD_FACTOR_FIRST: return a < m->count[KD_REC_OUTPUT] && b < m->count[KD_REC_INPUT];
    case KD_FACTOR_SECOND: return a < m->count[KD_REC_OUTPUT] && b < m->count[KD_REC_SECOND];
    case KD_FACTOR_PARAMETER: return a < m->count[KD_REC_PARAMETER] && b == 0;
    case KD_FACTOR_DATA: return a < data_columns && b == 0;
    default: return 0;
    }
}

static kd_status check_equations(const kd_model *m, uint32_t data_columns) {
    uint32_t e, t = 0, i, j, f;
    for (i = 0; i < m->count[KD_REC_SECOND]; ++i) {
        const uint8_t *pair = kd_record(m, KD_REC_SECOND, i);
        if (kd_u32(pair + 8) > kd_u32(pair + 12) || kd_u32(pair + 12) >= m->count[KD_REC_INPUT]) return KD_RESIDUAL;
        for (j = 0; j < i; ++j)
            if (kd_u64(kd_record(m, KD_REC_SECOND, j) + 8) == kd_u64(pair + 8)) return KD_RESIDUAL;
    }
    for (e = 0; e < m->count[KD_REC_EQUATION]; ++e) {
        const uint8_t *equation = kd_record(m, KD_REC_EQUATION, e);
        const uint32_t terms = kd_u32(equation + 32);
        const double limit = kd_f64(equation + 40);
        if (!all_zero(equation + 36, equation + 40)) return KD_PADDING;
        if (!kd_finite(limit) || !(limit > 0)) return KD_VALUE;
        if (terms == 0 || terms > m->count[KD_REC_TERM] - t) return KD_RESIDUAL;
        for (i = 0; i < terms; ++i, ++t) {
            const uint8_t *term = kd_record(m, KD_REC_TERM, t);
            const uint32_t factors = kd_u32(term + 12);
            if (kd_u32(term + 8) != e || factors > KD_MAX_FACTORS) return KD_RESIDUAL;
            if (!kd_finite(kd_f64(term + 16))) return KD_VALUE;
            for (f = 0; f < factors; ++f)
                if (!valid_factor(m, kd_u32(term + 24 + 4 * f), data_columns)) return KD_RESIDUAL;
            if (!all_zero(term + 24 + 4 * factors, term + KD_RECORD_SIZE)) return KD_PADDING;
        }
    }
    return t == m->count[KD_REC_TERM] ? KD_OK : KD_RESIDUAL;
}

/* ---- the baseline ---- */

static int exact_in_f32(double a) {
    const double largest = 3.4028234663852886e38; /* beyond it the conversion is undefined */
    return a >= -largest && a <= largest && (double)(float)a == a;
}

static kd_status check_baseline(const kd_model *m, uint32_t *data_columns) {
    uint32_t i, last = 0, roles = 0, next = next_tensor(m, 0, 1);
    size_t points = 0, k;
    *data_columns = 0;
    for (i = 0; i < m->count[KD_REC_BASELINE]; ++i) {
        const uint8_t *record = kd_record(m, KD_REC_BASELINE, i);
        const uint32_t role = kd_u32(record + 8), index = kd_u32(record + 12);
        const double limit = kd_f64(record + 16);
        const int gated = role == KD_ROLE_REFERENCE || role == KD_ROLE_TEACHER || role == KD_ROLE_EXPECTED;
        kd_tensor t;
        if (role <= last || role > KD_ROLE_DATA || index >= m->count[KD_REC_TENSOR]) return KD_BASELINE;
        if (!kd_finite(limit) || limit < 0 || (!gated && limit != 0)) return KD_VALUE;
        t = get_tensor(m, index);
        if (index != next || t.type != KD_TYPE_F64) return KD_BASELINE;
        next = next_tensor(m, index + 1, 1);
        if (role == KD_ROLE_POINTS) points = t.rows;
        if (t.rows != points || t.cols > MAX_DATA) return KD_BASELINE;
        if (role == KD_ROLE_POINTS ? t.cols != m->count[KD_REC_INPUT] : gated && t.cols != m->count[KD_REC_OUTPUT])
            return KD_BASELINE;
        for (k = 0; role == KD_ROLE_POINTS && k < t.rows * t.cols; ++k)
            if (!exact_in_f32(kd_element(&t, k))) return KD_BASELINE;
        if (role == KD_ROLE_DATA) *data_columns = (uint32_t)t.cols;
        last = role;
        roles |= 1u << role;
    }
    if (!(roles & 1u << KD_ROLE_POINTS) != !(roles & 1u << KD_ROLE_EXPECTED)) return KD_BASELINE;
    return next == m->count[KD_REC_TENSOR] ? KD_OK : KD_BASELINE;
}

kd_status kd_load(kd_model *m, const void *bytes, size_t size) {
    sections s;
    uint32_t data_columns;
    kd_status status;
    if (m == NULL || bytes == NULL) return KD_ARGUMENT;
    if ((uintptr_t)bytes % 8 != 0) return KD_MISALIGNED;
    if ((status = check_frame((const uint8_t *)bytes, size, &s)) != KD_OK) return status;
    m->bytes = (const uint8_t *)bytes, m->size = size, m->tensors = s.tensors, m->baseline = s.baseline;
    if ((status = index_records(m, &s)) != KD_OK) return status;
    if ((status = check_names(m)) != KD_OK) return status;
    if ((status = check_values(m)) != KD_OK) return status;
    if ((status = check_tensors(m, &s)) != KD_OK) return status;
    if ((status = kd_check_symmetry(m)) != KD_OK) return status;
    if ((status = check_layers(m)) != KD_OK) return status;
    if ((status = check_map(m, KD_REC_FEATURE, KD_REC_NORMALIZE, 1)) != KD_OK) return status;
    if ((status = check_map(m, KD_REC_EXACT, KD_REC_AFFINE, 2)) != KD_OK) return status;
    if ((status = check_baseline(m, &data_columns)) != KD_OK) return status;
    return check_equations(m, data_columns);
}

/* ---- discovery ---- */

static kd_status variable(const kd_model *m, int kind, uint32_t index, kd_variable *out) {
    const uint8_t *record;
    int i;
    if (index >= m->count[kind] || out == NULL) return KD_ARGUMENT;
    record = kd_record(m, kind, index);
    for (i = 0; i < 24; ++i) out->name[i] = (char)record[8 + i];
    for (i = 0; i < 16; ++i) out->unit[i] = (char)record[32 + i];
    out->lower = kd_f64(record + 48), out->upper = kd_f64(record + 56);
    return KD_OK;
}

uint32_t kd_input_count(const kd_model *m) { return m->count[KD_REC_INPUT]; }
uint32_t kd_output_count(const kd_model *m) { return m->count[KD_REC_OUTPUT]; }
kd_status kd_input(const kd_model *m, uint32_t i, kd_variable *out) { return variable(m, KD_REC_INPUT, i, out); }
kd_status kd_output(const kd_model *m, uint32_t i, kd_variable *out) { return variable(m, KD_REC_OUTPUT, i, out); }

uint32_t kd_parameter_count(const kd_model *m) {
    const kd_symmetry symmetry = kd_read_symmetry(m);
    uint32_t l, sum = 0;
    for (l = 0; l < m->count[KD_REC_DENSE]; ++l) {
        const kd_stored_layer layer = kd_stored(m, &symmetry, l);
        sum += (layer.sets * layer.n_in + 1) * layer.n_out;
    }
    return sum;
}

kd_table kd_baseline_table(const kd_model *m, uint32_t role) {
    kd_table table = {NULL, 0, 0, 0};
    uint32_t i;
    for (i = 0; i < m->count[KD_REC_BASELINE]; ++i) {
        const uint8_t *record = kd_record(m, KD_REC_BASELINE, i);
        if (kd_u32(record + 8) == role) {
            const kd_tensor t = get_tensor(m, kd_u32(record + 12));
            table.data = t.data, table.rows = t.rows, table.cols = t.cols, table.limit = kd_f64(record + 16);
        }
    }
    return table;
}

uint32_t kd_data_count(const kd_model *m) { return (uint32_t)kd_baseline_table(m, KD_ROLE_DATA).cols; }
