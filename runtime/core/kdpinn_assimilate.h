/* Assimilation: unknown inputs of a model, such as a viscosity, from noisy readings of its outputs.
 *
 * Freestanding like the core, and not part of it: what does not call this does not carry it. Plain
 * structures, all memory the caller's; a call needs a workspace of its own and keeps nothing.
 *
 *     const uint32_t nu = 2;                                              the third input
 *     kd_assimilation how;
 *     kd_estimate estimate;
 *     kd_assimilate_settings(plan, 1, &nu, &how);
 *     how.noise[0] = 0.01;                                                of a reading, in its unit
 *     kd_assimilate_prior(&how, &estimate);                               all that the domain says
 *     kd_assimilate_update(plan, &how, n, x, y, NULL, &estimate, NULL, NULL, work, &outcome);
 *     value = kd_assimilate_value(&how, &estimate, 0, 0);                 and so on with new readings
 *
 * An unknown is estimated in a coordinate z: its value, or the logarithm of it. One update finds the
 * most probable z,
 *
 *     minimize  (z - m)' P^-1 (z - m) / 2 + sum_i rho(r_i),   r_i = (y_i - u(x_i, z)) / s_i,
 *
 * with m and P the estimate before it, s_i^2 = noise^2 + model_error^2, by Levenberg-Marquardt steps on
 * the exact derivatives; the new P is the inverse of P^-1 + sum_i e_i J_i J_i' / s_i^2 there. From the
 * prior with all readings at once this is least squares; reading by reading it is the iterated extended
 * Kalman filter (Bell and Cathey, IEEE Trans. Automat. Contr. 38 (1993) 294-297, doi:10.1109/9.250476).
 * While the estimate is still wide, the first step starts from the best of a few places.
 */
#ifndef KDPINN_ASSIMILATE_H
#define KDPINN_ASSIMILATE_H

#include "kdpinn.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KD_MAX_UNKNOWNS 8u

/* What a residual r costs. Of the other two an outlier moves the estimate by little or nothing.
 *     KD_LOSS_SQUARES  r^2 / 2
 *     KD_LOSS_HUBER    the same up to 1.345, then linear; 95 % efficient for normal noise
 *     KD_LOSS_STUDENT  5/2 log(1 + r^2 / 4): Student's t with 4 degrees of freedom */
typedef enum { KD_LOSS_SQUARES, KD_LOSS_HUBER, KD_LOSS_STUDENT, KD_LOSSES } kd_loss;

typedef struct {
    uint32_t unknowns;                     /* 1 to KD_MAX_UNKNOWNS, at most as many as inputs */
    uint32_t input[KD_MAX_UNKNOWNS];       /* which inputs these are, ascending */
    uint32_t logarithmic[KD_MAX_UNKNOWNS]; /* not 0: z is the logarithm of the value */
    double lower[KD_MAX_UNKNOWNS], upper[KD_MAX_UNKNOWNS]; /* where the value may lie */
    double drift[KD_MAX_UNKNOWNS];         /* standard deviation of z's random walk after 1 time unit */
    double noise[KD_MAX_OUTPUTS];          /* standard deviation of a reading, in the output's unit, > 0 */
    double model_error[KD_MAX_OUTPUTS];    /* that of the model from the truth, likewise, >= 0 */
    double outlier;                        /* |r| above which a reading is reported as one */
    uint32_t loss, iterations;             /* a kd_loss; Levenberg-Marquardt steps at most */
} kd_assimilation;

typedef struct {
    double mean[KD_MAX_UNKNOWNS]; /* of z */
    double covariance[KD_MAX_UNKNOWNS][KD_MAX_UNKNOWNS];
} kd_estimate;

typedef enum { /* of one value of one reading */
    KD_READING_USED,
    KD_READING_MISSING, /* the value or its position is NaN or infinite */
    KD_READING_OUTSIDE, /* taken outside the domain, where the model says nothing: not used */
    KD_READING_OUTLIER, /* |r| > outlier; its weight is what the loss gives it */
    KD_READINGS
} kd_reading;

typedef struct {
    uint32_t count[KD_READINGS]; /* values of each kind */
    uint32_t iterations, converged;
    uint32_t at_bound;  /* bit k: unknown k lies at lower or upper, and would lie beyond */
    double chi_square;  /* sum of r^2 over the values that are used and no outliers */
} kd_outcome;

/* Everything but the noise, which stays 0 and must be set: values within the domain, logarithmic where it is
 * positive and spans more than a factor of 10, no drift, squares, outliers above 3, 30 steps; the model's
 * error is the RMS difference of the file's known answers from its reference, 0 without one. */
KD_API kd_status kd_assimilate_settings(const kd_plan *plan, const kd_model *model, uint32_t unknowns,
                                        const uint32_t *input, kd_assimilation *how);

/* The middle between lower and upper, and the variance of a uniform distribution there, both of z. */
KD_API kd_status kd_assimilate_prior(const kd_assimilation *how, kd_estimate *out);

KD_API size_t kd_assimilate_size(const kd_plan *plan); /* of the workspace, bytes; KD_ALIGN-aligned */

/* n readings: x (n, inputs - unknowns), the known inputs in their order; y (n, outputs), NaN for what was
 * not read. noise (n, outputs) of each value, NULL for that of `how`. reading and residual (n, outputs)
 * receive each value's kd_reading and its r, NaN where it has none; NULL for neither. On any status but
 * KD_OK the estimate is as it was. */
KD_API kd_status kd_assimilate_update(const kd_plan *plan, const kd_assimilation *how, size_t n, const double *x,
                                      const double *y, const double *noise, kd_estimate *estimate,
                                      uint8_t *reading, double *residual, void *workspace, kd_outcome *outcome);

/* The random walk over `duration` units of time: the variance of z grows by drift^2 * duration. */
KD_API void kd_assimilate_drift(const kd_assimilation *how, double duration, kd_estimate *estimate);

/* Value of unknown k at so many standard deviations from the mean, within lower and upper: 0 is the estimate,
 * -1.96 and 1.96 are the ends of an interval of 95 %. */
KD_API double kd_assimilate_value(const kd_assimilation *how, const kd_estimate *estimate, uint32_t k,
                                  double deviations);

/* The state: outputs at n places x (n, inputs - unknowns) with what the estimate and the model's own error
 * leave open. value and deviation (n, outputs); gradient (n, outputs, unknowns) by z, or NULL. */
KD_API kd_status kd_assimilate_state(const kd_plan *plan, const kd_assimilation *how, const kd_estimate *estimate,
                                     size_t n, const double *x, double *value, double *deviation, double *gradient,
                                     void *workspace);

#ifdef __cplusplus
}
#endif
#endif
