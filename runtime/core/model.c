/* Checks a model.kdp file and makes a view of it. docs/format.md is the specification; nothing in
 * the file is trusted, and every product of sizes is bounded before it is formed. The frame is
 * checked here, then the records (records.c), the tensors (tensors.c), the network (symmetry.c,
 * network.c) and the physics (physics.c). */
#include "internal.h"

enum { MAX_FILE = 64 << 20, MAX_CARD = 1 << 20, MAX_RECORDS = 4096 };

static kd_status check_frame(const uint8_t *bytes, size_t size, kd_sections *s) {
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
        size != KD_PREAMBLE_SIZE + sizes[0] + kd_aligned(sizes[1]) + kd_aligned(sizes[2]) + kd_aligned(sizes[3]))
        return KD_SIZES;
    kd_file_digest(bytes, size, digest);
    for (i = 0; i < 32; ++i)
        if (digest[i] != bytes[64 + i]) return KD_DIGEST;
    s->program = bytes + KD_PREAMBLE_SIZE, s->program_size = (size_t)sizes[0];
    s->card = s->program + sizes[0], s->card_size = (size_t)sizes[1];
    s->tensors = s->card + kd_aligned(sizes[1]), s->tensors_size = (size_t)sizes[2];
    s->baseline = s->tensors + kd_aligned(sizes[2]), s->baseline_size = (size_t)sizes[3];
    if (!kd_all_zero(bytes + 56, bytes + 64) || !kd_all_zero(bytes + 96, bytes + 128) ||
        !kd_all_zero(s->card + s->card_size, s->tensors) || !kd_all_zero(s->tensors + s->tensors_size, s->baseline) ||
        !kd_all_zero(s->baseline + s->baseline_size, bytes + size))
        return KD_PADDING;
    return KD_OK;
}

kd_status kd_load(kd_model *m, const void *bytes, size_t size) {
    kd_sections s;
    kd_status status;
    if (m == NULL || bytes == NULL) return KD_ARGUMENT;
    if ((uintptr_t)bytes % 8 != 0) return KD_MISALIGNED;
    if ((status = check_frame((const uint8_t *)bytes, size, &s)) != KD_OK) return status;
    m->bytes = (const uint8_t *)bytes, m->size = size, m->tensors = s.tensors, m->baseline = s.baseline;
    if ((status = kd_check_records(m, &s)) != KD_OK) return status;
    if ((status = kd_check_tensors(m, &s)) != KD_OK) return status;
    if ((status = kd_check_symmetry(m)) != KD_OK) return status;
    if ((status = kd_check_layers(m)) != KD_OK) return status;
    if ((status = kd_check_maps(m)) != KD_OK) return status;
    return kd_check_physics(m);
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
