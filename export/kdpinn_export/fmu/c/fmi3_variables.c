/* FMI 3.0: values of variables, what they depend on, saved states, derivatives. */
#include "fmi3.h"

/* ---- variables ---- */

/* Inputs and outputs have the type that the model computes in, the other reals are Float64. */
static int is_single(uint32_t reference) {
    return sizeof(KD_FMU_REAL) == sizeof(fmi3Float32) && reference >= VR_INPUT && reference < VR_CONSTANT;
}

fmi3Status fmi3GetFloat64(fmi3Instance c, const fmi3ValueReference vr[], size_t count, fmi3Float64 values[], size_t size) {
    block *const self = c;
    size_t k, at = 0;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count; at += block_extent(self, vr[k++])) {
        block_status status;
        EXPECT(self, !is_single(vr[k]), "the variable is a Float32");
        EXPECT(self, at + block_extent(self, vr[k]) <= size, "fewer values than the variables have");
        if ((status = block_get_real(self, vr[k], values + at)) != BLOCK_OK) return (fmi3Status)status;
    }
    EXPECT(self, at == size, "more values than the variables have");
    return fmi3OK;
}

fmi3Status fmi3SetFloat64(fmi3Instance c, const fmi3ValueReference vr[], size_t count, const fmi3Float64 values[],
                          size_t size) {
    block *const self = c;
    size_t k, at = 0;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count; at += block_extent(self, vr[k++])) {
        block_status status;
        EXPECT(self, !is_single(vr[k]), "the variable is a Float32");
        EXPECT(self, at + block_extent(self, vr[k]) <= size, "fewer values than the variables have");
        if ((status = block_set_real(self, vr[k], values + at)) != BLOCK_OK) return (fmi3Status)status;
    }
    EXPECT(self, at == size, "more values than the variables have");
    return fmi3OK;
}

fmi3Status fmi3GetFloat32(fmi3Instance c, const fmi3ValueReference vr[], size_t count, fmi3Float32 values[], size_t size) {
    block *const self = c;
    size_t k, p, at = 0;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count; at += block_extent(self, vr[k++])) {
        block_status status;
        EXPECT(self, is_single(vr[k]), "no such Float32 variable");
        EXPECT(self, at + block_extent(self, vr[k]) <= size, "fewer values than the variables have");
        if ((status = block_get_real(self, vr[k], self->wide)) != BLOCK_OK) return (fmi3Status)status;
        for (p = 0; p < block_extent(self, vr[k]); ++p) values[at + p] = (fmi3Float32)self->wide[p];
    }
    EXPECT(self, at == size, "more values than the variables have");
    return fmi3OK;
}

fmi3Status fmi3SetFloat32(fmi3Instance c, const fmi3ValueReference vr[], size_t count, const fmi3Float32 values[],
                          size_t size) {
    block *const self = c;
    size_t k, p, at = 0;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count; at += block_extent(self, vr[k++])) {
        block_status status;
        EXPECT(self, is_single(vr[k]), "no such Float32 variable");
        EXPECT(self, at + block_extent(self, vr[k]) <= size, "fewer values than the variables have");
        for (p = 0; p < block_extent(self, vr[k]); ++p) self->wide[p] = values[at + p];
        if ((status = block_set_real(self, vr[k], self->wide)) != BLOCK_OK) return (fmi3Status)status;
    }
    EXPECT(self, at == size, "more values than the variables have");
    return fmi3OK;
}

fmi3Status fmi3GetUInt64(fmi3Instance c, const fmi3ValueReference vr[], size_t count, fmi3UInt64 values[], size_t size) {
    block *const self = c;
    size_t k;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count == size, "one value for each variable");
    for (k = 0; k < count; ++k) {
        EXPECT(self, block_type_of(self, vr[k]) == TYPE_COUNT, "no such UInt64 variable");
        values[k] = self->set.points;
    }
    return fmi3OK;
}

fmi3Status fmi3SetUInt64(fmi3Instance c, const fmi3ValueReference vr[], size_t count, const fmi3UInt64 values[],
                         size_t size) {
    block *const self = c;
    size_t k;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count == size, "one value for each variable");
    for (k = 0; k < count; ++k) {
        block_status status;
        EXPECT(self, block_type_of(self, vr[k]) == TYPE_COUNT, "no such UInt64 variable");
        EXPECT(self, self->set.stage == STAGE_CONFIGURING, "a structural parameter is set in configuration mode");
        EXPECT(self, values[k] >= 1 && values[k] <= KD_FMU_MAX_POINTS, "number of points out of range");
        if ((status = block_resize(self, (size_t)values[k])) != BLOCK_OK) return (fmi3Status)status;
    }
    return fmi3OK;
}

