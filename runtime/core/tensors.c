/* A file's tensors: their elements, whatever they are stored in, and the checks of what is stored.
 * docs/format.md has the number types. */
#include "internal.h"

enum { MAX_ROWS = 1 << 20 }; /* points of the baseline; layers are narrower */

uint32_t kd_code_bits(uint32_t type) {
    static const uint8_t bits[KD_TYPES] = {0, 0, 0, 0, 8, 16, 12, 6, 4};
    return bits[type];
}

uint64_t kd_tensor_bytes(uint32_t type, uint64_t rows, uint64_t cols) {
    const uint32_t bits = kd_code_bits(type);
    if (bits != 0) return 4 * rows + (rows * cols * bits + 7) / 8; /* the scales, then the codes */
    return rows * cols * (type == KD_TYPE_F64 ? 8 : type == KD_TYPE_F32 ? 4 : 2);
}

float kd_f16(const uint8_t *p) {
    const uint32_t half = (uint32_t)p[0] | (uint32_t)p[1] << 8, size = half & 0x7FFF;
    union { uint32_t bits; float value; } u;
    if (size < 0x0400) { /* subnormal here, not in float32 */
        u.value = (float)size * 5.9604644775390625e-8f; /* 2^-24 */
        return half >> 15 ? -u.value : u.value;
    }
    u.bits = (size << 13) + (size < 0x7C00 ? 112u << 23 : 0x7F800000u - (0x7C00u << 13));
    u.bits |= (half & 0x8000) << 16;
    return u.value;
}

float kd_scale(const kd_tensor *t, size_t row) { return kd_f32(t->data + 4 * row); }

int32_t kd_code(const kd_tensor *t, size_t k) {
    const uint32_t bits = kd_code_bits(t->type), half = 1u << (bits - 1);
    const size_t bit = k * bits;
    const uint8_t *const at = t->data + 4 * t->rows + bit / 8;
    const uint32_t shift = bit % 8;
    uint32_t raw = at[0];
    if (shift + bits > 8) raw |= (uint32_t)at[1] << 8;
    return (int32_t)((raw >> shift & (2 * half - 1)) ^ half) - (int32_t)half;
}

/* Integer types: the product is rounded once, to a float, as everywhere else. */
double kd_element(const kd_tensor *t, size_t k) {
    switch (t->type) {
    case KD_TYPE_F64: return kd_f64(t->data + 8 * k);
    case KD_TYPE_F32: return (double)kd_f32(t->data + 4 * k);
    case KD_TYPE_F16: return (double)kd_f16(t->data + 2 * k);
    default: return (double)((float)kd_code(t, k) * kd_scale(t, k / t->cols));
    }
}

/* ---- checks ---- */

static uint32_t section_of(const kd_model *m, uint32_t index) { return kd_u32(kd_record(m, KD_REC_TENSOR, index) + 12); }

kd_tensor kd_get_tensor(const kd_model *m, uint32_t index) {
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
kd_status kd_check_tensors(const kd_model *m, const kd_sections *s) {
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
        if (rows > MAX_ROWS || cols > KD_MAX_WIDTH) return KD_TOO_LARGE;
        if (bytes != kd_tensor_bytes(type, rows, cols) || kd_u64(record + 32) != kd_aligned(end[section])) return KD_TENSOR;
        start = kd_aligned(end[section]), room = section ? s->baseline_size : s->tensors_size;
        if (start > room || bytes > room - start) return KD_TENSOR;
        t = kd_get_tensor(m, i);
        if (!kd_all_zero((section ? s->baseline : s->tensors) + end[section], t.data)) return KD_PADDING;
        end[section] = start + (size_t)bytes;
        if ((status = check_numbers(&t)) != KD_OK) return status;
    }
    return end[0] == s->tensors_size && end[1] == s->baseline_size ? KD_OK : KD_TENSOR;
}

uint32_t kd_next_tensor(const kd_model *m, uint32_t from, uint32_t section) {
    while (from < m->count[KD_REC_TENSOR] && section_of(m, from) != section) ++from;
    return from;
}
