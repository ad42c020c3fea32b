/* What assimilate.c needs of mathematics: exp and log of one number, and small matrices. */
#ifndef KDPINN_SMALL_SYSTEMS_H
#define KDPINN_SMALL_SYSTEMS_H

#include "internal.h"

#include "kdpinn_assimilate.h"

typedef double matrix[KD_MAX_UNKNOWNS][KD_MAX_UNKNOWNS];

/* ---- elementary functions of one number ---- */

static double scaled(double a, int power) { /* a 2^power, for normal results */
    union { uint64_t bits; double value; } two;
    two.bits = (uint64_t)(1023 + power) << 52;
    return a * two.value;
}

static const double ln2_high = 0.6931471803691238, ln2_low = 1.9082149292705877e-10; /* their sum is ln 2 */

/* e^a for |a| <= 700: a = k ln 2 + r, and the Taylor series of e^r, whose first term left out is 4e-18. */
static double exponential(double a) {
    const int k = (int)(a * 1.4426950408889634 + (a < 0 ? -0.5 : 0.5));
    const double r = a - k * ln2_high - k * ln2_low;
    static const double one_over[13] = {1, 1.0 / 2, 1.0 / 3, 1.0 / 4, 1.0 / 5, 1.0 / 6, 1.0 / 7, 1.0 / 8, 1.0 / 9,
                                        1.0 / 10, 1.0 / 11, 1.0 / 12, 1.0 / 13};
    double sum = 1;
    int n;
    for (n = 13; n > 0; --n) sum = 1 + sum * (r * one_over[n - 1]); /* dividing takes three times as long */
    return scaled(sum, k);
}

/* log a, a positive and normal: a = m 2^k with m in [0.7, 1.4], log m = 2 artanh((m - 1) / (m + 1)), where
 * the first term left out is 3e-19. */
static double logarithm(double a) {
    union { double value; uint64_t bits; } u;
    int k, n;
    double s, square, sum = 0;
    u.value = a;
    k = (int)(u.bits >> 52) - 1023;
    s = scaled(a, -k);
    if (s > 1.4142135623730951) s /= 2, ++k;
    s = (s - 1) / (s + 1), square = s * s;
    for (n = 23; n > 0; n -= 2) sum = sum * square + 1.0 / n;
    return k * ln2_high + (2 * s * sum + k * ln2_low);
}

/* ---- symmetric positive definite matrices, by L D L' ---- */

/* `a` becomes L below the diagonal and D on it; 0 if it is not positive definite. */
static int factorize(uint32_t n, matrix a) {
    uint32_t i, j, k;
    for (j = 0; j < n; ++j) {
        for (k = 0; k < j; ++k) a[j][j] -= a[j][k] * a[j][k] * a[k][k];
        if (!(a[j][j] > 0) || !kd_finite(a[j][j])) return 0;
        for (i = j + 1; i < n; ++i) {
            for (k = 0; k < j; ++k) a[i][j] -= a[i][k] * a[j][k] * a[k][k];
            a[i][j] /= a[j][j];
        }
    }
    return 1;
}

static void solve(uint32_t n, const double (*factored)[KD_MAX_UNKNOWNS], double *b) {
    uint32_t i, k;
    for (i = 0; i < n; ++i)
        for (k = 0; k < i; ++k) b[i] -= factored[i][k] * b[k];
    for (i = 0; i < n; ++i) b[i] /= factored[i][i];
    for (i = n; i-- > 0;)
        for (k = i + 1; k < n; ++k) b[i] -= factored[k][i] * b[k];
}

static int inverse(uint32_t n, const double (*a)[KD_MAX_UNKNOWNS], matrix out) {
    matrix factored;
    double column[KD_MAX_UNKNOWNS];
    uint32_t i, j;
    for (i = 0; i < n; ++i)
        for (j = 0; j < n; ++j) factored[i][j] = a[i][j];
    if (!factorize(n, factored)) return 0;
    for (j = 0; j < n; ++j) {
        for (i = 0; i < n; ++i) column[i] = i == j;
        solve(n, (const double (*)[KD_MAX_UNKNOWNS])factored, column);
        for (i = 0; i < n; ++i) out[i][j] = column[i];
    }
    for (i = 0; i < n; ++i) /* symmetric to the last bit, as the next update takes it */
        for (j = 0; j < i; ++j) out[i][j] = out[j][i] = 0.5 * (out[i][j] + out[j][i]);
    return 1;
}

#endif
