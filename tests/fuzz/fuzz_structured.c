/* libFuzzer target that stays behind the frame: every input is a file whose sizes add up, and most
 * are models that the loader accepts, or that break one rule.
 *
 * Linked with the digest below instead of sha256.c: hashing would take most of the time, and that
 * the digest is checked is what fuzz_raw and the sanitizer tests are for.
 *
 * A mutation takes a file apart, changes one thing, makes the records, shapes and tables fit each
 * other again, and then breaks one field in half of the cases. */
#include "fuzz_load.h"

enum { MOST_RECORDS = 120, MOST_BYTES = 1 << 14, WIDEST = 40 };

typedef struct {
    uint8_t program[MOST_RECORDS * 64], tensors[MOST_BYTES], baseline[MOST_BYTES], card[256];
    size_t records, tensors_size, baseline_size, card_size;
} parts;

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void kd_file_digest(const uint8_t *bytes, size_t size, uint8_t digest[32]) {
    (void)bytes, (void)size;
    memset(digest, 0, 32);
}

static size_t up64(size_t size) { return (size + 63) / 64 * 64; }
static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void put32(uint8_t *p, uint32_t value) {
    int i;
    for (i = 0; i < 4; ++i) p[i] = (uint8_t)(value >> 8 * i);
}
static void put64(uint8_t *p, uint64_t value) { put32(p, (uint32_t)value), put32(p + 4, (uint32_t)(value >> 32)); }
static void put_f64(uint8_t *p, double value) {
    uint64_t bits;
    memcpy(&bits, &value, 8);
    put64(p, bits);
}

/* ---- apart and together ---- */

static void take_apart(const uint8_t *data, size_t size, parts *p) {
    static const uint8_t nothing[128];
    const uint8_t *head = size >= 128 ? data : nothing;
    uint8_t *const to[4] = {p->program, p->card, p->tensors, p->baseline};
    const size_t room[4] = {sizeof p->program, sizeof p->card, MOST_BYTES, MOST_BYTES};
    size_t *const sizes[4] = {&p->records, &p->card_size, &p->tensors_size, &p->baseline_size};
    size_t at = 128;
    int i;
    memset(p, 0, sizeof *p);
    for (i = 0; i < 4; ++i) {
        const size_t claimed = (size_t)least(kd_u64(head + 24 + 8 * i), 1 << 20);
        *sizes[i] = at < size ? least(least(claimed, size - at), room[i]) : 0;
        if (*sizes[i] > 0) memcpy(to[i], data + at, *sizes[i]);
        at += up64(claimed);
    }
    p->records /= 64;
}

/* The file's size, or 0 if it does not fit. */
static size_t put_together(const parts *p, uint8_t *data, size_t max_size) {
    static const uint8_t magic[8] = {0x89, 'K', 'D', 'P', 0x0D, 0x0A, 0x1A, 0x0A};
    const uint8_t *const from[4] = {p->program, p->card, p->tensors, p->baseline};
    const size_t sizes[4] = {p->records * 64, p->card_size, p->tensors_size, p->baseline_size};
    size_t size = 128, at = 128;
    int i;
    for (i = 0; i < 4; ++i) size += up64(sizes[i]);
    if (size > max_size) return 0;
    memset(data, 0, size);
    memcpy(data, magic, 8);
    put32(data + 8, 1), put32(data + 12, 128), put64(data + 16, size);
    for (i = 0; i < 4; ++i) {
        put64(data + 24 + 8 * i, sizes[i]);
        memcpy(data + at, from[i], sizes[i]);
        at += up64(sizes[i]);
    }
    return size;
}

/* ---- records ---- */

static uint8_t *record_at(parts *p, size_t r) { return p->program + 64 * r; }

static size_t count_of(const parts *p, uint32_t kind) {
    size_t r, count = 0;
    for (r = 0; r < p->records; ++r) count += kd_u32(p->program + 64 * r) == kind;
    return count;
}

/* Record `index` of `kind`; NULL if there is none. */
static uint8_t *find(parts *p, uint32_t kind, size_t index) {
    size_t r;
    for (r = 0; r < p->records; ++r)
        if (kd_u32(record_at(p, r)) == kind && index-- == 0) return record_at(p, r);
    return NULL;
}

static void insert(parts *p, size_t at, const uint8_t *record) {
    if (p->records >= MOST_RECORDS) return;
    memmove(record_at(p, at + 1), record_at(p, at), 64 * (p->records - at));
    memcpy(record_at(p, at), record, 64);
    ++p->records;
}