fmi3Status fmi3GetBoolean(fmi3Instance c, const fmi3ValueReference vr[], size_t count, fmi3Boolean values[], size_t size) {
    block *const self = c;
    size_t k, p, at = 0;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count; at += block_extent(self, vr[k++])) {
        block_status status;
        EXPECT(self, at + block_extent(self, vr[k]) <= size, "fewer values than the variables have");
        if ((status = block_get_flag(self, vr[k], self->flags)) != BLOCK_OK) return (fmi3Status)status;
        for (p = 0; p < block_extent(self, vr[k]); ++p) values[at + p] = self->flags[p];
    }
    EXPECT(self, at == size, "more values than the variables have");
    return fmi3OK;
}

/* Types that the model has no variables of, or none that the environment may set. */
#define NONE(name, ...)                                                          \
    fmi3Status name(fmi3Instance c, const fmi3ValueReference vr[], size_t count, __VA_ARGS__) { \
        block *const self = c;                                                   \
        IGNORED;                                                                 \
        ENTER(self, STAGE_ANY);                                                  \
        EXPECT(self, count == 0, "the model has no such variables");             \
        return fmi3OK;                                                           \
    }
#define IGNORED (void)vr, (void)values, (void)size
NONE(fmi3GetInt8, fmi3Int8 values[], size_t size)
NONE(fmi3GetUInt8, fmi3UInt8 values[], size_t size)
NONE(fmi3GetInt16, fmi3Int16 values[], size_t size)
NONE(fmi3GetUInt16, fmi3UInt16 values[], size_t size)
NONE(fmi3GetInt32, fmi3Int32 values[], size_t size)
NONE(fmi3GetUInt32, fmi3UInt32 values[], size_t size)
NONE(fmi3GetInt64, fmi3Int64 values[], size_t size)
NONE(fmi3GetString, fmi3String values[], size_t size)
NONE(fmi3SetInt8, const fmi3Int8 values[], size_t size)
NONE(fmi3SetUInt8, const fmi3UInt8 values[], size_t size)
NONE(fmi3SetInt16, const fmi3Int16 values[], size_t size)
NONE(fmi3SetUInt16, const fmi3UInt16 values[], size_t size)
NONE(fmi3SetInt32, const fmi3Int32 values[], size_t size)
NONE(fmi3SetUInt32, const fmi3UInt32 values[], size_t size)
NONE(fmi3SetInt64, const fmi3Int64 values[], size_t size)
NONE(fmi3SetBoolean, const fmi3Boolean values[], size_t size)
NONE(fmi3SetString, const fmi3String values[], size_t size)
#undef IGNORED
#define IGNORED (void)vr, (void)sizes, (void)values, (void)size
NONE(fmi3GetBinary, size_t sizes[], fmi3Binary values[], size_t size)
NONE(fmi3SetBinary, const size_t sizes[], const fmi3Binary values[], size_t size)
#undef IGNORED
#define IGNORED (void)vr, (void)a
NONE(fmi3GetClock, fmi3Clock a[])
NONE(fmi3SetClock, const fmi3Clock a[])
NONE(fmi3GetShiftDecimal, fmi3Float64 a[])
NONE(fmi3SetShiftDecimal, const fmi3Float64 a[])
NONE(fmi3SetIntervalDecimal, const fmi3Float64 a[])
#undef IGNORED
#define IGNORED (void)vr, (void)a, (void)b
NONE(fmi3GetIntervalDecimal, fmi3Float64 a[], fmi3IntervalQualifier b[])
NONE(fmi3GetShiftFraction, fmi3UInt64 a[], fmi3UInt64 b[])
NONE(fmi3SetIntervalFraction, const fmi3UInt64 a[], const fmi3UInt64 b[])
NONE(fmi3SetShiftFraction, const fmi3UInt64 a[], const fmi3UInt64 b[])
#undef IGNORED
#define IGNORED (void)vr, (void)a, (void)b, (void)q
NONE(fmi3GetIntervalFraction, fmi3UInt64 a[], fmi3UInt64 b[], fmi3IntervalQualifier q[])

