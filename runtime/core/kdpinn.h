/* kdpinn runtime core: evaluates a model.kdp file, with exact derivatives.
 *
 * Freestanding C99: no libc, no allocation, no globals, no threads of its own. The caller owns the
 * file's bytes and all memory. Every function may be called from many threads at once as long as
 * each thread passes its own workspace.
 *
 *     kd_model model;
 *     kd_plan *plan;
 *     kd_status status = kd_load(&model, bytes, size);                  check the whole file
 *     void *memory = aligned_alloc(KD_ALIGN, kd_plan_size(&model, KD_F32));
 *     status = kd_plan_init(&plan, &model, KD_F32, NULL, memory);       pack the weights once
 *     void *work = aligned_alloc(KD_ALIGN, kd_workspace_size(plan, &KD_VALUES));
 *     status = kd_eval(plan, n, x, y, work, NULL);                      x (n, inputs), y (n, outputs)
 *
 * Inputs and outputs are in the units of the file's variables.
 */
#ifndef KDPINN_H
#define KDPINN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(KD_API) /* empty: to keep the interface inside a library of one's own */
#elif defined(__GNUC__) && !defined(_WIN32)
#define KD_API __attribute__((visibility("default")))
#else
#define KD_API
#endif

#define KD_ALIGN 64u       /* alignment of plan memory and workspaces, bytes */
#define KD_MAX_INPUTS 16u
#define KD_MAX_OUTPUTS 16u
#define KD_MAX_PAIRS 136u  /* second derivatives in one call: d (d + 1) / 2 for 16 inputs */

/* One table for codes and texts; docs/format.md explains each refusal. */
#define KD_STATUS_LIST(X)                                                                   \
    X(OK, "ok")                                                                             \
    X(TRUNCATED, "the file is shorter than its preamble says")                              \
    X(MAGIC, "this is not a kdpinn model file")                                             \
    X(VERSION, "the file's format version is not supported by this runtime")                \
    X(TOO_LARGE, "the file exceeds a limit of the format")                                  \
    X(SIZES, "the section sizes do not add up to the file's size")                          \
    X(DIGEST, "the SHA-256 digest does not match: the file was changed or damaged")         \
    X(PADDING, "an unused byte is not zero")                                                \
    X(RECORD, "the program has an unknown, misplaced or miscounted record")                 \
    X(NAME, "a name or unit is malformed or used twice")                                    \
    X(VALUE, "a number is not finite or out of its range")                                  \
    X(TENSOR, "a tensor's shape, offset or size is wrong")                                  \
    X(DTYPE, "a tensor's number format is not supported by this runtime")                   \
    X(LAYER, "the layers do not fit together")                                              \
    X(MAP, "a function of the coordinates is malformed")                                    \
    X(SYMMETRY, "the network's symmetry contradicts itself or its layers")                  \
    X(RESIDUAL, "the equation refers to something that the file does not have")             \
    X(BASELINE, "the baseline tables do not fit the model")                                 \
    X(MISALIGNED, "the file's bytes, plan memory or workspace are not aligned")                \
    X(ARGUMENT, "an argument is out of range")                                              \
    X(PRECISION, "the plan was made for the other precision, or this one was not built in")  \
    X(ISA, "this processor has no such instruction set, or it was not built in")            \
    X(NOT_FINITE, "an input is NaN or infinite; the report names its row")

#define KD_ENUM(code, text) KD_##code,
typedef enum { KD_STATUS_LIST(KD_ENUM) KD_STATUS_COUNT } kd_status;
#undef KD_ENUM

KD_API const char *kd_status_name(kd_status status); /* "TRUNCATED" */
KD_API const char *kd_status_text(kd_status status); /* one sentence */
KD_API const char *kd_version(void);                 /* "0.1.0" */

typedef enum { KD_F32 = 1, KD_F64 = 2 } kd_precision;

/* A checked view of a file: it points into `bytes`, which must outlive it, and owns nothing. */
#define KD_RECORD_KINDS 16
typedef struct {
    const uint8_t *bytes, *tensors, *baseline;
    size_t size;
    const uint8_t *records[KD_RECORD_KINDS]; /* first record of each kind */
    uint32_t count[KD_RECORD_KINDS];
} kd_model;

/* Checks every byte; on any status but KD_OK the model must not be used. `bytes` 8-aligned. */
KD_API kd_status kd_load(kd_model *model, const void *bytes, size_t size);

typedef struct {
    char name[24], unit[16]; /* zero-terminated */
    double lower, upper;     /* inputs: the domain; outputs: the range over the baseline */
} kd_variable;

KD_API uint32_t kd_input_count(const kd_model *model);
KD_API uint32_t kd_output_count(const kd_model *model);
KD_API uint32_t kd_parameter_count(const kd_model *model); /* weights and biases, tied ones once */
KD_API kd_status kd_input(const kd_model *model, uint32_t index, kd_variable *out);
KD_API kd_status kd_output(const kd_model *model, uint32_t index, kd_variable *out);