static void drop(parts *p, size_t at) {
    memmove(record_at(p, at), record_at(p, at + 1), 64 * (p->records - at - 1));
    --p->records;
}

/* Exactly `wanted` records of `kind`. */
static void make_count(parts *p, uint32_t kind, size_t wanted) {
    uint8_t fresh[64] = {0};
    size_t r, have = 0;
    for (r = 0; r < p->records; ++r)
        if (kd_u32(record_at(p, r)) == kind && have++ >= wanted) drop(p, r--);
    put32(fresh, kind);
    for (; have < wanted; ++have) insert(p, p->records, fresh);
}

static void sort_and_number(parts *p) {
    uint32_t count[KD_RECORD_KINDS] = {0};
    size_t r, q;
    for (r = 0; r < p->records; ++r) {
        const uint32_t kind = kd_u32(record_at(p, r));
        if (kind == 0 || kind >= KD_RECORD_KINDS) put32(record_at(p, r), KD_REC_TERM);
    }
    for (r = 1; r < p->records; ++r)
        for (q = r; q > 0 && kd_u32(record_at(p, q - 1)) > kd_u32(record_at(p, q)); --q) {
            uint8_t kept[64];
            memcpy(kept, record_at(p, q), 64);
            memcpy(record_at(p, q), record_at(p, q - 1), 64);
            memcpy(record_at(p, q - 1), kept, 64);
        }
    for (r = 0; r < p->records; ++r) put32(record_at(p, r) + 4, count[kd_u32(record_at(p, r))]++);
}

/* ---- what makes the parts a model again ---- */

static void finite_or(uint8_t *at, double otherwise) {
    if (!kd_finite(kd_f64(at))) put_f64(at, otherwise);
}

static void name(uint8_t *record, char letter, size_t index) {
    memset(record + 8, 0, 24);
    record[8] = (uint8_t)letter, record[9] = (uint8_t)('a' + index % 26), record[10] = (uint8_t)('a' + index / 26);
}

static void repair_variables(parts *p, uint32_t kind, char letter) {
    uint8_t *r;
    size_t i;
    for (i = 0; (r = find(p, kind, i)) != NULL; ++i) {
        name(r, letter, i);
        if (kind == KD_REC_EQUATION) {
            memset(r + 36, 0, 4), memset(r + 48, 0, 16);
            if (!(kd_f64(r + 40) > 0)) put_f64(r + 40, 1);
            continue;
        }
        finite_or(r + 48, -1);
        if (kind == KD_REC_PARAMETER) memset(r + 56, 0, 8);
        else if (!kd_finite(kd_f64(r + 56)) || !(kd_f64(r + 48) < kd_f64(r + 56)))
            put_f64(r + 56, kd_f64(r + 48) + 1), put_f64(r + 48, kd_f64(r + 56) - 2);
    }
}

static void repair_scaling(parts *p, uint32_t kind, size_t scale_at, size_t shift_at) {
    uint8_t *r;
    size_t i;
    for (i = 0; (r = find(p, kind, i)) != NULL; ++i) {
        memset(r + 32, 0, 32); /* before that: operations, which repair_map sets */
        finite_or(r + shift_at, 0), finite_or(r + scale_at, 1);
        if (kd_f64(r + scale_at) == 0) put_f64(r + scale_at, 1);
    }
}

/* Positive normal scales, a symmetric grid, and nothing in the bits after the last code. */
static void repair_codes(uint8_t *data, uint32_t type, size_t rows, size_t cols) {
    const kd_tensor t = {data, type, rows, cols};
    const uint32_t bits = kd_code_bits(type), rest = (uint32_t)(rows * cols * bits % 8);
    size_t k;
    for (k = 0; k < rows; ++k) data[4 * k + 3] = (uint8_t)((data[4 * k + 3] & 0x1F) | 0x20);
    for (k = 0; k < rows * cols; ++k)
        if (kd_code(&t, k) == -(1 << (bits - 1))) {
            const size_t sign = (k + 1) * bits - 1;
            data[4 * rows + sign / 8] &= (uint8_t)~(1u << sign % 8);
        }
    if (rest != 0) data[kd_tensor_bytes(type, rows, cols) - 1] &= (uint8_t)((1u << rest) - 1);
}

