/* How large functions of the coordinates get over boxes of coordinates, and how far two float64
 * evaluations of them can be apart. Interval arithmetic beside a first-order error analysis;
 * kdpinn_runtime/_rounding.py has the same bounds. */
#include "internal.h"

static const double half_ulp = 1.0 / 9007199254740992.0; /* 2^-53, of 1 */
static const double unbounded = 1e300; /* far beyond every limit */

static double least_of(double a, double b) { return a < b ? a : b; }
static double most_of(double a, double b) { return a > b ? a : b; }
static double size_of(double a) { return a < 0 ? -a : a; }
double kd_range_size(const kd_range *a) { return most_of(size_of(a->lower), size_of(a->upper)); }

/* A power of two that e^a does not exceed. */
static double above_exp(double a) {
    double power = 1;
    if (a > 700) return unbounded;
    if (a < -700) return 1e-304;
    for (; a > 0; a -= 0.69) power *= 2; /* ln 2 = 0.693 */
    for (; a < -0.7; a += 0.7) power /= 2;
    return power;
}

static kd_range range_product(const kd_range *a, const kd_range *b) {
    const double p = a->lower * b->lower, q = a->lower * b->upper, r = a->upper * b->lower, s = a->upper * b->upper;
    const double size_a = kd_range_size(a), size_b = kd_range_size(b);
    kd_range out = {least_of(least_of(p, q), least_of(r, s)), most_of(most_of(p, q), most_of(r, s)), 0};
    if (a == b) out.lower = p < s ? p : s, out.upper = p < s ? s : p; /* a square is not negative */
    if (a == b && a->lower < 0 && a->upper > 0) out.lower = 0;
    out.error = size_a * b->error + size_b * a->error + a->error * b->error + 2 * half_ulp * kd_range_size(&out);
    return out;
}

static kd_range range_reciprocal(const kd_range *a) {
    const double least = least_of(size_of(a->lower), size_of(a->upper));
    kd_range out = {-unbounded, unbounded, unbounded};
    if ((a->lower <= 0 && a->upper >= 0) || !(a->error < least)) return out;
    out.lower = 1 / a->upper, out.upper = 1 / a->lower;
    out.error = a->error / (least * (least - a->error)) + 4 * half_ulp / least;
    return out;
}

/* An elementary function errs by 8 units of its argument or of 1 at most. */
static kd_range range_function(uint32_t kind, const kd_range *a) {
    const double own = 8 * half_ulp * most_of(kd_range_size(a), 1);
    kd_range out = {-1, 1, a->error + own}; /* sin, whose slope is at most 1, as tanh's is */
    if (kind == KD_OPERATION_TANH) {
        out.lower = a->lower < 0 ? most_of(a->lower, -1) : 0;
        out.upper = a->upper > 0 ? least_of(a->upper, 1) : 0;
    } else if (kind == KD_OPERATION_EXP) {
        out.lower = 0, out.upper = above_exp(a->upper);
        out.error = a->error < 1 ? out.upper * (2 * a->error + own) : unbounded; /* e^x - 1 <= 2 x to 1 */
    }
    return out;
}

void kd_bound_program(const kd_program *program, const kd_range *coordinates, kd_range *out) {
    uint32_t k;
    for (k = 0; k < program->count; ++k) {
        const kd_operation *const o = &program->operations[k];
        const kd_range *const a = &out[o->a], *const b = &out[o->b];
        switch (o->kind) {
        case KD_OPERATION_COORDINATE: out[k] = coordinates[o->a]; break;
        case KD_OPERATION_CONSTANT: out[k].lower = out[k].upper = o->value, out[k].error = 0; break;
        case KD_OPERATION_ADD:
            out[k].lower = a->lower + b->lower, out[k].upper = a->upper + b->upper;
            out[k].error = a->error + b->error + 2 * half_ulp * kd_range_size(&out[k]);
            break;
        case KD_OPERATION_MULTIPLY: out[k] = range_product(a, b); break;
        case KD_OPERATION_RECIPROCAL: out[k] = range_reciprocal(a); break;
        default: out[k] = range_function(o->kind, a); break;
        }
    }
}
