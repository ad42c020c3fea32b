/* FMI 3.0, Model Exchange and Co-Simulation: an instance's life, from one stage to the next. */
#include "fmi3.h"

#include <string.h>

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