/* Lays tensor `index` of `section` after the one before it; finite numbers only. */
static void lay(parts *p, size_t index, uint32_t section, uint32_t dtype, size_t rows, size_t cols, int exact) {
    uint8_t *const r = find(p, KD_REC_TENSOR, index), *const data = section ? p->baseline : p->tensors;
    size_t *const end = section ? &p->baseline_size : &p->tensors_size;
    const size_t start = up64(*end), bytes = (size_t)kd_tensor_bytes(dtype, rows, cols);
    size_t k;
    if (r == NULL || start + bytes > MOST_BYTES) return;
    memset(r + 8, 0, 56);
    memset(data + *end, 0, start - *end);
    put32(r + 8, dtype), put32(r + 12, section), put64(r + 16, rows), put64(r + 24, cols);
    put64(r + 32, start), put64(r + 40, bytes);
    if (kd_code_bits(dtype)) repair_codes(data + start, dtype, rows, cols);
    for (k = 0; k < rows * cols && !kd_code_bits(dtype); ++k) {
        uint8_t *const at = data + start + k * (bytes / rows / cols);
        if (dtype == 3) {
            if ((at[1] & 0x7C) == 0x7C) at[1] &= 0x3F;
        } else if (dtype == 1) {
            if (!kd_finite((double)kd_f32(at))) at[3] &= 0x3F;
        } else {
            if (!kd_finite(kd_f64(at))) at[7] &= 0x3F;
            if (exact) put_f64(at, (double)(int16_t)kd_u32(at + 4) / 256);
        }
    }
    *end = start + bytes;
}

/* Operations of earlier ones, and `results` of them for each of the owners' records. */
static void repair_map(parts *p, uint32_t kind, uint32_t owner, size_t results) {
    const uint32_t inputs = (uint32_t)count_of(p, KD_REC_INPUT), count = (uint32_t)count_of(p, kind);
    uint8_t *r;
    uint32_t i;
    size_t k;
    for (i = 0; (r = find(p, kind, i)) != NULL; ++i) {
        uint32_t of = 1 + (kd_u32(r + 16) + 7) % 8;
        if (i == 0 && of > KD_OPERATION_CONSTANT) of = KD_OPERATION_COORDINATE;
        const uint32_t one = of == KD_OPERATION_COORDINATE ? inputs : of == KD_OPERATION_CONSTANT ? 1 : i;
        const uint32_t two = of == KD_OPERATION_ADD || of == KD_OPERATION_MULTIPLY ? i : 1;
        put32(r + 16, of), put32(r + 20, kd_u32(r + 20) % one), put32(r + 24, kd_u32(r + 24) % two);
        if (of == KD_OPERATION_CONSTANT) finite_or(r + 8, 0.5);
        else memset(r + 8, 0, 8);
        memset(r + 28, 0, 36);
    }
    for (i = 0; (r = find(p, owner, i)) != NULL; ++i)
        for (k = 0; k < 2; ++k) {
            uint8_t *const at = r + 24 + 4 * k;
            put32(at, k < results && count > 0 ? kd_u32(at) % count : 0);
        }
}

/* A group of reflections, where the first generator may also change the places of two inputs. */
static void repair_symmetry(parts *p) {
    const uint32_t inputs = (uint32_t)count_of(p, KD_REC_INPUT), outputs = (uint32_t)count_of(p, KD_REC_OUTPUT);
    uint8_t *const r = find(p, KD_REC_SYMMETRY, 0);
    uint8_t *normalize[2];
    uint32_t generators, swap, b, i;
    if (r == NULL) return;
    generators = 1 + (kd_u32(r + 8) + 3) % 4, swap = inputs > 1 && r[24] % 2;
    put32(r + 8, generators), put32(r + 12, 0);
    for (b = 0; b < 4; ++b) {
        uint32_t signs = (kd_u32(r + 16 + 2 * b) & 0xFFFF) & ((1u << inputs) - 1);
        if (swap) signs = (signs & ~2u) | (signs & 1) << 1;
        if (b >= generators) signs = 0;
        r[16 + 2 * b] = (uint8_t)signs, r[17 + 2 * b] = (uint8_t)(signs >> 8);
        memset(r + 24 + 8 * b, 0, 8);
        for (i = 0; i < inputs && b < generators; ++i) {
            const uint32_t from = swap && b == 0 && i < 2 ? 1 - i : i;
            r[24 + 8 * b + i / 2] |= (uint8_t)(from << 4 * (i % 2));
        }
    }
    for (i = 0; i < 16; ++i) {
        const uint32_t keep = i < outputs ? (1u << generators) - 1 : 0;
        uint8_t *const affine = find(p, KD_REC_AFFINE, i);
        r[56 + i / 2] &= (uint8_t)(i % 2 ? 0x0F | keep << 4 : 0xF0 | keep);
        if (affine != NULL && i < outputs && (r[56 + i / 2] >> 4 * (i % 2) & 15)) put_f64(affine + 16, 0);
    }
    normalize[0] = find(p, KD_REC_NORMALIZE, 0), normalize[1] = find(p, KD_REC_NORMALIZE, 1);
    if (swap && normalize[1] != NULL) memcpy(normalize[1] + 8, normalize[0] + 8, 16);
}

