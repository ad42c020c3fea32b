/* Elements of a file's tensors, whatever they are stored in: docs/format.md has the number types. */
#include "internal.h"

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
