/* FMI 2.0, Model Exchange and Co-Simulation: the standard's functions around a block. */
#include "block.h"
#include "fmi2Functions.h"

#include <stdlib.h>
#include <string.h>

#define ENTER(instance, stages)                                                       \
    do {                                                                              \
        const block_status entered = block_enter(instance, stages, __func__);         \
        if (entered != BLOCK_OK) return (fmi2Status)entered;                          \
    } while (0)
#define EXPECT(instance, condition, what)                                             \
    do {                                                                              \
        if (!(condition)) return (fmi2Status)block_fail(instance, what);              \
    } while (0)

static void pass_on(const block *self, block_status status, const char *category, const char *text) {
    const fmi2CallbackLogger logger = (fmi2CallbackLogger)self->callback;
    if (logger != NULL) logger(self->environment, self->name, (fmi2Status)status, category, text);
}

/* Stages between the end of initialization and termination. */
static int running(const block *self) {
    return self->set.kind == KIND_CO_SIMULATION ? STAGE_STEPPING : STAGE_EVENT | STAGE_CONTINUOUS;
}

/* ---- common functions ---- */

const char *fmi2GetTypesPlatform(void) { return fmi2TypesPlatform; }
const char *fmi2GetVersion(void) { return fmi2Version; }

fmi2Status fmi2SetDebugLogging(fmi2Component c, fmi2Boolean on, size_t count, const fmi2String categories[]) {
    block *const self = c;
    size_t k;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count; ++k)
        EXPECT(self, categories[k] != NULL && strncmp(categories[k], "log", 3) == 0, "unknown log category");
    self->verbose = on;
    return fmi2OK;
}

fmi2Component fmi2Instantiate(fmi2String name, fmi2Type type, fmi2String token, fmi2String resources,
                              const fmi2CallbackFunctions *functions, fmi2Boolean visible, fmi2Boolean verbose) {
    const block_kind kind = type == fmi2CoSimulation ? KIND_CO_SIMULATION : KIND_MODEL_EXCHANGE;
    (void)resources, (void)visible;
    if (functions == NULL) return NULL;
    return block_new(name, token, kind, verbose, pass_on, (void (*)(void))functions->logger, functions->componentEnvironment);
}

void fmi2FreeInstance(fmi2Component c) { block_free(c); }

fmi2Status fmi2SetupExperiment(fmi2Component c, fmi2Boolean tolerance_defined, fmi2Real tolerance, fmi2Real start,
                               fmi2Boolean stop_defined, fmi2Real stop) {
    block *const self = c;
    (void)tolerance_defined, (void)tolerance;
    ENTER(self, STAGE_INSTANTIATED);
    EXPECT(self, start - start == 0 && !(stop_defined && stop < start), "the simulation ends before it starts");
    block_set_time(self, start);
    return fmi2OK;
}

fmi2Status fmi2EnterInitializationMode(fmi2Component c) {
    block *const self = c;
    ENTER(self, STAGE_INSTANTIATED);
    self->set.stage = STAGE_INITIALIZING;
    return fmi2OK;
}

fmi2Status fmi2ExitInitializationMode(fmi2Component c) {
    block *const self = c;
    ENTER(self, STAGE_INITIALIZING);
    block_take_event(self);
    self->set.stage = self->set.kind == KIND_CO_SIMULATION ? STAGE_STEPPING : STAGE_EVENT;
    return fmi2OK;
}

fmi2Status fmi2Terminate(fmi2Component c) {
    block *const self = c;
    ENTER(self, running(self));
    self->set.stage = STAGE_TERMINATED;
    return fmi2OK;
}

fmi2Status fmi2Reset(fmi2Component c) {
    block *const self = c;
    ENTER(self, STAGE_ANY);
    block_reset(self);
    return fmi2OK;
}

/* ---- variables ---- */

fmi2Status fmi2GetReal(fmi2Component c, const fmi2ValueReference vr[], size_t count, fmi2Real value[]) {
    block *const self = c;
    block_status status = BLOCK_OK;
    size_t k;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count && status == BLOCK_OK; ++k) status = block_get_real(self, vr[k], &value[k]);
    return (fmi2Status)status;
}

fmi2Status fmi2GetInteger(fmi2Component c, const fmi2ValueReference vr[], size_t count, fmi2Integer value[]) {
    block *const self = c;
    (void)vr, (void)value;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count == 0, "the model has no integer variables");
    return fmi2OK;
}

fmi2Status fmi2GetBoolean(fmi2Component c, const fmi2ValueReference vr[], size_t count, fmi2Boolean value[]) {
    block *const self = c;
    size_t k;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count; ++k) {
        uint8_t flag;
        const block_status status = block_get_flag(self, vr[k], &flag);
        if (status != BLOCK_OK) return (fmi2Status)status;
        value[k] = flag;
    }
    return fmi2OK;
}