/* Zeros for the outputs that change their sign; the bias was laid last. */
static void repair_output_bias(parts *p, size_t outputs, uint32_t dtype) {
    const uint8_t *const r = find(p, KD_REC_SYMMETRY, 0);
    const size_t item = dtype == 1 ? 4 : 8;
    size_t j;
    if (r == NULL || p->tensors_size < outputs * item) return;
    for (j = 0; j < outputs; ++j)
        if (r[56 + j / 2] >> 4 * (j % 2) & 15) memset(p->tensors + p->tensors_size - (outputs - j) * item, 0, item);
}

/* The type of a layer's weight: `dtype`, or beside float32 whatever narrow one its record says. */
static uint32_t weight_type(parts *p, size_t index, uint32_t dtype) {
    const uint8_t *const r = find(p, KD_REC_TENSOR, index);
    const uint32_t said = r ? kd_u32(r + 8) : 0;
    return dtype == 1 && said > 2 && said < KD_TYPES ? said : dtype;
}

static void repair_network(parts *p) {
    const size_t layers = count_of(p, KD_REC_DENSE), inputs = count_of(p, KD_REC_NORMALIZE);
    const size_t outputs = count_of(p, KD_REC_OUTPUT);
    const uint8_t *first = find(p, KD_REC_TENSOR, 0);
    const uint32_t dtype = first && kd_u32(first + 8) == 2 ? 2 : 1;
    const uint8_t *const symmetry = find(p, KD_REC_SYMMETRY, 0);
    const size_t order = symmetry && layers > 1 ? (size_t)1 << (kd_u32(symmetry + 8) & 7) : 1;
    size_t l, n_in = inputs;
    make_count(p, KD_REC_TENSOR, 2 * layers + count_of(p, KD_REC_BASELINE));
    p->tensors_size = 0;
    for (l = 0; l < layers; ++l) {
        uint8_t *const r = find(p, KD_REC_DENSE, l);
        const size_t last = l + 1 == layers, copies = last ? 1 : order, most = WIDEST / order > 0 ? WIDEST / order : 1;
        const size_t n_out = last ? outputs : order * (1 + (kd_u32(r + 16) / order + most - 1) % most);
        memset(r + 28, 0, 36);
        put32(r + 8, last ? 0 : kd_u32(r + 8) % 5), put32(r + 12, (uint32_t)n_in);
        put32(r + 16, (uint32_t)n_out), put32(r + 20, (uint32_t)(2 * l)), put32(r + 24, (uint32_t)(2 * l + 1));
        lay(p, 2 * l, 0, weight_type(p, 2 * l, dtype), n_out / copies, last ? n_in / order : n_in, 0);
        lay(p, 2 * l + 1, 0, dtype, n_out / copies, 1, 0);
        n_in = n_out;
    }
    repair_output_bias(p, outputs, dtype);
}

/* Tables are points, expected and whichever of the others there is room for, in order. */
static void repair_baseline(parts *p, size_t rows) {
    static const uint32_t roles[6][5] = {{0}, {0}, {1, 4}, {1, 2, 4}, {1, 2, 3, 4}, {1, 2, 3, 4, 5}};
    size_t count = count_of(p, KD_REC_BASELINE), t;
    const size_t layers = count_of(p, KD_REC_DENSE);
    if (count == 1 || count > 5) make_count(p, KD_REC_BASELINE, count = count == 1 ? 2 : 5);
    make_count(p, KD_REC_TENSOR, 2 * layers + count);
    p->baseline_size = 0;
    for (t = 0; t < count; ++t) {
        uint8_t *const r = find(p, KD_REC_BASELINE, t);
        const uint32_t role = roles[count][t];
        const size_t cols = role == 1   ? count_of(p, KD_REC_INPUT)
                            : role == 5 ? 1 + kd_u32(r + 8) % 3
                                        : count_of(p, KD_REC_OUTPUT);
        memset(r + 24, 0, 40);
        put32(r + 8, role), put32(r + 12, (uint32_t)(2 * layers + t));
        if (!kd_finite(kd_f64(r + 16)) || kd_f64(r + 16) < 0 || role == 1 || role == 5) put_f64(r + 16, 0);
        lay(p, 2 * layers + t, 1, 2, rows, cols, role == 1);
    }
}

