/* Instances: memory, variables, the domain, saved states. derivative.c has the derivatives. */
#include "block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const kd_channels jet_channels = {1, 0, {{0, 0}}};
static const double constants[] = KD_FMU_CONSTANTS;

/* A point counts as inside up to this share of the domain's width beyond a bound: the rounding of a
 * simulation's clock is no reason for an alarm, and the bound itself is inside. */
static const double slack = 1.0 / (1 << 30);

static block_status say(const block *self, block_status status, const char *category, const char *what) {
    char text[256];
    snprintf(text, sizeof text, "%s: %s", self->function, what);
    self->log(self, status, category, text);
    return status;
}

block_status block_fail(const block *self, const char *what) {
    return say(self, BLOCK_ERROR, "logStatusError", what);
}

block_status block_enter(block *self, int stages, const char *function) {
    if (self == NULL) return BLOCK_ERROR;
    self->function = function;
    return (int)self->set.stage & stages ? BLOCK_OK : block_fail(self, "not allowed in this mode of the instance");
}

/* ---- memory ---- */

static void *aligned(void *memory) {
    const uintptr_t at = (uintptr_t)memory;
    return (char *)memory + (KD_ALIGN - at % KD_ALIGN) % KD_ALIGN;
}

static uint32_t inputs_of(const block *self) { return kd_input_count(&self->model); }
static uint32_t outputs_of(const block *self) { return kd_output_count(&self->model); }

static void free_rows(block *self) {
    free(self->x), free(self->slope), free(self->wide), free(self->given), free(self->found);
    free(self->outside), free(self->flags);
    self->x = self->slope = self->wide = NULL, self->given = self->found = NULL;
    self->outside = self->flags = NULL;
}

static int allocate_rows(block *self, size_t points) {
    const size_t inputs = points * inputs_of(self), outputs = points * outputs_of(self);
    free_rows(self);
    self->set.points = points;
    self->x = malloc(inputs * sizeof *self->x);
    self->slope = malloc(inputs * sizeof *self->slope);
    self->wide = malloc(points * sizeof *self->wide);
    self->outside = calloc(points, 1);
    self->flags = malloc(points);
    self->given = malloc(inputs * sizeof *self->given);
    self->found = malloc((1 + inputs_of(self)) * outputs * sizeof *self->found);
    return self->x && self->slope && self->wide && self->outside && self->flags && self->given && self->found;
}

static int allocate_plan(block *self) {
    self->plan_memory = malloc(kd_plan_size(&self->model, KD_FMU_PRECISION) + KD_ALIGN);
    if (self->plan_memory == NULL) return 0;
    if (kd_plan_init(&self->plan, &self->model, KD_FMU_PRECISION, NULL, aligned(self->plan_memory)) != KD_OK) return 0;
    self->workspace_memory = malloc(kd_workspace_size(self->plan, &jet_channels) + KD_ALIGN);
    self->workspace = aligned(self->workspace_memory);
    return self->workspace_memory != NULL;
}

static void start_values(block *self) {
    kd_variable variable;
    size_t p;
    uint32_t i;
    for (i = 0; i < inputs_of(self); ++i) {
        kd_input(&self->model, i, &variable);
        for (p = 0; p < self->set.points; ++p) {
            self->x[p * inputs_of(self) + i] = 0.5 * (variable.lower + variable.upper);
            self->slope[p * inputs_of(self) + i] = 0;
        }
    }
    self->set.shift = 0;
    block_set_time(self, 0);
    block_take_event(self);
}

block *block_new(const char *name, const char *token, block_kind kind, int verbose, block_logger *log,
                 void (*callback)(void), void *environment) {
    block *self = calloc(1, sizeof *self);
    if (self == NULL) return NULL;
    self->log = log, self->callback = callback, self->environment = environment, self->verbose = verbose;
    self->function = "instantiate";
    snprintf(self->name, sizeof self->name, "%s", name ? name : "");
    memcpy(self->set.magic, "kdpinn 1", sizeof self->set.magic);
    memcpy(self->set.token, KD_FMU_TOKEN, sizeof KD_FMU_TOKEN);
    self->set.kind = kind, self->set.stage = STAGE_INSTANTIATED;
    if (token == NULL || strcmp(token, KD_FMU_TOKEN) != 0)
        block_fail(self, "the token is not that of this binary: the model description belongs to another FMU");
    else if (kd_load(&self->model, kd_fmu_model.bytes, sizeof kd_fmu_model.bytes) != KD_OK)
        block_fail(self, "the model inside this binary is damaged");
    else if (!allocate_plan(self) || !allocate_rows(self, KD_FMU_POINTS))
        block_fail(self, "out of memory");
    else {
        start_values(self);
        return self;
    }
    block_free(self);
    return NULL;
}

