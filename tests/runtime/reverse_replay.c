/* Compares the reverse pass of two instruction sets on networks of several shapes.
 *
 *     reverse_replay ISA
 *
 * Prints the largest difference from the scalar code, relative to the largest entry, of the jets, of
 * the gradient, of the Jacobian and of the gradient of a sum of squares. */
#include "reverse.h"

#include <stdio.h>
#include <stdlib.h>

static double random_number(void) { /* in [-1, 1]; the same on every system */
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (double)state / 2147483648.0 - 1;
}

static double *random_numbers(size_t count) {
    double *const numbers = (double *)malloc((count + 1) * sizeof(double));
    size_t k;
    if (numbers == NULL) exit(3);
    for (k = 0; k < count; ++k) numbers[k] = random_number();
    return numbers;
}

static double relative(size_t count, const double *a, const double *b) {
    double difference = 0, largest = 0;
    size_t k;
    for (k = 0; k < count; ++k) {
        const double d = a[k] > b[k] ? a[k] - b[k] : b[k] - a[k], size = b[k] < 0 ? -b[k] : b[k];
        if (!(d <= difference)) difference = d;
        if (size > largest) largest = size;
    }
    return difference / largest;
}

int main(int argc, char **argv) {
    static const uint32_t shapes[][4] = {{2, 5, 7, 1}, {3, 4, 9, 3}, {1, 13, 2, 2}};
    static const double scale[3] = {1.5, 0.5, 2};
    const kd_reverse *const calls[2] = {argc == 2 ? kd_find_reverse(argv[1]) : NULL, kd_find_reverse("scalar")};
    /* (first jet squared * second jet - 0.5 column * scalar) * weight */
    static const kd_product products[2] = {{1, 0, 3, {0, 0, 1}}, {-0.5, 0, 2, {0, 0}}};
    double worst[4] = {0, 0, 0, 0};
    uint32_t s, activation;
    if (calls[0] == NULL) return 2;
    for (s = 0; s < sizeof shapes / sizeof *shapes; ++s)
        for (activation = KD_TANH; activation < KD_ACTIVATIONS; ++activation) {
            const uint32_t *const w = shapes[s];
            const size_t n = 21, parameters = (w[0] + 1) * w[1] + (w[1] + 1) * w[2] + (w[2] + 1) * w[3];
            const size_t entries = (size_t)(2 + w[0]) * n * w[3];
            double *theta = random_numbers(parameters), *x = random_numbers(n * w[0]), *seed = random_numbers(entries);
            double *jets[2], *gradient[2], *jacobian[2], *squares[2], found[4], *columns = random_numbers(2 * n);
            const uint32_t known = (2 + w[0]) * w[3];
            kd_product terms[2];
            kd_equations equations = {1, 2, 2, 1, terms, columns, scale};
            kd_network net = {w, 3, activation, {w[0], 1, {{0, 0}}}, theta, scale};
            int k;
            terms[0] = products[0], terms[1] = products[1];
            terms[1].factor[0] = known + 1, terms[1].factor[1] = known + 2;
            net.channels.pair[0][1] = (uint8_t)(w[0] - 1);
            for (k = 0; k < 2; ++k) {
                char *const memory = (char *)malloc(calls[k]->workspace(&net, &equations) + 64);
                void *const work = memory + (64 - (uintptr_t)memory % 64);
                size_t p;
                if (memory == NULL) return 3;
                jets[k] = random_numbers(entries), gradient[k] = random_numbers(parameters);
                jacobian[k] = random_numbers(parameters * n), squares[k] = random_numbers(parameters + 2);
                for (p = 0; p < parameters; ++p) gradient[k][p] = squares[k][p] = 0;
                squares[k][parameters] = squares[k][parameters + 1] = 0;
                calls[k]->jets(&net, n, n, x, jets[k], work);
                calls[k]->vjp(&net, n, n, x, seed, gradient[k], work);
                calls[k]->jacobian(&net, n, n, x, seed, jacobian[k], work);
                squares[k][parameters] = calls[k]->squares(&net, &equations, n, n, x, squares[k],
                                                           squares[k] + parameters + 1, work);
                free(memory);
            }
            found[0] = relative(entries, jets[0], jets[1]);
            found[1] = relative(parameters, gradient[0], gradient[1]);
            found[2] = relative(parameters * n, jacobian[0], jacobian[1]);
            found[3] = relative(parameters + 2, squares[0], squares[1]);
            for (k = 0; k < 4; ++k)
                if (!(found[k] <= worst[k])) worst[k] = found[k];
            for (k = 0; k < 2; ++k) free(jets[k]), free(gradient[k]), free(jacobian[k]), free(squares[k]);
            free(columns), free(theta), free(x), free(seed);
        }
    printf("%g %g %g %g\n", worst[0], worst[1], worst[2], worst[3]);
    return 0;
}
