/* The network of a file: layers that chain, and functions of the coordinates around them. */
#include "internal.h"

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
kd_status kd_check_layers(const kd_model *m) {
    const kd_symmetry symmetry = kd_read_symmetry(m);
    const uint32_t layers = m->count[KD_REC_DENSE];
    uint32_t width = m->count[KD_REC_NORMALIZE], l, type = 0, next = kd_next_tensor(m, 0, 0);
    for (l = 0; l < layers; ++l) {
        const uint8_t *record = kd_record(m, KD_REC_DENSE, l);
        const uint32_t activation = kd_u32(record + 8), n_in = kd_u32(record + 12), n_out = kd_u32(record + 16);
        const uint32_t weight = kd_u32(record + 20), bias = kd_u32(record + 24), last = l + 1 == layers;
        kd_stored_layer layer;
        kd_tensor w, b;
        if (activation >= KD_ACTIVATIONS || n_in != width || n_out == 0) return KD_LAYER;
        if (n_out > KD_MAX_WIDTH) return KD_TOO_LARGE;
        if (!last && n_out % symmetry.order != 0) return KD_SYMMETRY;
        if (weight >= m->count[KD_REC_TENSOR] || bias >= m->count[KD_REC_TENSOR]) return KD_LAYER;
        if (weight != next || bias != kd_next_tensor(m, weight + 1, 0)) return KD_LAYER;
        next = kd_next_tensor(m, bias + 1, 0);
        w = kd_get_tensor(m, weight), b = kd_get_tensor(m, bias);
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
    const kd_tensor w = kd_get_tensor(m, kd_u32(record + 20)), b = kd_get_tensor(m, kd_u32(record + 24));
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

kd_status kd_check_maps(const kd_model *m) {
    const kd_status status = check_map(m, KD_REC_FEATURE, KD_REC_NORMALIZE, 1);
    return status == KD_OK ? check_map(m, KD_REC_EXACT, KD_REC_AFFINE, 2) : status;
}
