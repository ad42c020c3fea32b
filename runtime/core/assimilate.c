/* Unknown inputs from readings of the outputs: Levenberg-Marquardt on exact derivatives, as a Kalman
 * filter's update. kdpinn_assimilate.h has the formulas. */
#include "assimilate_readings.h"

enum { MAX_PLACES = 27 }; /* where a wide estimate is tried */

/* ---- settings and estimates ---- */

double kd_assimilate_value(const kd_assimilation *how, const kd_estimate *estimate, uint32_t k, double deviations) {
    return value_at(how, k, estimate->mean[k] + deviations * kd_square_root(estimate->covariance[k][k]));
}

/* RMS over the baseline of the known answers' distance from the reference. */
static double stored_error(const kd_model *model, uint32_t output) {
    const kd_table answers = kd_baseline_table(model, KD_ROLE_EXPECTED);
    const kd_table truth = kd_baseline_table(model, KD_ROLE_REFERENCE);
    double sum = 0;
    size_t k;
    if (truth.data == NULL) return 0;
    for (k = output; k < truth.rows * truth.cols; k += truth.cols) {
        const double off = kd_f64(answers.data + 8 * k) - kd_f64(truth.data + 8 * k);
        sum += off * off;
    }
    return kd_square_root(sum / (double)truth.rows);
}

kd_status kd_assimilate_settings(const kd_plan *plan, const kd_model *model, uint32_t unknowns,
                                 const uint32_t *input, kd_assimilation *how) {
    static const kd_assimilation none = {0, {0}, {0}, {0}, {0}, {0}, {0}, {0}, 3, KD_LOSS_SQUARES, 30};
    kd_variable variable;
    uint32_t k;
    if (plan == NULL || model == NULL || input == NULL || how == NULL || unknowns > KD_MAX_UNKNOWNS) return KD_ARGUMENT;
    *how = none;
    how->unknowns = unknowns;
    for (k = 0; k < unknowns; ++k) {
        if (kd_input(model, how->input[k] = input[k], &variable) != KD_OK) return KD_ARGUMENT;
        how->lower[k] = variable.lower, how->upper[k] = variable.upper;
        how->logarithmic[k] = variable.lower > 0 && variable.upper > 10 * variable.lower;
    }
    for (k = 0; k < plan->outputs; ++k) how->model_error[k] = stored_error(model, k);
    return fits(plan, how) ? KD_OK : KD_ARGUMENT;
}

kd_status kd_assimilate_prior(const kd_assimilation *how, kd_estimate *out) {
    uint32_t k, j;
    if (!sound(how) || out == NULL) return KD_ARGUMENT;
    for (k = 0; k < how->unknowns; ++k) {
        const double lower = coordinate(how, k, how->lower[k]), upper = coordinate(how, k, how->upper[k]);
        out->mean[k] = lower + (upper - lower) / 2;
        for (j = 0; j < how->unknowns; ++j) out->covariance[k][j] = 0;
        out->covariance[k][k] = (upper - lower) * (upper - lower) / 12;
    }
    return KD_OK;
}

void kd_assimilate_drift(const kd_assimilation *how, double duration, kd_estimate *estimate) {
    uint32_t k;
    for (k = 0; k < how->unknowns; ++k) estimate->covariance[k][k] += how->drift[k] * how->drift[k] * duration;
}

/* ---- where to begin ---- */

/* Places over the domain, in the middle of equal cells of the unknowns that the estimate leaves open, the
 * others at their mean; the mean alone where there are too many of them, or none. Their number. */
static uint32_t spread(const problem *p, double places[MAX_PLACES][KD_MAX_UNKNOWNS]) {
    static const uint32_t cells[4] = {1, 8, 5, 3}; /* of one unknown, by how many are open */
    const uint32_t unknowns = p->how->unknowns;
    uint32_t open[KD_MAX_UNKNOWNS], opened = 0, total = 1, c, k;
    for (k = 0; k < unknowns; ++k) {
        const double width = p->upper[k] - p->lower[k];
        if (p->before->covariance[k][k] > 0.01 * width * width) open[opened++] = k;
    }
    if (opened > 3) opened = 0;
    for (k = 0; k < opened; ++k) total *= cells[opened];
    for (c = 0; c < total; ++c) {
        uint32_t rest = c;
        for (k = 0; k < unknowns; ++k) places[c][k] = p->before->mean[k];
        for (k = 0; k < opened; ++k, rest /= cells[opened]) {
            const double width = p->upper[open[k]] - p->lower[open[k]];
            places[c][open[k]] = p->lower[open[k]] + width * (rest % cells[opened] + 0.5) / cells[opened];
        }
    }
    return total;
}

