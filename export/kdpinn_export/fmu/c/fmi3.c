/* FMI 3.0, Model Exchange and Co-Simulation: the standard's functions around a block. */
#include "block.h"
#include "fmi3Functions.h"

#include <stdlib.h>
#include <string.h>

#define ENTER(instance, stages)                                               \
    do {                                                                      \
        const block_status entered = block_enter(instance, stages, __func__); \
        if (entered != BLOCK_OK) return (fmi3Status)entered;                  \
    } while (0)
#define EXPECT(instance, condition, what)                                     \
    do {                                                                      \
        if (!(condition)) return (fmi3Status)block_fail(instance, what);      \
    } while (0)

static void pass_on(const block *self, block_status status, const char *category, const char *text) {
    const fmi3LogMessageCallback logger = (fmi3LogMessageCallback)self->callback;
    if (logger != NULL) logger(self->environment, (fmi3Status)status, category, text);
}

/* ---- common functions ---- */

const char *fmi3GetVersion(void) { return fmi3Version; }

fmi3Status fmi3SetDebugLogging(fmi3Instance c, fmi3Boolean on, size_t count, const fmi3String categories[]) {
    block *const self = c;
    size_t k;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count; ++k)
        EXPECT(self, categories[k] != NULL && strncmp(categories[k], "log", 3) == 0, "unknown log category");
    self->verbose = on;
    return fmi3OK;
}

fmi3Instance fmi3InstantiateModelExchange(fmi3String name, fmi3String token, fmi3String resources, fmi3Boolean visible,
                                          fmi3Boolean verbose, fmi3InstanceEnvironment environment,
                                          fmi3LogMessageCallback logger) {
    (void)resources, (void)visible;
    return block_new(name, token, KIND_MODEL_EXCHANGE, verbose, pass_on, (void (*)(void))logger, environment);
}

fmi3Instance fmi3InstantiateCoSimulation(fmi3String name, fmi3String token, fmi3String resources, fmi3Boolean visible,
                                         fmi3Boolean verbose, fmi3Boolean event_mode, fmi3Boolean early_return,
                                         const fmi3ValueReference intermediate[], size_t intermediate_count,
                                         fmi3InstanceEnvironment environment, fmi3LogMessageCallback logger,
                                         fmi3IntermediateUpdateCallback update) {
    block *const self = block_new(name, token, KIND_CO_SIMULATION, verbose, pass_on, (void (*)(void))logger, environment);
    (void)resources, (void)visible, (void)early_return, (void)intermediate, (void)intermediate_count, (void)update;
    if (self != NULL) self->set.event_mode = event_mode;
    return self;
}

fmi3Instance fmi3InstantiateScheduledExecution(fmi3String name, fmi3String token, fmi3String resources,
                                               fmi3Boolean visible, fmi3Boolean verbose,
                                               fmi3InstanceEnvironment environment, fmi3LogMessageCallback logger,
                                               fmi3ClockUpdateCallback clock, fmi3LockPreemptionCallback lock,
                                               fmi3UnlockPreemptionCallback unlock) {
    (void)name, (void)token, (void)resources, (void)visible, (void)verbose, (void)clock, (void)lock, (void)unlock;
    if (logger != NULL) logger(environment, fmi3Error, "logStatusError", "instantiate: there is no scheduled execution");
    return NULL;
}

void fmi3FreeInstance(fmi3Instance c) { block_free(c); }

fmi3Status fmi3EnterConfigurationMode(fmi3Instance c) {
    block *const self = c;
    ENTER(self, STAGE_INSTANTIATED);
    EXPECT(self, KD_FMU_ARRAYS, "the model has no structural parameters");
    self->set.stage = STAGE_CONFIGURING;
    return fmi3OK;
}

fmi3Status fmi3ExitConfigurationMode(fmi3Instance c) {
    block *const self = c;
    ENTER(self, STAGE_CONFIGURING);
    self->set.stage = STAGE_INSTANTIATED;
    return fmi3OK;
}