fmi2Status fmi2GetString(fmi2Component c, const fmi2ValueReference vr[], size_t count, fmi2String value[]) {
    block *const self = c;
    (void)vr, (void)value;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count == 0, "the model has no string variables");
    return fmi2OK;
}

fmi2Status fmi2SetReal(fmi2Component c, const fmi2ValueReference vr[], size_t count, const fmi2Real value[]) {
    block *const self = c;
    block_status status = BLOCK_OK;
    size_t k;
    ENTER(self, STAGE_ANY);
    for (k = 0; k < count && status == BLOCK_OK; ++k) status = block_set_real(self, vr[k], &value[k]);
    return (fmi2Status)status;
}

fmi2Status fmi2SetInteger(fmi2Component c, const fmi2ValueReference vr[], size_t count, const fmi2Integer value[]) {
    block *const self = c;
    (void)vr, (void)value;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count == 0, "the model has no integer variables");
    return fmi2OK;
}

fmi2Status fmi2SetBoolean(fmi2Component c, const fmi2ValueReference vr[], size_t count, const fmi2Boolean value[]) {
    block *const self = c;
    (void)vr, (void)value;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count == 0, "the model's Boolean variables are not for the environment to set");
    return fmi2OK;
}

fmi2Status fmi2SetString(fmi2Component c, const fmi2ValueReference vr[], size_t count, const fmi2String value[]) {
    block *const self = c;
    (void)vr, (void)value;
    ENTER(self, STAGE_ANY);
    EXPECT(self, count == 0, "the model has no string variables");
    return fmi2OK;
}

/* ---- saved states ---- */

fmi2Status fmi2GetFMUstate(fmi2Component c, fmi2FMUstate *state) {
    return (fmi2Status)block_get_state(c, __func__, state);
}

fmi2Status fmi2SetFMUstate(fmi2Component c, fmi2FMUstate state) {
    return (fmi2Status)block_set_state(c, __func__, state);
}

fmi2Status fmi2FreeFMUstate(fmi2Component c, fmi2FMUstate *state) {
    return (fmi2Status)block_free_state(c, __func__, state);
}

fmi2Status fmi2SerializedFMUstateSize(fmi2Component c, fmi2FMUstate state, size_t *size) {
    return (fmi2Status)block_state_size(c, __func__, state, size);
}

fmi2Status fmi2SerializeFMUstate(fmi2Component c, fmi2FMUstate state, fmi2Byte bytes[], size_t size) {
    return (fmi2Status)block_write_state(c, __func__, state, bytes, size);
}

fmi2Status fmi2DeSerializeFMUstate(fmi2Component c, const fmi2Byte bytes[], size_t size, fmi2FMUstate *state) {
    return (fmi2Status)block_read_state(c, __func__, bytes, size, state);
}

fmi2Status fmi2GetDirectionalDerivative(fmi2Component c, const fmi2ValueReference unknowns[], size_t unknown_count,
                                        const fmi2ValueReference knowns[], size_t known_count, const fmi2Real seed[],
                                        fmi2Real result[]) {
    block *const self = c;
    ENTER(self, STAGE_RUNNING | STAGE_TERMINATED);
    return (fmi2Status)block_derivative(self, unknowns, unknown_count, knowns, known_count, seed, result, 0);
}

/* ---- Model Exchange ---- */

fmi2Status fmi2EnterEventMode(fmi2Component c) {
    block *const self = c;
    ENTER(self, running(self) & ~STAGE_STEPPING);
    self->set.stage = STAGE_EVENT;
    return fmi2OK;
}

fmi2Status fmi2NewDiscreteStates(fmi2Component c, fmi2EventInfo *info) {
    block *const self = c;
    ENTER(self, STAGE_EVENT);
    block_take_event(self);
    memset(info, 0, sizeof *info);
    return fmi2OK;
}

fmi2Status fmi2EnterContinuousTimeMode(fmi2Component c) {
    block *const self = c;
    ENTER(self, STAGE_EVENT);
    block_take_event(self);
    self->set.stage = STAGE_CONTINUOUS;
    return fmi2OK;
}

fmi2Status fmi2CompletedIntegratorStep(fmi2Component c, fmi2Boolean no_return, fmi2Boolean *event, fmi2Boolean *terminate) {
    block *const self = c;
    (void)no_return;
    ENTER(self, STAGE_CONTINUOUS);
    *event = block_event_pending(self), *terminate = fmi2False;
    return fmi2OK;
}

fmi2Status fmi2SetTime(fmi2Component c, fmi2Real time) {
    block *const self = c;
    ENTER(self, running(self) & ~STAGE_STEPPING);
    EXPECT(self, time - time == 0, "the time is not finite");
    block_set_time(self, time);
    return fmi2OK;
}

