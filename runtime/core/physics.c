/* What a file says about its model: the equations and the baseline. */
#include "internal.h"

enum { MAX_DATA = 16 };

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
        if (!kd_all_zero(equation + 36, equation + 40)) return KD_PADDING;
        if (!kd_finite(limit) || !(limit > 0)) return KD_VALUE;
        if (terms == 0 || terms > m->count[KD_REC_TERM] - t) return KD_RESIDUAL;
        for (i = 0; i < terms; ++i, ++t) {
            const uint8_t *term = kd_record(m, KD_REC_TERM, t);
            const uint32_t factors = kd_u32(term + 12);
            if (kd_u32(term + 8) != e || factors > KD_MAX_FACTORS) return KD_RESIDUAL;
            if (!kd_finite(kd_f64(term + 16))) return KD_VALUE;
            for (f = 0; f < factors; ++f)
                if (!valid_factor(m, kd_u32(term + 24 + 4 * f), data_columns)) return KD_RESIDUAL;
            if (!kd_all_zero(term + 24 + 4 * factors, term + KD_RECORD_SIZE)) return KD_PADDING;
        }
    }
    return t == m->count[KD_REC_TERM] ? KD_OK : KD_RESIDUAL;
}

static int exact_in_f32(double a) {
    const double largest = 3.4028234663852886e38; /* beyond it the conversion is undefined */
    return a >= -largest && a <= largest && (double)(float)a == a;
}

static kd_status check_baseline(const kd_model *m, uint32_t *data_columns) {
    uint32_t i, last = 0, roles = 0, next = kd_next_tensor(m, 0, 1);
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
        t = kd_get_tensor(m, index);
        if (index != next || t.type != KD_TYPE_F64) return KD_BASELINE;
        next = kd_next_tensor(m, index + 1, 1);
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

/* The baseline first: equations may refer to its data. */
kd_status kd_check_physics(const kd_model *m) {
    uint32_t data_columns;
    const kd_status status = check_baseline(m, &data_columns);
    return status == KD_OK ? check_equations(m, data_columns) : status;
}

kd_table kd_baseline_table(const kd_model *m, uint32_t role) {
    kd_table table = {NULL, 0, 0, 0};
    uint32_t i;
    for (i = 0; i < m->count[KD_REC_BASELINE]; ++i) {
        const uint8_t *record = kd_record(m, KD_REC_BASELINE, i);
        if (kd_u32(record + 8) == role) {
            const kd_tensor t = kd_get_tensor(m, kd_u32(record + 12));
            table.data = t.data, table.rows = t.rows, table.cols = t.cols, table.limit = kd_f64(record + 16);
        }
    }
    return table;
}

uint32_t kd_data_count(const kd_model *m) { return (uint32_t)kd_baseline_table(m, KD_ROLE_DATA).cols; }