/* Adds what `count` readings cost at the points `at` of the tile. */
static double judge(const problem *p, size_t count, const size_t *rows, size_t at) {
    const uint32_t outputs = p->plan->outputs;
    double cost = 0, weight;
    size_t t;
    uint32_t j;
    for (t = 0; t < count; ++t)
        for (j = 0; j < outputs; ++j) {
            const double y = p->y[rows[t] * outputs + j], sharp = sharpness(p, rows[t], j);
            if (!kd_finite(y) || sharp == 0) continue;
            cost += loss(p->how->loss, (y - p->at.y[(at + t) * outputs + j]) * sharp, &weight);
        }
    return cost;
}

/* What the tile's `count` readings cost at each place is added to `cost`: as many places at once as fit. */
static kd_status try_places(const problem *p, uint32_t total, double places[MAX_PLACES][KD_MAX_UNKNOWNS], size_t count,
                            const size_t *rows, double *cost) {
    const uint32_t inputs = p->plan->inputs, unknowns = p->how->unknowns;
    const uint32_t fit = TILE_OF_READINGS / (uint32_t)count, most = fit < total ? fit : total;
    uint32_t c, i, k;
    size_t t;
    for (t = count * inputs; t < most * count * inputs; ++t) p->at.x[t] = p->at.x[t - count * inputs];
    for (c = 0; c < total; c += most) {
        const uint32_t here = total - c < most ? total - c : most;
        kd_status status;
        for (i = 0; i < here; ++i) {
            double values[KD_MAX_UNKNOWNS];
            values_at(p, places[c + i], values);
            for (k = 0; k < unknowns; ++k)
                for (t = i * count; t < (i + 1) * count; ++t) p->at.x[t * inputs + p->how->input[k]] = values[k];
        }
        if ((status = evaluate_tile_of(p->plan, &KD_VALUES, here * count, &p->at)) != KD_OK) return status;
        for (i = 0; i < here; ++i) cost[c + i] += judge(p, count, rows, i * count);
    }
    return KD_OK;
}

/* The place where the cost is least into z. */
static kd_status begin(const problem *p, double *z) {
    double places[MAX_PLACES][KD_MAX_UNKNOWNS], cost[MAX_PLACES], values[KD_MAX_UNKNOWNS];
    const uint32_t total = spread(p, places);
    uint32_t c, best = 0, k;
    for (c = 0; c < total; ++c) cost[c] = prior_cost(p, places[c], values);
    if (total > 1) {
        size_t rows[TILE_OF_READINGS], row = 0, count;
        values_at(p, places[0], values);
        while ((count = next_tile(p, values, &row, rows)) > 0) {
            const kd_status status = try_places(p, total, places, count, rows, cost);
            if (status != KD_OK) return status;
        }
    }
    for (c = 1; c < total; ++c)
        if (cost[c] < cost[best]) best = c;
    for (k = 0; k < p->how->unknowns; ++k) z[k] = places[best][k];
    return KD_OK;
}

/* ---- the minimum ---- */

/* Unknowns at an end of their domain from which the cost falls outwards only. */
static uint32_t held_at_bounds(const problem *p, const double *z, const double *gradient) {
    uint32_t held = 0, k;
    for (k = 0; k < p->how->unknowns; ++k)
        if ((z[k] <= p->lower[k] && gradient[k] > 0) || (z[k] >= p->upper[k] && gradient[k] < 0)) held |= 1u << k;
    return held;
}

/* One step, damped by lambda, to `to` within the domain; by how much the cost would fall if it were
 * quadratic. */