fmi2Status fmi2GetEventIndicators(fmi2Component c, fmi2Real indicators[], size_t count) {
    block *const self = c;
    ENTER(self, STAGE_RUNNING | STAGE_TERMINATED);
    EXPECT(self, count == 1, "the model has one event indicator");
    indicators[0] = block_margin(self);
    return fmi2OK;
}

static fmi2Status stateless(block *self, size_t count, const char *function) {
    const block_status status = block_enter(self, STAGE_RUNNING | STAGE_TERMINATED, function);
    if (status != BLOCK_OK) return (fmi2Status)status;
    EXPECT(self, count == 0, "the model has no continuous states");
    return fmi2OK;
}

fmi2Status fmi2SetContinuousStates(fmi2Component c, const fmi2Real x[], size_t count) {
    (void)x;
    return stateless(c, count, __func__);
}

fmi2Status fmi2GetDerivatives(fmi2Component c, fmi2Real derivatives[], size_t count) {
    (void)derivatives;
    return stateless(c, count, __func__);
}

fmi2Status fmi2GetContinuousStates(fmi2Component c, fmi2Real x[], size_t count) {
    (void)x;
    return stateless(c, count, __func__);
}

fmi2Status fmi2GetNominalsOfContinuousStates(fmi2Component c, fmi2Real nominals[], size_t count) {
    (void)nominals;
    return stateless(c, count, __func__);
}

/* ---- Co-Simulation ---- */

fmi2Status fmi2SetRealInputDerivatives(fmi2Component c, const fmi2ValueReference vr[], size_t count,
                                       const fmi2Integer order[], const fmi2Real value[]) {
    block *const self = c;
    block_status status = BLOCK_OK;
    size_t k;
    ENTER(self, STAGE_INITIALIZING | STAGE_STEPPING);
    for (k = 0; k < count && status == BLOCK_OK; ++k) {
        EXPECT(self, order[k] == 1, "inputs are extrapolated linearly: the derivative of order 1 alone");
        status = block_set_slope(self, vr[k], &value[k]);
    }
    return (fmi2Status)status;
}

fmi2Status fmi2GetRealOutputDerivatives(fmi2Component c, const fmi2ValueReference vr[], size_t count,
                                        const fmi2Integer order[], fmi2Real value[]) {
    block *const self = c;
    block_status status = BLOCK_OK;
    size_t k;
    ENTER(self, STAGE_STEPPING | STAGE_TERMINATED);
    for (k = 0; k < count && status == BLOCK_OK; ++k) {
        EXPECT(self, order[k] == 1, "outputs have derivatives of order 1 alone");
        status = block_rate(self, vr[k], &value[k]);
    }
    return (fmi2Status)status;
}

fmi2Status fmi2DoStep(fmi2Component c, fmi2Real now, fmi2Real step, fmi2Boolean no_return) {
    block *const self = c;
    (void)no_return;
    ENTER(self, STAGE_STEPPING);
    EXPECT(self, step >= 0 && now - now == 0 && step - step == 0, "the step is negative or not finite");
    block_set_time(self, now);
    block_advance(self, step);
    block_take_event(self);
    return fmi2OK;
}

fmi2Status fmi2CancelStep(fmi2Component c) {
    block *const self = c;
    ENTER(self, STAGE_STEPPING);
    return (fmi2Status)block_fail(self, "steps do not run in the background");
}

static fmi2Status no_status(block *self, const char *function) {
    const block_status status = block_enter(self, STAGE_ANY, function);
    return status == BLOCK_OK ? fmi2Discard : (fmi2Status)status; /* the standard's answer: not to be had */
}

fmi2Status fmi2GetStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Status *value) {
    (void)kind, (void)value;
    return no_status(c, __func__);
}

fmi2Status fmi2GetRealStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Real *value) {
    block *const self = c;
    if (self == NULL || kind != fmi2LastSuccessfulTime) return no_status(self, __func__);
    *value = self->set.time;
    return fmi2OK;
}

fmi2Status fmi2GetIntegerStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Integer *value) {
    (void)kind, (void)value;
    return no_status(c, __func__);
}

fmi2Status fmi2GetBooleanStatus(fmi2Component c, const fmi2StatusKind kind, fmi2Boolean *value) {
    block *const self = c;
    if (self == NULL || kind != fmi2Terminated) return no_status(self, __func__);
    *value = fmi2False;
    return fmi2OK;
}

fmi2Status fmi2GetStringStatus(fmi2Component c, const fmi2StatusKind kind, fmi2String *value) {
    (void)kind, (void)value;
    return no_status(c, __func__);
}