void block_free(block *self) {
    if (self == NULL) return;
    free_rows(self);
    free(self->plan_memory), free(self->workspace_memory), free(self);
}

void block_reset(block *self) {
    self->set.stage = STAGE_INSTANTIATED;
    start_values(self);
}

block_status block_resize(block *self, size_t points) {
    if (points < 1 || points > KD_FMU_MAX_POINTS) return block_fail(self, "number of points out of range");
    if (!allocate_rows(self, points)) {
        const int enough = allocate_rows(self, 1); /* a block has arrays, whatever happens */
        start_values(self);
        return enough ? block_fail(self, "out of memory for so many points") : BLOCK_FATAL;
    }
    start_values(self);
    return BLOCK_OK;
}

/* ---- evaluation ---- */

static block_status evaluate(block *self, int jets) {
    const size_t count = self->set.points * inputs_of(self);
    kd_status status;
    size_t k;
    if (self->has_jets || (self->has_values && !jets)) return BLOCK_OK;
    for (k = 0; k < count; ++k) self->given[k] = (KD_FMU_REAL)self->x[k];
    if (jets)
        status = KD_FMU_JET(self->plan, &jet_channels, self->set.points, self->given, self->found, self->workspace, NULL);
    else
        status = KD_FMU_EVALUATE(self->plan, self->set.points, self->given, self->found, self->workspace, NULL);
    if (status == KD_NOT_FINITE) return say(self, BLOCK_DISCARD, "logStatusDiscard", kd_status_text(status));
    if (status != KD_OK) return block_fail(self, kd_status_text(status));
    self->has_values = 1, self->has_jets = jets;
    return BLOCK_OK;
}

block_status block_jets(block *self, const KD_FMU_REAL **jets) {
    const block_status status = evaluate(self, 1);
    *jets = self->found;
    return status;
}

static void changed(block *self) { self->has_values = self->has_jets = 0; }

/* ---- variables ---- */

static int is_input(const block *self, uint32_t reference) {
    return reference >= VR_INPUT && reference - VR_INPUT < inputs_of(self) && (int)(reference - VR_INPUT) != KD_FMU_TIME_INPUT;
}

static int is_output(const block *self, uint32_t reference) {
    return reference >= VR_OUTPUT && reference - VR_OUTPUT < outputs_of(self);
}

block_type block_type_of(const block *self, uint32_t reference) {
    switch (reference) {
    case VR_TIME: case VR_MARGIN: return TYPE_REAL;
    case VR_SHIFT: return KD_FMU_TIME_INPUT >= 0 ? TYPE_REAL : TYPE_NONE;
    case VR_POINTS: return KD_FMU_ARRAYS ? TYPE_COUNT : TYPE_NONE;
    case VR_OUTSIDE: return TYPE_FLAG;
    case VR_SELFTEST: return KD_FMU_SELFTEST ? TYPE_FLAG : TYPE_NONE;
    default: break;
    }
    if (is_input(self, reference) || is_output(self, reference)) return TYPE_REAL;
    return reference >= VR_CONSTANT && reference - VR_CONSTANT < KD_FMU_CONSTANT_COUNT ? TYPE_REAL : TYPE_NONE;
}

size_t block_extent(const block *self, uint32_t reference) {
    const int many = is_input(self, reference) || is_output(self, reference) || reference == VR_OUTSIDE;
    return many ? self->set.points : 1;
}