static double damped_step(const problem *p, const double *z, const normal *sum, double lambda, uint32_t held, double *to) {
    const uint32_t unknowns = p->how->unknowns;
    matrix a;
    double move[KD_MAX_UNKNOWNS], fall = 0;
    uint32_t i, j;
    for (i = 0; i < unknowns; ++i) {
        for (j = 0; j < unknowns; ++j) a[i][j] = (held >> i | held >> j) & 1u ? 0 : sum->curvature[i][j];
        a[i][i] = sum->curvature[i][i] * (1 + lambda);
        move[i] = held >> i & 1u ? 0 : -sum->gradient[i];
    }
    if (factorize(unknowns, a)) solve(unknowns, (const double (*)[KD_MAX_UNKNOWNS])a, move);
    for (i = 0; i < unknowns; ++i) {
        to[i] = z[i] + move[i];
        if (to[i] < p->lower[i]) to[i] = p->lower[i];
        if (to[i] > p->upper[i]) to[i] = p->upper[i];
        move[i] = to[i] - z[i];
    }
    for (i = 0; i < unknowns; ++i) {
        double half = 0;
        for (j = 0; j < unknowns; ++j) half += 0.5 * sum->curvature[i][j] * move[j];
        fall -= move[i] * (sum->gradient[i] + half);
    }
    return fall;
}

/* From z to the minimum. The last step is a whole Gauss-Newton step and so small that nothing is evaluated
 * after it: `sum` and the verdicts on the readings are those before it. A relative fall of the cost by 1e-8
 * is a step of some 1e-4 standard deviations. In KD_F32 smaller changes than 1e-5 may be rounding. */
static kd_status minimize(const problem *p, double *z, normal *sum) {
    const double enough = p->plan->precision == KD_F64 ? 1e-8 : 1e-5;
    kd_outcome *const outcome = p->outcome;
    double to[KD_MAX_UNKNOWNS], lambda = 1e-3;
    kd_status status = sweep(p, z, sum);
    int current = 1; /* the last sweep was at z */
    uint32_t k;
    while (status == KD_OK) {
        const uint32_t held = outcome->at_bound = held_at_bounds(p, z, sum->gradient);
        const double slack = enough * (1 + sum->cost);
        double fall = damped_step(p, z, sum, 0, held, to);
        normal next;
        outcome->converged = fall <= slack;
        if (outcome->converged || outcome->iterations == p->how->iterations) break;
        ++outcome->iterations;
        fall = damped_step(p, z, sum, lambda, held, to);
        if ((status = sweep(p, to, &next)) != KD_OK) return status;
        current = next.cost < sum->cost;
        if (current) {
            lambda *= sum->cost - next.cost > 0.75 * fall ? 0.1 : sum->cost - next.cost < 0.25 * fall ? 4 : 1;
            *sum = next;
            for (k = 0; k < p->how->unknowns; ++k) z[k] = to[k];
        } else if (next.cost - sum->cost < slack && fall < slack) { /* rounding decides what is lower */
            outcome->converged = 1;
            break;
        } else lambda *= 8;
    }
    if (status == KD_OK && !current) return sweep(p, z, sum);
    for (k = 0; outcome->converged && k < p->how->unknowns; ++k) z[k] = to[k];
    return status;
}

static kd_status check_update(const kd_plan *plan, const kd_assimilation *how, size_t n, const double *x,
                              const double *y, const double *noise, const kd_estimate *estimate,
                              const void *workspace) {
    uint32_t j;
    if (!fits(plan, how) || estimate == NULL || workspace == NULL || how->loss >= KD_LOSSES) return KD_ARGUMENT;
    if ((uintptr_t)workspace % KD_ALIGN != 0) return KD_MISALIGNED;
    if (n > 0 && (y == NULL || (x == NULL && how->unknowns < plan->inputs))) return KD_ARGUMENT;
    for (j = 0; j < plan->outputs; ++j)
        if ((noise == NULL && !(how->noise[j] > 0)) || !(how->model_error[j] >= 0)) return KD_ARGUMENT;
    return how->outlier > 0 ? KD_OK : KD_ARGUMENT;
}