fmi3Status fmi3EnterInitializationMode(fmi3Instance c, fmi3Boolean tolerance_defined, fmi3Float64 tolerance,
                                       fmi3Float64 start, fmi3Boolean stop_defined, fmi3Float64 stop) {
    block *const self = c;
    (void)tolerance_defined, (void)tolerance;
    ENTER(self, STAGE_INSTANTIATED);
    EXPECT(self, start - start == 0 && !(stop_defined && stop < start), "the simulation ends before it starts");
    self->set.stage = STAGE_INITIALIZING;
    block_set_time(self, start);
    return fmi3OK;
}

fmi3Status fmi3ExitInitializationMode(fmi3Instance c) {
    block *const self = c;
    const int has_events = self != NULL && (self->set.kind == KIND_MODEL_EXCHANGE || self->set.event_mode);
    ENTER(self, STAGE_INITIALIZING);
    block_take_event(self);
    self->set.stage = has_events ? STAGE_EVENT : STAGE_STEPPING;
    return fmi3OK;
}

fmi3Status fmi3EnterEventMode(fmi3Instance c) {
    block *const self = c;
    ENTER(self, STAGE_CONTINUOUS | STAGE_STEPPING);
    EXPECT(self, self->set.kind == KIND_MODEL_EXCHANGE || self->set.event_mode, "instantiated without event mode");
    self->set.stage = STAGE_EVENT;
    return fmi3OK;
}

fmi3Status fmi3Terminate(fmi3Instance c) {
    block *const self = c;
    ENTER(self, STAGE_EVENT | STAGE_CONTINUOUS | STAGE_STEPPING);
    self->set.stage = STAGE_TERMINATED;
    return fmi3OK;
}

fmi3Status fmi3Reset(fmi3Instance c) {
    block *const self = c;
    ENTER(self, STAGE_ANY);
    if (self->set.points != KD_FMU_POINTS) {
        const block_status status = block_resize(self, KD_FMU_POINTS);
        if (status != BLOCK_OK) return (fmi3Status)status;
    }
    block_reset(self);
    return fmi3OK;
}

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

/* ---- events ---- */

fmi3Status fmi3EvaluateDiscreteStates(fmi3Instance c) {
    ENTER(c, STAGE_INITIALIZING | STAGE_EVENT);
    return fmi3OK; /* there are no clocked states */
}

fmi3Status fmi3UpdateDiscreteStates(fmi3Instance c, fmi3Boolean *again, fmi3Boolean *terminate, fmi3Boolean *nominals,
                                    fmi3Boolean *values, fmi3Boolean *next_event_defined, fmi3Float64 *next_event) {
    block *const self = c;
    ENTER(self, STAGE_EVENT);
    block_take_event(self);
    *again = *terminate = *nominals = *values = *next_event_defined = fmi3False;
    *next_event = 0;
    return fmi3OK;
}

/* ---- Model Exchange ---- */

fmi3Status fmi3EnterContinuousTimeMode(fmi3Instance c) {
    block *const self = c;
    ENTER(self, STAGE_EVENT);
    EXPECT(self, self->set.kind == KIND_MODEL_EXCHANGE, "the instance is one of co-simulation");
    block_take_event(self);
    self->set.stage = STAGE_CONTINUOUS;
    return fmi3OK;
}

fmi3Status fmi3CompletedIntegratorStep(fmi3Instance c, fmi3Boolean no_return, fmi3Boolean *event, fmi3Boolean *terminate) {
    block *const self = c;
    (void)no_return;
    ENTER(self, STAGE_CONTINUOUS);
    *event = block_event_pending(self), *terminate = fmi3False;
    return fmi3OK;
}

fmi3Status fmi3SetTime(fmi3Instance c, fmi3Float64 time) {
    block *const self = c;
    ENTER(self, STAGE_EVENT | STAGE_CONTINUOUS);
    EXPECT(self, self->set.kind == KIND_MODEL_EXCHANGE && time - time == 0, "the time is not finite");
    block_set_time(self, time);
    return fmi3OK;
}