block_status block_get_real(block *self, uint32_t reference, double *values) {
    const size_t points = self->set.points;
    size_t p;
    if (block_type_of(self, reference) != TYPE_REAL) return block_fail(self, "no such variable of this type");
    if (reference == VR_TIME) values[0] = self->set.time;
    else if (reference == VR_SHIFT) values[0] = self->set.shift;
    else if (reference == VR_MARGIN) values[0] = block_margin(self);
    else if (reference >= VR_CONSTANT) values[0] = constants[reference - VR_CONSTANT];
    else if (is_input(self, reference))
        for (p = 0; p < points; ++p) values[p] = self->x[p * inputs_of(self) + reference - VR_INPUT];
    else {
        const block_status status = evaluate(self, 0);
        if (status != BLOCK_OK) return status;
        for (p = 0; p < points; ++p) values[p] = self->found[p * outputs_of(self) + reference - VR_OUTPUT];
    }
    return BLOCK_OK;
}

/* In which stages a variable can be set; none if it is computed or constant. */
static int settable_in(const block *self, uint32_t reference) {
    const int early = STAGE_INSTANTIATED | STAGE_INITIALIZING;
    if (reference == VR_SHIFT && KD_FMU_TIME_INPUT >= 0) return early;
    if (!is_input(self, reference)) return 0;
    if (KD_FMU_PARAMETERS >> (reference - VR_INPUT) & 1) return early | STAGE_EVENT | STAGE_STEPPING;
    return early | STAGE_EVENT | STAGE_STEPPING | STAGE_CONTINUOUS;
}

block_status block_set_real(block *self, uint32_t reference, const double *values) {
    const int stages = settable_in(self, reference);
    size_t p;
    if (stages == 0) return block_fail(self, "the variable is unknown, or its value is not for the environment to set");
    if (!(stages & (int)self->set.stage)) return block_fail(self, "the variable cannot be set in this mode of the instance");
    if (reference == VR_SHIFT) {
        self->set.shift = values[0];
        block_set_time(self, self->set.time);
        return BLOCK_OK;
    }
    for (p = 0; p < self->set.points; ++p) self->x[p * inputs_of(self) + reference - VR_INPUT] = values[p];
    changed(self);
    return BLOCK_OK;
}

block_status block_set_slope(block *self, uint32_t reference, const double *values) {
    size_t p;
    if (!is_input(self, reference)) return block_fail(self, "the variable is not an input");
    for (p = 0; p < self->set.points; ++p) self->slope[p * inputs_of(self) + reference - VR_INPUT] = values[p];
    return BLOCK_OK;
}

void block_set_time(block *self, double time) {
    size_t p;
    self->set.time = time;
    if (KD_FMU_TIME_INPUT < 0) return;
    for (p = 0; p < self->set.points; ++p) self->x[p * inputs_of(self) + KD_FMU_TIME_INPUT] = time + self->set.shift;
    changed(self);
}

void block_advance(block *self, double step) {
    const size_t count = self->set.points * inputs_of(self);
    size_t k;
    for (k = 0; k < count; ++k) self->x[k] += step * self->slope[k];
    changed(self);
    block_set_time(self, self->set.time + step);
}

/* ---- the domain ---- */

static int nearer(double a, double b) { return a < b || a != a; } /* nothing is nearer than NaN */

static block_bound nearest(const block *self, size_t point) {
    block_bound found = {0, 0, point, 0};
    uint32_t i;
    for (i = 0; i < inputs_of(self); ++i) {
        const double x = self->x[point * inputs_of(self) + i];
        kd_variable variable;
        double width, above, below;
        kd_input(&self->model, i, &variable);
        width = variable.upper - variable.lower;
        above = (x - variable.lower) / width, below = (variable.upper - x) / width;
        if (i == 0 || nearer(above, found.distance)) found.distance = above, found.slope = 1 / width, found.input = i;
        if (nearer(below, found.distance)) found.distance = below, found.slope = -1 / width, found.input = i;
    }
    return found;
}

block_bound block_nearest(const block *self) {
    block_bound least = nearest(self, 0);
    size_t p;
    for (p = 1; p < self->set.points; ++p) {
        const block_bound next = nearest(self, p);
        if (nearer(next.distance, least.distance)) least = next;
    }
    return least;
}

double block_margin(const block *self) { return block_nearest(self).distance + slack; }

static uint8_t is_outside(const block *self, size_t point) {
    return !(nearest(self, point).distance + slack > 0); /* NaN is outside */
}

