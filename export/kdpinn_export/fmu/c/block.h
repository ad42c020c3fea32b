/* A model as a block of a simulation: what both FMI versions share. fmi2.c and fmi3*.c put the
 * standard's functions around it.
 *
 * The block has `points` copies of the model's variables (1 but for the arrays of FMI 3), one clock and
 * no continuous states. Nothing here is global: instances are independent, also across threads. */
#ifndef KDPINN_BLOCK_H
#define KDPINN_BLOCK_H

#include "config.h"
#include "kdpinn.h"

#include <stddef.h>
#include <stdint.h>

enum { /* value references */
    VR_TIME, VR_POINTS, VR_SHIFT, VR_MARGIN, VR_OUTSIDE, VR_SELFTEST,
    VR_INPUT = 16, /* and the following, one for each input of the model */
    VR_OUTPUT = 32,
    VR_CONSTANT = 48 /* the parameters of the model's equations */
};

/* Numbered as fmi2Status and fmi3Status are. */
typedef enum { BLOCK_OK, BLOCK_WARNING, BLOCK_DISCARD, BLOCK_ERROR, BLOCK_FATAL } block_status;

typedef enum { /* of an instance's life; bits, so that a function can name those it belongs to */
    STAGE_INSTANTIATED = 1, STAGE_CONFIGURING = 2, STAGE_INITIALIZING = 4, STAGE_EVENT = 8,
    STAGE_CONTINUOUS = 16, STAGE_STEPPING = 32, STAGE_TERMINATED = 64,
    STAGE_RUNNING = STAGE_INITIALIZING | STAGE_EVENT | STAGE_CONTINUOUS | STAGE_STEPPING,
    STAGE_ANY = 127
} block_stage;

typedef enum { TYPE_NONE, TYPE_REAL, TYPE_FLAG, TYPE_COUNT } block_type;
typedef enum { KIND_MODEL_EXCHANGE = 1, KIND_CO_SIMULATION } block_kind;

typedef struct block block;
/* Passes a message on to the environment; `category` is one of the model description's. */
typedef void block_logger(const block *self, block_status status, const char *category, const char *text);

/* What the environment and the clock have set, but for the arrays; copied into saved states. */
typedef struct {
    char magic[8], token[40];
    uint64_t points;
    uint32_t kind, stage, event_mode;
    uint32_t unused;
    double time, shift; /* the model's time is their sum, where it has one */
} block_settings;

struct block {
    block_settings set;
    double *x;        /* (points, inputs) */
    double *slope;    /* (points, inputs): how the environment extrapolates them */
    uint8_t *outside; /* (points), as it was at the last event */

    kd_model model;
    kd_plan *plan;
    void *plan_memory, *workspace_memory, *workspace;
    KD_FMU_REAL *given, *found; /* x, and jets (1 + inputs, points, outputs), as the core takes them */
    double *wide;               /* (points) and */
    uint8_t *flags;             /* (points): for conversions of types */
    int has_values, has_jets;   /* of `found`, whether it belongs to x */

    int verbose;
    const char *function; /* of the standard, which runs now */
    block_logger *log;
    void (*callback)(void); /* the environment's function, for the logger to cast */
    void *environment;
    char name[128];
};

/* NULL, and a message, if the token is another FMU's or memory ran out. */
block *block_new(const char *name, const char *token, block_kind kind, int verbose, block_logger *log,
                 void (*callback)(void), void *environment);
void block_free(block *self);
void block_reset(block *self);
block_status block_resize(block *self, size_t points); /* and back to the start values */

/* An error, and a message, unless the instance is in one of `stages`. */
block_status block_enter(block *self, int stages, const char *function);
block_status block_fail(const block *self, const char *what);

block_type block_type_of(const block *self, uint32_t reference);
/* How many numbers a variable has: `points`, or 1 where it belongs to the whole block. */
size_t block_extent(const block *self, uint32_t reference);
/* The numbers of one variable, `block_extent` of them. */
block_status block_get_real(block *self, uint32_t reference, double *values);
block_status block_set_real(block *self, uint32_t reference, const double *values);
/* How fast the environment lets an input change, from now on. */
block_status block_set_slope(block *self, uint32_t reference, const double *values);
block_status block_get_flag(block *self, uint32_t reference, uint8_t *values);

/* Moves the clock; block_advance moves the inputs too, along their slopes. */
void block_set_time(block *self, double time);
void block_advance(block *self, double step);
/* Whether the points that lie outside the domain are others than at the last event. */
int block_event_pending(const block *self);
void block_take_event(block *self);
/* How far inside the domain the outermost point lies: the distance to the nearest bound as a share of
 * the distance between both, negative outside. */
double block_margin(const block *self);

/* Derivatives of real `unknowns` by real `knowns`, J. Vectors hold the numbers of all variables, one
 * after the other. Forwards: result (unknowns) = J seed; adjoint: result (knowns) = J^T seed. */
block_status block_derivative(block *self, const uint32_t *unknowns, size_t unknown_count, const uint32_t *knowns,
                              size_t known_count, const double *seed, double *result, int adjoint);
/* How many variables a real output depends on, and which; 0 for what is no real output. */
size_t block_dependencies(const block *self, uint32_t unknown);
int block_depends(const block *self, uint32_t unknown, uint32_t known);
/* How an output changes with the simulation's time, while inputs follow their slopes. */
block_status block_rate(block *self, uint32_t reference, double *values);

/* For derivative.c: all jets (1 + inputs, points, outputs), and the bound of the domain that is nearest
 * to one of the points, with the slope of the distance by the input that it bounds. */
block_status block_jets(block *self, const KD_FMU_REAL **jets);
typedef struct {
    double distance, slope;
    size_t point;
    uint32_t input;
} block_bound;
block_bound block_nearest(const block *self);

/* Saved states: one piece of memory that the environment may also keep as bytes. */
typedef struct { /* freed by free */
    size_t size;
    uint8_t bytes[1]; /* `size` of them */
} block_state;
block_state *block_save(const block *self); /* NULL: no memory */
block_status block_restore(block *self, const block_state *state);
block_state *block_state_from(const block *self, const void *bytes, size_t size); /* NULL: not such a state */

/* Saved states as both versions of the standard have them, see states.c; `function` is the standard's. */
block_status block_get_state(block *self, const char *function, void **state);
block_status block_set_state(block *self, const char *function, const void *state);
block_status block_free_state(block *self, const char *function, void **state);
block_status block_state_size(block *self, const char *function, const void *state, size_t *size);
block_status block_write_state(block *self, const char *function, const void *state, void *bytes, size_t size);
block_status block_read_state(block *self, const char *function, const void *bytes, size_t size, void **state);

#endif
