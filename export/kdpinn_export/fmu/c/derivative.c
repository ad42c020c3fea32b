/* Derivatives of a block, from the jets of its model. */
#include "block.h"

#include <string.h>

/* Which input of the model a variable is; the clock and its shift are its time. */
static int input_of(const block *self, uint32_t known) {
    if (known == VR_TIME || known == VR_SHIFT) return KD_FMU_TIME_INPUT;
    if (known < VR_INPUT || known - VR_INPUT >= kd_input_count(&self->model)) return -1;
    return (int)(known - VR_INPUT);
}

/* Derivative of the unknown by input `by` of the same point. */
static double partial(const block *self, const KD_FMU_REAL *jets, const block_bound *nearest, uint32_t unknown, int by, size_t p) {
    const uint32_t outputs = kd_output_count(&self->model);
    if (by < 0) return 0; /* the clock of a model without time */
    if (unknown == VR_MARGIN) return p == nearest->point && (uint32_t)by == nearest->input ? nearest->slope : 0;
    return jets[((1 + (size_t)by) * self->set.points + p) * outputs + unknown - VR_OUTPUT];
}

static int differentiable(const block *self, uint32_t unknown) {
    return unknown == VR_MARGIN || (unknown >= VR_OUTPUT && unknown - VR_OUTPUT < kd_output_count(&self->model));
}

int block_depends(const block *self, uint32_t unknown, uint32_t known) {
    return differentiable(self, unknown) && block_type_of(self, known) == TYPE_REAL && input_of(self, known) >= 0;
}

size_t block_dependencies(const block *self, uint32_t unknown) {
    size_t count = 0;
    uint32_t known;
    for (known = 0; known < VR_OUTPUT; ++known) count += (size_t)block_depends(self, unknown, known);
    return count;
}

static size_t numbers(const block *self, const uint32_t *references, size_t count) {
    size_t sum = 0;
    while (count-- > 0) sum += block_extent(self, references[count]);
    return sum;
}

block_status block_derivative(block *self, const uint32_t *unknowns, size_t unknown_count, const uint32_t *knowns,
                              size_t known_count, const double *seed, double *result, int adjoint) {
    const KD_FMU_REAL *jets;
    const block_status status = block_jets(self, &jets);
    block_bound nearest;
    size_t u, k, p, row = 0, column;
    if (status != BLOCK_OK) return status;
    for (u = 0; u < unknown_count; ++u)
        if (!differentiable(self, unknowns[u])) return block_fail(self, "an unknown is not a real output");
    for (k = 0; k < known_count; ++k)
        if (knowns[k] != VR_TIME && !block_depends(self, VR_MARGIN, knowns[k]))
            return block_fail(self, "a known is neither an input nor the time");
    nearest = block_nearest(self);
    memset(result, 0, (adjoint ? numbers(self, knowns, known_count) : numbers(self, unknowns, unknown_count)) * sizeof *result);
    for (u = 0; u < unknown_count; row += block_extent(self, unknowns[u++])) {
        const size_t down = block_extent(self, unknowns[u]) > 1;
        for (k = 0, column = 0; k < known_count; column += block_extent(self, knowns[k++])) {
            const size_t right = block_extent(self, knowns[k]) > 1;
            const int by = input_of(self, knowns[k]);
            for (p = 0; p < self->set.points; ++p) {
                const size_t r = row + p * down, c = column + p * right;
                result[adjoint ? c : r] += partial(self, jets, &nearest, unknowns[u], by, p) * seed[adjoint ? r : c];
            }
        }
    }
    return BLOCK_OK;
}

block_status block_rate(block *self, uint32_t reference, double *values) {
    const uint32_t inputs = kd_input_count(&self->model);
    const KD_FMU_REAL *jets;
    block_status status;
    size_t p;
    int i;
    if (!differentiable(self, reference) || reference == VR_MARGIN) return block_fail(self, "not a real output");
    if ((status = block_jets(self, &jets)) != BLOCK_OK) return status;
    for (p = 0; p < self->set.points; ++p) {
        values[p] = 0;
        for (i = 0; i < (int)inputs; ++i) {
            const double slope = i == KD_FMU_TIME_INPUT ? 1 : self->slope[p * inputs + (uint32_t)i];
            values[p] += slope * partial(self, jets, NULL, reference, i, p);
        }
    }
    return BLOCK_OK;
}