fmi3Status fmi3GetEventIndicators(fmi3Instance c, fmi3Float64 indicators[], size_t count) {
    block *const self = c;
    ENTER(self, STAGE_RUNNING | STAGE_TERMINATED);
    EXPECT(self, count == 1, "the model has one event indicator");
    indicators[0] = block_margin(self);
    return fmi3OK;
}

fmi3Status fmi3GetNumberOfEventIndicators(fmi3Instance c, size_t *count) {
    ENTER(c, STAGE_ANY);
    *count = 1;
    return fmi3OK;
}

fmi3Status fmi3GetNumberOfContinuousStates(fmi3Instance c, size_t *count) {
    ENTER(c, STAGE_ANY);
    *count = 0;
    return fmi3OK;
}

static fmi3Status stateless(block *self, size_t count, const char *function) {
    const block_status status = block_enter(self, STAGE_RUNNING | STAGE_TERMINATED, function);
    if (status != BLOCK_OK) return (fmi3Status)status;
    EXPECT(self, count == 0, "the model has no continuous states");
    return fmi3OK;
}

fmi3Status fmi3SetContinuousStates(fmi3Instance c, const fmi3Float64 x[], size_t count) {
    (void)x;
    return stateless(c, count, __func__);
}

fmi3Status fmi3GetContinuousStateDerivatives(fmi3Instance c, fmi3Float64 derivatives[], size_t count) {
    (void)derivatives;
    return stateless(c, count, __func__);
}

fmi3Status fmi3GetContinuousStates(fmi3Instance c, fmi3Float64 x[], size_t count) {
    (void)x;
    return stateless(c, count, __func__);
}

fmi3Status fmi3GetNominalsOfContinuousStates(fmi3Instance c, fmi3Float64 nominals[], size_t count) {
    (void)nominals;
    return stateless(c, count, __func__);
}

/* ---- Co-Simulation ---- */

fmi3Status fmi3EnterStepMode(fmi3Instance c) {
    block *const self = c;
    ENTER(self, STAGE_EVENT);
    EXPECT(self, self->set.kind == KIND_CO_SIMULATION, "the instance is one of model exchange");
    block_take_event(self);
    self->set.stage = STAGE_STEPPING;
    return fmi3OK;
}

fmi3Status fmi3DoStep(fmi3Instance c, fmi3Float64 now, fmi3Float64 step, fmi3Boolean no_return, fmi3Boolean *event,
                      fmi3Boolean *terminate, fmi3Boolean *early, fmi3Float64 *reached) {
    block *const self = c;
    (void)no_return;
    ENTER(self, STAGE_STEPPING);
    EXPECT(self, step >= 0 && now - now == 0 && step - step == 0, "the step is negative or not finite");
    block_set_time(self, now + step);
    if (!self->set.event_mode) block_take_event(self);
    *event = self->set.event_mode && block_event_pending(self);
    *terminate = *early = fmi3False;
    *reached = self->set.time;
    return fmi3OK;
}

fmi3Status fmi3GetOutputDerivatives(fmi3Instance c, const fmi3ValueReference vr[], size_t count, const fmi3Int32 orders[],
                                    fmi3Float64 values[], size_t size) {
    block *const self = c;
    size_t k, at = 0;
    ENTER(self, STAGE_STEPPING | STAGE_TERMINATED);
    for (k = 0; k < count; at += block_extent(self, vr[k++])) {
        block_status status;
        EXPECT(self, orders[k] == 1, "outputs have derivatives of order 1 alone");
        EXPECT(self, at + block_extent(self, vr[k]) <= size, "fewer values than the variables have");
        if ((status = block_rate(self, vr[k], values + at)) != BLOCK_OK) return (fmi3Status)status;
    }
    EXPECT(self, at == size, "more values than the variables have");
    return fmi3OK;
}

fmi3Status fmi3ActivateModelPartition(fmi3Instance c, fmi3ValueReference clock, fmi3Float64 time) {
    block *const self = c;
    (void)clock, (void)time;
    ENTER(self, STAGE_ANY);
    return (fmi3Status)block_fail(self, "there is no scheduled execution");
}