static uint32_t valid_or_coefficient(uint32_t factor, const uint32_t most[7][2]) {
    const uint32_t kind = 1 + (factor >> 24) % 6;
    if (most[kind][0] == 0 || most[kind][1] == 0) return 1u << 24;
    return kind << 24 | (factor >> 12 & 0xFFF) % most[kind][0] << 12 | (factor & 0xFFF) % most[kind][1];
}

static void repair_equations(parts *p) {
    const uint32_t inputs = (uint32_t)count_of(p, KD_REC_INPUT), outputs = (uint32_t)count_of(p, KD_REC_OUTPUT);
    const uint32_t tables = (uint32_t)count_of(p, KD_REC_BASELINE);
    size_t equations = count_of(p, KD_REC_EQUATION), terms = count_of(p, KD_REC_TERM), i, t = 0;
    uint8_t *r;
    if (equations > 3) make_count(p, KD_REC_EQUATION, equations = 3);
    if (equations == 0) make_count(p, KD_REC_TERM, terms = 0);
    if (terms < equations) make_count(p, KD_REC_TERM, terms = equations);
    make_count(p, KD_REC_SECOND, least(count_of(p, KD_REC_SECOND), inputs * (inputs + 1) / 2));
    for (i = 0; (r = find(p, KD_REC_SECOND, i)) != NULL; ++i) { /* pair i of all pairs */
        uint32_t a = 0, b = 0, k;
        for (k = 0; k < i; ++k)
            if (++b == inputs) b = ++a;
        memset(r + 16, 0, 48), put32(r + 8, a), put32(r + 12, b);
    }
    const uint32_t most[7][2] = {{0, 0}, {inputs, 1}, {outputs, 1}, {outputs, inputs}, {outputs, (uint32_t)i},
                                 {(uint32_t)count_of(p, KD_REC_PARAMETER), 1}, {tables == 5, 1}};
    for (i = 0; i < equations; ++i) {
        const size_t own = i + 1 == equations ? terms - t : 1, end = t + own;
        put32(find(p, KD_REC_EQUATION, i) + 32, (uint32_t)own);
        for (; t < end; ++t) {
            uint32_t f, factors;
            r = find(p, KD_REC_TERM, t);
            factors = kd_u32(r + 12) % 11;
            put32(r + 8, (uint32_t)i), put32(r + 12, factors), finite_or(r + 16, 1);
            for (f = 0; f < factors; ++f) put32(r + 24 + 4 * f, valid_or_coefficient(kd_u32(r + 24 + 4 * f), most));
            memset(r + 24 + 4 * factors, 0, 40 - 4 * factors);
        }
    }
}

static void repair_targets(parts *p) {
    uint8_t *r;
    size_t i;
    for (i = 0; (r = find(p, KD_REC_TARGET, i)) != NULL; ++i) {
        memset(r + 32, 0, 32);
        if (!kd_finite(kd_f64(r + 8)) || !(kd_f64(r + 8) > 0)) put_f64(r + 8, 1);
        if (!(kd_f64(r + 16) > 0 && kd_f64(r + 16) < 1)) put_f64(r + 16, 0.5);
        put64(r + 24, 1 + kd_u64(r + 24) % (1 << 24));
    }
}