int block_event_pending(const block *self) {
    size_t p;
    for (p = 0; p < self->set.points; ++p)
        if (is_outside(self, p) != self->outside[p]) return 1;
    return 0;
}

void block_take_event(block *self) {
    size_t p, before = 0, now = 0;
    for (p = 0; p < self->set.points; ++p) {
        before += self->outside[p];
        self->outside[p] = is_outside(self, p);
        now += self->outside[p];
    }
    if (now > before && self->verbose)
        say(self, BLOCK_WARNING, "logStatusWarning", "the inputs are outside the domain that the model was made for");
}

static block_status selftest(block *self, uint8_t *passed) {
    void *const memory = malloc(kd_selftest_size(self->plan, &self->model) + KD_ALIGN);
    kd_selftest_result result;
    kd_status status;
    if (memory == NULL) return block_fail(self, "out of memory");
    status = kd_selftest(self->plan, &self->model, aligned(memory), &result);
    free(memory);
    *passed = status == KD_OK && result.passed;
    return BLOCK_OK;
}

block_status block_get_flag(block *self, uint32_t reference, uint8_t *values) {
    const int held = self->set.stage == STAGE_CONTINUOUS || (self->set.stage == STAGE_STEPPING && self->set.event_mode);
    if (block_type_of(self, reference) != TYPE_FLAG) return block_fail(self, "no such variable of this type");
    if (reference == VR_SELFTEST) return selftest(self, values);
    if (!held && self->set.stage != STAGE_TERMINATED) block_take_event(self);
    memcpy(values, self->outside, self->set.points);
    return BLOCK_OK;
}

/* ---- saved states: the settings, x, slope, outside ---- */

static size_t state_size(const block *self, size_t points) {
    return sizeof(block_settings) + 2 * points * inputs_of(self) * sizeof(double) + points;
}

block_state *block_save(const block *self) {
    const size_t points = self->set.points, row = points * inputs_of(self) * sizeof(double);
    const size_t size = state_size(self, points);
    block_state *const state = malloc(sizeof *state + size);
    uint8_t *at;
    if (state == NULL) return NULL;
    state->size = size, at = state->bytes;
    memcpy(at, &self->set, sizeof self->set), at += sizeof self->set;
    memcpy(at, self->x, row), at += row;
    memcpy(at, self->slope, row), at += row;
    memcpy(at, self->outside, points);
    return state;
}

block_status block_restore(block *self, const block_state *state) {
    block_settings set;
    const uint8_t *at = state->bytes + sizeof set;
    size_t row;
    memcpy(&set, state->bytes, sizeof set);
    if (set.points != self->set.points) {
        const block_status status = block_resize(self, (size_t)set.points);
        if (status != BLOCK_OK) return status;
    }
    row = self->set.points * inputs_of(self) * sizeof(double);
    memcpy(self->x, at, row), at += row;
    memcpy(self->slope, at, row), at += row;
    memcpy(self->outside, at, self->set.points);
    self->set = set;
    changed(self);
    return BLOCK_OK;
}

static int is_stage(uint32_t stage) { return stage != 0 && stage <= STAGE_TERMINATED && (stage & (stage - 1)) == 0; }

block_state *block_state_from(const block *self, const void *bytes, size_t size) {
    block_state *state;
    block_settings set;
    size_t p;
    if (bytes == NULL || size < sizeof set) return NULL;
    memcpy(&set, bytes, sizeof set);
    if (memcmp(set.magic, self->set.magic, sizeof set.magic) != 0 || memcmp(set.token, self->set.token, sizeof set.token) != 0)
        return NULL;
    if (set.kind != self->set.kind || !is_stage(set.stage) || set.event_mode > 1 || set.unused != 0) return NULL;
    if (set.points < 1 || set.points > KD_FMU_MAX_POINTS || size != state_size(self, (size_t)set.points)) return NULL;
    for (p = 0; p < set.points; ++p)
        if (((const uint8_t *)bytes)[size - 1 - p] > 1) return NULL;
    state = malloc(sizeof *state + size);
    if (state == NULL) return NULL;
    state->size = size;
    memcpy(state->bytes, bytes, size);
    return state;
}