kd_status kd_assimilate_update(const kd_plan *plan, const kd_assimilation *how, size_t n, const double *x,
                               const double *y, const double *noise, kd_estimate *estimate, uint8_t *reading,
                               double *residual, void *workspace, kd_outcome *outcome) {
    kd_outcome done = {{0, 0, 0, 0}, 0, 0, 0, 0};
    kd_status status = check_update(plan, how, n, x, y, noise, estimate, workspace);
    problem p;
    normal sum;
    matrix covariance;
    double z[KD_MAX_UNKNOWNS];
    uint32_t i, j;
    if (status != KD_OK) return status;
    p.plan = plan, p.how = how, p.before = estimate, p.slopes = by_unknowns(how);
    p.n = n, p.x = x, p.y = y, p.noise = noise, p.reading = reading, p.residual = residual;
    p.outcome = &done;
    scratch_of(plan, (uint8_t *)workspace, &p.at);
    for (i = 0; i < plan->outputs; ++i) p.sharpness[i] = sharpness_of(how->noise[i], how->model_error[i]);
    for (i = 0; i < how->unknowns; ++i) {
        p.lower[i] = coordinate(how, i, how->lower[i]), p.upper[i] = coordinate(how, i, how->upper[i]);
        if (!(estimate->mean[i] >= p.lower[i] && estimate->mean[i] <= p.upper[i])) return KD_ARGUMENT;
    }
    if (!inverse(how->unknowns, (const double (*)[KD_MAX_UNKNOWNS])estimate->covariance, p.precision))
        return KD_ARGUMENT;
    if ((status = begin(&p, z)) != KD_OK) return status;
    if ((status = minimize(&p, z, &sum)) != KD_OK) return status;
    if (!inverse(how->unknowns, (const double (*)[KD_MAX_UNKNOWNS])sum.information, covariance)) return KD_ARGUMENT;
    for (i = 0; i < how->unknowns; ++i) {
        estimate->mean[i] = z[i];
        for (j = 0; j < how->unknowns; ++j) estimate->covariance[i][j] = covariance[i][j];
    }
    if (outcome != NULL) *outcome = done;
    return KD_OK;
}

/* ---- the state ---- */

kd_status kd_assimilate_state(const kd_plan *plan, const kd_assimilation *how, const kd_estimate *estimate, size_t n,
                              const double *x, double *value, double *deviation, double *gradient, void *workspace) {
    const uint32_t inputs = plan->inputs, outputs = plan->outputs, unknowns = how->unknowns;
    double values[KD_MAX_UNKNOWNS], slope[KD_MAX_UNKNOWNS];
    size_t row, count, t;
    kd_channels slopes;
    scratch at;
    uint32_t i, j, k;
    if (!fits(plan, how) || workspace == NULL || value == NULL || deviation == NULL) return KD_ARGUMENT;
    if ((uintptr_t)workspace % KD_ALIGN != 0) return KD_MISALIGNED;
    scratch_of(plan, (uint8_t *)workspace, &at);
    slopes = by_unknowns(how);
    for (k = 0; k < unknowns; ++k) values[k] = value_at(how, k, estimate->mean[k]);
    for (row = 0; row < n; row += count) {
        kd_status status;
        for (count = 0; count < TILE_OF_READINGS && row + count < n; ++count)
            if (place(plan, how, x + (row + count) * (inputs - unknowns), values, at.x + count * inputs) ==
                KD_READING_MISSING)
                return KD_NOT_FINITE;
        if ((status = evaluate_tile_of(plan, &slopes, count, &at)) != KD_OK) return status;
        for (t = 0; t < count * outputs; ++t) {
            const size_t to = row * outputs + t;
            double sum = how->model_error[t % outputs] * how->model_error[t % outputs];
            for (k = 0; k < unknowns; ++k) {
                slope[k] = at.y[(1 + k) * count * outputs + t] * (how->logarithmic[k] ? values[k] : 1);
                if (gradient != NULL) gradient[to * unknowns + k] = slope[k];
            }
            for (i = 0; i < unknowns; ++i)
                for (j = 0; j < unknowns; ++j) sum += slope[i] * estimate->covariance[i][j] * slope[j];
            value[to] = at.y[t], deviation[to] = kd_square_root(sum);
        }
    }
    return KD_OK;
}