static void repair(parts *p, uint32_t *state) {
    const uint32_t skip = next_random(state) % 64; /* most often nothing */
    sort_and_number(p);
    make_count(p, KD_REC_INPUT, 1 + (count_of(p, KD_REC_INPUT) + 15) % 16);
    make_count(p, KD_REC_OUTPUT, 1 + (count_of(p, KD_REC_OUTPUT) + 15) % 16);
    make_count(p, KD_REC_DENSE, 1 + (count_of(p, KD_REC_DENSE) + 7) % 8);
    make_count(p, KD_REC_SYMMETRY, least(count_of(p, KD_REC_SYMMETRY), count_of(p, KD_REC_DENSE) > 1));
    if (count_of(p, KD_REC_SYMMETRY) > 0) /* which a file has instead */
        make_count(p, KD_REC_FEATURE, 0), make_count(p, KD_REC_EXACT, 0);
    if (skip != 1)
        make_count(p, KD_REC_NORMALIZE, count_of(p, KD_REC_FEATURE) > 0 ? 1 + (count_of(p, KD_REC_NORMALIZE) + 7) % 8
                                                                        : count_of(p, KD_REC_INPUT));
    if (skip != 2) make_count(p, KD_REC_AFFINE, count_of(p, KD_REC_OUTPUT));
    sort_and_number(p);
    if (skip != 3) repair_variables(p, KD_REC_INPUT, 'x');
    if (skip != 4) repair_variables(p, KD_REC_OUTPUT, 'u');
    if (skip != 5) repair_variables(p, KD_REC_PARAMETER, 'p');
    if (skip != 6) repair_variables(p, KD_REC_EQUATION, 'e');
    if (skip != 7) repair_scaling(p, KD_REC_NORMALIZE, 16, 8);
    if (skip != 8) repair_scaling(p, KD_REC_AFFINE, 8, 16);
    if (skip != 14) repair_map(p, KD_REC_FEATURE, KD_REC_NORMALIZE, 1), repair_map(p, KD_REC_EXACT, KD_REC_AFFINE, 2);
    if (skip != 9) repair_equations(p);
    if (skip != 10) repair_targets(p);
    sort_and_number(p);
    if (skip != 13) repair_symmetry(p);
    if (skip != 11) repair_network(p);
    if (skip != 12) repair_baseline(p, 1 + next_random(state) % 3);
    sort_and_number(p);
}

/* ---- one change ---- */

static void change_field(parts *p, uint32_t *state) {
    static const double numbers[12] = {0, -0.0, 1, -1, 1e-308, 5e-324, 1e30, 1e300, 1.7e308, 1e-40, 3.5e38, 0.5};
    uint8_t *const r = record_at(p, next_random(state) % p->records);
    const uint32_t draw = next_random(state), at = 4 * (draw >> 8 & 15);
    if (draw % 4 == 0) put32(r + at, next_random(state) % 48);
    else if (draw % 4 == 1) put32(r + at, 1u << (draw >> 16 & 31)), r[at] -= (uint8_t)(draw >> 24 & 1);
    else if (draw % 4 == 2) r[draw >> 8 & 63] ^= (uint8_t)(1u << (draw >> 16 & 7));
    else if (at <= 56) put_f64(r + at, numbers[(draw >> 16) % 12]);
}

static void change(parts *p, uint32_t *state) {
    const size_t from = next_random(state) % p->records;
    uint8_t record[64];
    memcpy(record, record_at(p, from), 64);
    switch (next_random(state) % 8) {
    case 0: insert(p, from, record); break;
    case 1: if (p->records > 1) drop(p, from); break;
    case 2: LLVMFuzzerMutate(record_at(p, from) + 8, 56, 56); break;
    case 3: p->tensors_size = LLVMFuzzerMutate(p->tensors, p->tensors_size, MOST_BYTES / 2); break;
    case 4: p->baseline_size = LLVMFuzzerMutate(p->baseline, p->baseline_size, MOST_BYTES / 2); break;
    case 5: p->card_size = LLVMFuzzerMutate(p->card, p->card_size, sizeof p->card); break;
    case 6: /* a new record of any kind */
        put32(record, 1 + next_random(state) % (KD_RECORD_KINDS - 1));
        insert(p, from, record);
        break;
    default: change_field(p, state); break;
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
    static parts p;
    static const uint8_t nothing[64];
    uint32_t state = seed * 2654435761u | 1;
    size_t made;
    take_apart(data, size, &p);
    if (p.records == 0) insert(&p, 0, nothing);
    do change(&p, &state);
    while (next_random(&state) % 4 == 0);
    repair(&p, &state);
    if (next_random(&state) % 2) change_field(&p, &state);
    made = put_together(&p, data, max_size);
    return made ? made : least(size, max_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = exactly(size);
    if (size > 0) memcpy(copy, data, size);
    if (size >= 96) kd_file_digest(copy, size, copy + 64);
    load_and_exercise(copy, size);
    free(copy);
    return 0;
}
