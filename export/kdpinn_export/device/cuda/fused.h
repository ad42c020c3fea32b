/* A whole network in one launch: a thread is a point, its values and derivatives stay in registers, the
 * weights come from constant memory. Included after REAL, CHANNELS (1 + inputs + pairs, or 1), INPUTS and
 * PAIRS are defined and PAIR_I, PAIR_J say which inputs the second derivatives are by.
 *
 * Channel 0 is the value, then come the first derivatives by each input, then the second ones. */
typedef REAL real;

__device__ inline float fma_(float a, float b, float c) { return fmaf(a, b, c); }
__device__ inline double fma_(double a, double b, double c) { return fma(a, b, c); }

/* x P(x^2) / Q(x^2), the coefficients of the runtime's core: 7 ulp at most. */
__device__ inline float tanh_(float x) {
    const float a = fminf(fmaxf(x, -7.9f), 7.9f), s = a * a;
    float p = fmaf(1.54280627e-8f, s, 2.20233083e-5f), q = fmaf(8.59881634e-7f, s, 3.42365679e-4f);
    p = fmaf(fmaf(fmaf(p, s, 3.57899583e-3f), s, 1.34506238e-1f), s, 9.99999994e-1f);
    q = fmaf(fmaf(fmaf(q, s, 2.61922524e-2f), s, 4.67839518e-1f), s, 1.0f);
    return a * p / q;
}
__device__ inline double tanh_(double x) { return tanh(x); }
__device__ inline float exp_(float x) { return expf(x); }
__device__ inline double exp_(double x) { return exp(x); }
__device__ inline float sin_(float x) { return sinf(x); }
__device__ inline double sin_(double x) { return sin(x); }
__device__ inline float cos_(float x) { return cosf(x); }
__device__ inline double cos_(double x) { return cos(x); }
__device__ inline float erfc_(float x) { return erfcf(x); }
__device__ inline double erfc_(double x) { return erfc(x); }

/* y = W x for every channel, the bias for the value alone. */
template <int N_IN, int N_OUT>
__device__ inline void dense(const real *weight, const real *bias, const real (&x)[CHANNELS][N_IN],
                             real (&y)[CHANNELS][N_OUT]) {
#pragma unroll
    for (int o = 0; o < N_OUT; ++o) {
        real sum[CHANNELS];
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) sum[c] = c == 0 ? bias[o] : real(0);
#pragma unroll
        for (int i = 0; i < N_IN; ++i) {
            const real w = weight[o * N_IN + i];
#pragma unroll
            for (int c = 0; c < CHANNELS; ++c) sum[c] = fma_(w, x[c][i], sum[c]);
        }
#pragma unroll
        for (int c = 0; c < CHANNELS; ++c) y[c][o] = sum[c];
    }
}

/* An activation with its first two derivatives. */
struct bent {
    real value, slope, curvature;
};
__device__ inline bent bend_tanh(real v) {
    const real t = tanh_(v), slope = 1 - t * t;
    return {t, slope, -2 * t * slope};
}
__device__ inline bent bend_sin(real v) {
    const real s = sin_(v);
    return {s, cos_(v), -s};
}
__device__ inline bent bend_sigmoid(real v) {
    const real s = 1 / (1 + exp_(-v)), slope = s * (1 - s);
    return {s, slope, slope * (1 - 2 * s)};
}
__device__ inline bent bend_silu(real v) {
    const bent s = bend_sigmoid(v);
    return {v * s.value, fma_(v, s.slope, s.value), fma_(v, s.curvature, 2 * s.slope)};
}
__device__ inline bent bend_relu(real v) { return {v < 0 ? real(0) : v, real(v > 0), 0}; }
__device__ inline bent bend_gelu(real v) {
    const real cdf = real(0.5) * erfc_(real(-0.70710678118654752) * v);
    const real density = real(0.39894228040143268) * exp_(real(-0.5) * v * v);
    return {v * cdf, fma_(v, density, cdf), density * fma_(-v, v, real(2))};
}
__device__ inline bent bend_identity(real v) { return {v, 1, 0}; }

/* g, g' f_i, g' s_ij + g'' f_i f_j. */
template <int N>
__device__ inline void chain(bent (*function)(real), real (&y)[CHANNELS][N]) {
#pragma unroll
    for (int o = 0; o < N; ++o) {
        const bent g = function(y[0][o]);
        y[0][o] = g.value;
        if (CHANNELS == 1) continue;
#pragma unroll
        for (int p = 0; p < PAIRS; ++p) {
            real &second = y[CHANNELS - PAIRS + p][o];
            const real product = y[1 + PAIR_I(p)][o] * y[1 + PAIR_J(p)][o];
            second = fma_(g.slope, second, g.curvature * product);
        }
#pragma unroll
        for (int i = 0; i < CHANNELS - 1 - PAIRS; ++i) y[1 + i][o] *= g.slope;
    }
}

/* z = (x - shift) scale; its derivatives are the scale and zeros. */
__device__ inline void normalize(const real *x, const real *shift, const real *scale, real (&z)[CHANNELS][INPUTS]) {
#pragma unroll
    for (int i = 0; i < INPUTS; ++i) {
        z[0][i] = (x[i] - shift[i]) * scale[i];
#pragma unroll
        for (int c = 1; c < CHANNELS; ++c) z[c][i] = c - 1 == i ? scale[i] : real(0);
    }
}