/* A plan holds the weights, packed for one precision and instruction set, in the caller's memory. */
typedef struct kd_plan kd_plan;

KD_API size_t kd_plan_size(const kd_model *model, kd_precision precision);
/* isa: NULL for the best that this processor has, or one that kd_isa_name lists: "avx512", "avx2",
 * "neon", "scalar". */
KD_API kd_status kd_plan_init(kd_plan **plan, const kd_model *model, kd_precision precision,
                              const char *isa, void *memory);
KD_API const char *kd_plan_isa(const kd_plan *plan);
/* The instruction sets that this processor can run, best first; NULL past the last. */
KD_API const char *kd_isa_name(size_t index);

/* What to compute: channels are the value, then first derivatives in the order of the inputs, then
 * one second derivative by inputs pair[k][0] and pair[k][1] for each k < pairs. `first` is 0 for
 * none, 1 for one by each input, or the sum of KD_FIRST_BY(i) for the inputs i whose derivatives
 * are wanted; second derivatives need the first ones by both of their inputs. */
#define KD_FIRST_BY(i) (2u << (i))
typedef struct {
    uint32_t first, pairs;
    uint8_t pair[KD_MAX_PAIRS][2];
} kd_channels;

KD_API extern const kd_channels KD_VALUES; /* the value alone */

KD_API uint32_t kd_channel_count(const kd_plan *plan, const kd_channels *channels);
KD_API size_t kd_workspace_size(const kd_plan *plan, const kd_channels *channels);

typedef struct {
    uint64_t outside; /* points outside the domain so far; the caller sets it to 0 */
    uint64_t row;     /* KD_NOT_FINITE: the first row with a NaN or infinite input */
} kd_report;

/* y (n, outputs) = model at x (n, inputs), both row-major. `report` may be NULL. On KD_NOT_FINITE
 * the rows of y from the reported one on are not meaningful. x and y may have any alignment. */
KD_API kd_status kd_eval(const kd_plan *plan, size_t n, const float *x, float *y, void *workspace,
                         kd_report *report);
KD_API kd_status kd_eval_f64(const kd_plan *plan, size_t n, const double *x, double *y,
                             void *workspace, kd_report *report);

/* jets (channels, n, outputs): values and derivatives with respect to the physical inputs. */
KD_API kd_status kd_jet(const kd_plan *plan, const kd_channels *channels, size_t n, const float *x,
                        float *jets, void *workspace, kd_report *report);
KD_API kd_status kd_jet_f64(const kd_plan *plan, const kd_channels *channels, size_t n,
                            const double *x, double *jets, void *workspace, kd_report *report);

/* The file's own channels: value, first derivatives, the second derivatives its equations use. */
KD_API void kd_equation_channels(const kd_model *model, kd_channels *out);
KD_API uint32_t kd_equation_count(const kd_model *model);
KD_API uint32_t kd_data_count(const kd_model *model); /* columns of the tabulated source terms */
/* residual (n, equations) from jets over kd_equation_channels, x (n, inputs) and the tabulated
 * source terms `data` (n, columns; NULL if the file has none). */
KD_API kd_status kd_residual(const kd_model *model, size_t n, const double *x, const double *jets,
                             const double *data, double *residual);

/* ---- the baseline that the file carries, replayed on this very machine ---- */

typedef struct {
    uint32_t carried, passed; /* what the file does not carry passes, with measured and limit 0 */
    double measured, limit;   /* passed: measured <= limit; NaN fails */
} kd_check;

typedef struct {
    uint64_t points; /* replayed; 0 if the file has no baseline, and then nothing was checked */
    uint32_t passed; /* no check failed */
    uint32_t equation; /* the one that `residual` speaks of */
    kd_check expected;  /* known answers: largest |difference| relative to the largest |answer| */
    kd_check reference; /* true solution: relative L2 over all outputs */
    kd_check teacher;   /* teacher's outputs: likewise */
    kd_check residual;  /* largest RMS of an equation's residual relative to its own limit; limit 1 */
} kd_selftest_result;

/* Everything is evaluated in the plan's precision. The limits are the file's; for the known answers in
 * KD_F64 it is the bound on rounding that follows from the weights, so that one weight changed by one
 * unit in its last place is seen. KD_OK says that the replay ran; result->passed is its verdict.
 * `plan` was made from `model`; workspace: kd_selftest_size bytes, KD_ALIGN-aligned. */
KD_API size_t kd_selftest_size(const kd_plan *plan, const kd_model *model);
KD_API kd_status kd_selftest(const kd_plan *plan, const kd_model *model, void *workspace,
                             kd_selftest_result *result);

#ifdef __cplusplus
}
#endif
#endif