/* ---- what an output depends on: the inputs of its own point, and the time ---- */

fmi3Status fmi3GetNumberOfVariableDependencies(fmi3Instance c, fmi3ValueReference reference, size_t *count) {
    block *const self = c;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count != NULL && block_dependencies(self, reference) > 0, "the variable is not a real output");
    *count = block_extent(self, reference) * block_dependencies(self, reference);
    return fmi3OK;
}

fmi3Status fmi3GetVariableDependencies(fmi3Instance c, fmi3ValueReference reference, size_t of[],
                                       fmi3ValueReference independents[], size_t by[], fmi3DependencyKind kinds[],
                                       size_t count) {
    block *const self = c;
    const size_t extent = self == NULL ? 0 : block_extent(self, reference);
    uint32_t known;
    size_t p;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count > 0 && count == extent * block_dependencies(self, reference), "another number of dependencies");
    for (p = 0; p < extent; ++p)
        for (known = 0; known < VR_OUTPUT; ++known) {
            if (!block_depends(self, reference, known)) continue;
            /* Elements count from 1; 0 stands for the whole variable. */
            *of++ = extent > 1 ? p + 1 : 0, *by++ = extent > 1 && block_extent(self, known) > 1 ? p + 1 : 0;
            *independents++ = known, *kinds++ = fmi3Dependent;
        }
    return fmi3OK;
}

/* ---- saved states ---- */

fmi3Status fmi3GetFMUState(fmi3Instance c, fmi3FMUState *state) {
    return (fmi3Status)block_get_state(c, __func__, state);
}

fmi3Status fmi3SetFMUState(fmi3Instance c, fmi3FMUState state) {
    return (fmi3Status)block_set_state(c, __func__, state);
}

fmi3Status fmi3FreeFMUState(fmi3Instance c, fmi3FMUState *state) {
    return (fmi3Status)block_free_state(c, __func__, state);
}

fmi3Status fmi3SerializedFMUStateSize(fmi3Instance c, fmi3FMUState state, size_t *size) {
    return (fmi3Status)block_state_size(c, __func__, state, size);
}

fmi3Status fmi3SerializeFMUState(fmi3Instance c, fmi3FMUState state, fmi3Byte bytes[], size_t size) {
    return (fmi3Status)block_write_state(c, __func__, state, bytes, size);
}

fmi3Status fmi3DeserializeFMUState(fmi3Instance c, const fmi3Byte bytes[], size_t size, fmi3FMUState *state) {
    return (fmi3Status)block_read_state(c, __func__, bytes, size, state);
}

/* ---- derivatives ---- */

static fmi3Status derivative(block *self, const fmi3ValueReference unknowns[], size_t unknown_count,
                             const fmi3ValueReference knowns[], size_t known_count, const fmi3Float64 seed[],
                             size_t seeds, fmi3Float64 result[], size_t results, int adjoint) {
    size_t rows = 0, columns = 0, k;
    for (k = 0; k < unknown_count; ++k) rows += block_extent(self, unknowns[k]);
    for (k = 0; k < known_count; ++k) columns += block_extent(self, knowns[k]);
    EXPECT(self, seeds == (adjoint ? rows : columns) && results == (adjoint ? columns : rows),
           "the vectors are not as long as the variables are");
    return (fmi3Status)block_derivative(self, unknowns, unknown_count, knowns, known_count, seed, result, adjoint);
}

fmi3Status fmi3GetDirectionalDerivative(fmi3Instance c, const fmi3ValueReference unknowns[], size_t unknown_count,
                                        const fmi3ValueReference knowns[], size_t known_count,
                                        const fmi3Float64 seed[], size_t seeds, fmi3Float64 result[], size_t results) {
    ENTER(c, STAGE_RUNNING | STAGE_TERMINATED);
    return derivative(c, unknowns, unknown_count, knowns, known_count, seed, seeds, result, results, 0);
}

fmi3Status fmi3GetAdjointDerivative(fmi3Instance c, const fmi3ValueReference unknowns[], size_t unknown_count,
                                    const fmi3ValueReference knowns[], size_t known_count, const fmi3Float64 seed[],
                                    size_t seeds, fmi3Float64 result[], size_t results) {
    ENTER(c, STAGE_RUNNING | STAGE_TERMINATED);
    return derivative(c, unknowns, unknown_count, knowns, known_count, seed, seeds, result, results, 1);
}
