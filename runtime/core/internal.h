/* What the core's files share; not part of the interface. */
#ifndef KDPINN_INTERNAL_H
#define KDPINN_INTERNAL_H

#include "kdpinn.h"

enum { KD_IDENTITY, KD_TANH, KD_SIN, KD_SIGMOID, KD_SILU, KD_RELU, KD_GELU, KD_ACTIVATIONS };

enum { /* record kinds; docs/format.md */
    KD_REC_INPUT = 1, KD_REC_OUTPUT, KD_REC_TENSOR, KD_REC_NORMALIZE, KD_REC_DENSE, KD_REC_SYMMETRY,
    KD_REC_AFFINE, KD_REC_SECOND, KD_REC_PARAMETER, KD_REC_EQUATION, KD_REC_TERM, KD_REC_BASELINE,
    KD_REC_TARGET, KD_REC_FEATURE, KD_REC_EXACT
};
enum { /* of functions of the coordinates */
    KD_OPERATION_COORDINATE = 1, KD_OPERATION_CONSTANT, KD_OPERATION_ADD, KD_OPERATION_MULTIPLY,
    KD_OPERATION_RECIPROCAL, KD_OPERATION_SIN, KD_OPERATION_EXP, KD_OPERATION_TANH, KD_OPERATIONS
};
enum { KD_FACTOR_COORDINATE = 1, KD_FACTOR_VALUE, KD_FACTOR_FIRST, KD_FACTOR_SECOND,
       KD_FACTOR_PARAMETER, KD_FACTOR_DATA };
enum { KD_ROLE_POINTS = 1, KD_ROLE_REFERENCE, KD_ROLE_TEACHER, KD_ROLE_EXPECTED, KD_ROLE_DATA };
enum { /* number types of tensors */
    KD_TYPE_F32 = 1, KD_TYPE_F64, KD_TYPE_F16, KD_TYPE_I8, KD_TYPE_I16, KD_TYPE_I12, KD_TYPE_I6, KD_TYPE_I4, KD_TYPES
};
enum { KD_PREAMBLE_SIZE = 128, KD_RECORD_SIZE = 64, KD_MAX_FACTORS = 10, KD_MAX_LAYERS = 64,
       KD_MAX_EQUATIONS = 16, KD_MAX_FEATURES = 128, KD_MAX_OPERATIONS = 256, KD_MAX_WIDTH = 4096,
       KD_MAX_GENERATORS = 4, KD_MAX_ORDER = 1 << KD_MAX_GENERATORS, KD_MOST_VECTORS = 24 };

/* Little-endian reads from any address, on any machine. */
static inline uint32_t kd_u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t kd_u64(const uint8_t *p) { return kd_u32(p) | (uint64_t)kd_u32(p + 4) << 32; }
static inline double kd_f64(const uint8_t *p) {
    union { uint64_t bits; double value; } u;
    u.bits = kd_u64(p);
    return u.value;
}
static inline float kd_f32(const uint8_t *p) {
    union { uint32_t bits; float value; } u;
    u.bits = kd_u32(p);
    return u.value;
}
static inline int kd_finite(double a) { return a - a == 0; }
static inline double kd_magnitude(double a) { return a < 0 ? -a : a; }
/* Newton's iteration from a guess within 7 %, which halving the exponent gives for normal numbers. */
static inline double kd_square_root(double a) {
    union { double value; uint64_t bits; } guess;
    int k;
    if (!(a > 0) || !kd_finite(a)) return a;
    guess.value = a;
    guess.bits = (guess.bits >> 1) + ((uint64_t)1023 << 51);
    for (k = 0; k < 5; ++k) guess.value = 0.5 * (guess.value + a / guess.value);
    return guess.value;
}
/* Of four bits: whether an odd number of them is set. */
static inline uint32_t kd_odd(uint32_t bits) { return 0x6996u >> bits & 1u; }

static inline const uint8_t *kd_record(const kd_model *model, int kind, uint32_t index) {
    return model->records[kind] + (size_t)KD_RECORD_SIZE * index;
}

/* The sections of a file whose frame is in order; sizes without padding. */
typedef struct {
    const uint8_t *program, *card, *tensors, *baseline;
    size_t program_size, card_size, tensors_size, baseline_size;
} kd_sections;

/* The checks of kd_load, in its order; each relies on those before it. */
kd_status kd_check_records(kd_model *model, const kd_sections *sections); /* finds and counts them, too */
kd_status kd_check_tensors(const kd_model *model, const kd_sections *sections);
kd_status kd_check_symmetry(const kd_model *model);
kd_status kd_check_layers(const kd_model *model);
kd_status kd_check_maps(const kd_model *model);
kd_status kd_check_physics(const kd_model *model);

static inline int kd_all_zero(const uint8_t *from, const uint8_t *to) {
    for (; from < to; ++from)
        if (*from) return 0;
    return 1;
}
/* Where something can begin after `size` bytes: sections and tensors do at multiples of 64. */
static inline size_t kd_aligned(uint64_t size) { return (size_t)((size + 63) / 64 * 64); }

/* SHA-256 of bytes [0, 64) and [96, size). */
void kd_file_digest(const uint8_t *bytes, size_t size, uint8_t digest[32]);

/* The symmetry of a network whose layers are tied, as a file stores it: element g of the group takes
 * input i of the network from its input source[g][i], its sign changed if bit i of negative[g] is set;
 * output j changes its sign if bit j of odd[g] is set. A network without a symmetry has the group of
 * order 1.
 *
 * Where generators undo themselves and may change places, bit b of g says whether generator b is in it,
 * output j changes its sign if g and character[j] have an odd number of bits in common, and the layers
 * are evaluated in the Walsh-Hadamard basis (docs/derivations/walsh_hadamard.md). The layers of any
 * other group are written out when a plan is made: block[g][h] is the number of g h^-1
 * (docs/derivations/regular_representation.md). */
typedef struct {
    uint32_t order, written_out;
    uint8_t source[KD_MAX_ORDER][KD_MAX_INPUTS];
    uint16_t negative[KD_MAX_ORDER], odd[KD_MAX_ORDER];
    uint8_t character[KD_MAX_OUTPUTS];
    uint8_t block[KD_MAX_ORDER][KD_MAX_ORDER];
} kd_symmetry;
kd_symmetry kd_read_symmetry(const kd_model *model);

/* Weights of a layer in plan memory, twice: for tiles of points, blocks of neurons, each block
 * [n_in][neurons of the block]; for single points, [n_in][n_out], with n_out padded to whole
 * vectors by zeros. The bias is padded in the same way.
 *
 * A narrow layer keeps the file's codes, or wider ones that hold them; kernels for float vectors
 * expand a block of them for each tile of points. For single points float16 stays narrow and integers do
 * not: there each weight is used once, and scaling it takes longer than loading it. In plans for doubles or without vectors, and where
 * the Walsh-Hadamard basis mixes weights, all are expanded once.
 *
 * Tied layers have `copies` of n_out neurons. Their weights and bias are stored once, or, between
 * two hidden layers, once for each of the `sets` of the Walsh-Hadamard basis. */
typedef struct {
    uint32_t n_in, n_out, activation, rows; /* rows: neurons in a full block */
    uint32_t copies, sets;
    uint32_t narrow; /* KD_TYPE_F16, KD_TYPE_I8 or KD_TYPE_I16: items of weight; 0: as the plan's */
    const void *weight, *single, *bias;
    const float *turns; /* scales of narrow integers: of each block, repeated, rows + lanes of them */
} kd_layer;

/* Channels as the kernels compute them: so many first derivatives, and pairs of their positions. */
typedef struct {
    uint32_t first, pairs;
    uint8_t pair[KD_MAX_PAIRS][2];
    uint8_t channel[KD_MAX_INPUTS]; /* of the first derivative by each input, 1 and on; 0: not computed */
} kd_jets;

typedef kd_status kd_run(const kd_plan *plan, const kd_jets *channels, size_t n, const void *x,
                         void *out, void *workspace, kd_report *report);

/* One precision of one instruction set. */
typedef struct {
    uint32_t lanes;    /* points in a vector */
    uint32_t max_rows; /* largest block of neurons that the kernel has code for */
    uint32_t columns;  /* vectors that it takes at once */
    uint32_t tile[2];  /* points per lane for values alone, in narrow and in wide networks, */
    uint32_t near;     /* and more of them in small ones, up to so many vectors in a layer */
    uint32_t narrow;   /* whether it expands narrow weights; a plan for it keeps them then */
    kd_run *run;
} kd_kernels;

typedef struct {
    const char *name;
    const kd_kernels *f32, *f64;
} kd_isa;

const kd_isa *kd_find_isa(const char *name); /* NULL name: the best; NULL result: not here */

/* A tensor as stored, row-major. Integer types: a float scale for each row, then packed codes. */
typedef struct {
    const uint8_t *data;
    uint32_t type;
    size_t rows, cols;
} kd_tensor;
uint32_t kd_code_bits(uint32_t type); /* 0 for floats */
uint64_t kd_tensor_bytes(uint32_t type, uint64_t rows, uint64_t cols);
float kd_f16(const uint8_t *p);
float kd_scale(const kd_tensor *t, size_t row);
int32_t kd_code(const kd_tensor *t, size_t k);
double kd_element(const kd_tensor *t, size_t k);
kd_tensor kd_get_tensor(const kd_model *model, uint32_t index);
/* Index of the first tensor of `section` at or after `from`, or the number of tensors. */
uint32_t kd_next_tensor(const kd_model *model, uint32_t from, uint32_t section);

/* The weights of layer `l` as stored: row-major (n_out, sets n_in) and (n_out). Of tied layers these
 * are the free ones: n_in and n_out then count the neurons of one copy. */
typedef struct {
    uint32_t n_in, n_out, activation, copies, sets;
    kd_tensor weight, bias;
    uint32_t first, last;
    const kd_symmetry *group; /* that writes the layer out, or NULL */
} kd_stored_layer;
kd_stored_layer kd_stored(const kd_model *model, const kd_symmetry *symmetry, uint32_t l);
/* The same layer as it is evaluated: as stored, or written out by its group. */
kd_stored_layer kd_evaluated(const kd_model *model, const kd_symmetry *symmetry, uint32_t l);
double kd_weight(const kd_stored_layer *layer, uint32_t o, uint32_t column);
double kd_bias(const kd_stored_layer *layer, uint32_t o);

/* A table of the baseline, f64 as stored: row-major (rows, cols). data is NULL if the file has none. */
typedef struct {
    const uint8_t *data;
    size_t rows, cols;
    double limit;
} kd_table;
kd_table kd_baseline_table(const kd_model *model, uint32_t role);

/* Functions of the coordinates: each operation from earlier ones, or from coordinate a. */
typedef struct {
    uint32_t kind, a, b;
    double value;
} kd_operation;

typedef struct {
    const kd_operation *operations;
    uint32_t count; /* 0: there are no such functions */
} kd_program;

/* What the first layer takes in place of the coordinates. */
typedef struct {
    double shift, scale;
    uint32_t operation;
} kd_feature;

/* Where a function's values lie over a box of coordinates, and by how much half the difference of two
 * float64 evaluations can err. */
typedef struct {
    double lower, upper, error;
} kd_range;
double kd_range_size(const kd_range *a); /* the largest magnitude */
/* One range for each operation, from those of the coordinates. */
void kd_bound_program(const kd_program *program, const kd_range *coordinates, kd_range *out);

struct kd_plan {
    const kd_kernels *kernels;
    const char *isa;
    kd_precision precision;
    uint32_t inputs, outputs, layers, width; /* width: of the widest layer, inputs included */
    uint32_t widened; /* vectors that the largest expanded block of narrow weights takes; 0 without any */
    uint32_t span; /* reals that a layer's neurons take for one point, each copy in whole vectors */
    kd_symmetry symmetry;
    struct { double shift, scale, lower, upper; } input[KD_MAX_INPUTS];
    struct { double scale, shift; uint32_t base, factor; } output[KD_MAX_OUTPUTS];
    kd_program features, exact;
    uint32_t fed; /* what the first layer takes: so many features, or the inputs */
    const kd_feature *feature;
    kd_layer layer[KD_MAX_LAYERS];
};

static inline uint32_t kd_padded(uint32_t n, uint32_t lanes) { return (n + lanes - 1) / lanes * lanes; }

/* Points per lane at least: enough columns to hide the latency of the FMAs; four channels of three vectors
 * are whole blocks of three columns. Twice as many where narrow weights are expanded for each tile. */
static inline uint32_t kd_least_vectors(const kd_plan *plan, uint32_t channels) {
    const uint32_t tiles = plan->widened ? 2 : 1;
    if (channels == 1) return tiles * plan->kernels->tile[plan->width > 64];
    if (channels == 4 && plan->kernels->columns == 3 && plan->width <= 64) return tiles * 3;
    return tiles * (channels < 4 ? 2 : 1);
}

/* Points per lane. Small networks take a multiple as long as it stays in the L1: the beginning and the
 * end of a layer are paid once for each tile, and count most there. */
static inline uint32_t kd_tile_vectors(const kd_plan *plan, uint32_t channels) {
    const uint32_t least = kd_least_vectors(plan, channels), most = KD_MOST_VECTORS;
    const uint32_t fit = plan->kernels->near / (plan->width * channels), held = fit < most ? fit : most;
    return held < least ? least : held / least * least;
}

/* Vectors of both buffers that the layers take turns with and of the expanded block; what the functions of the coordinates need,
 * [input][vector] and [operation][column], follows. */
static inline size_t kd_buffer_vectors(const kd_plan *plan, uint32_t channels) {
    return 2 * (size_t)plan->width * kd_tile_vectors(plan, channels) * channels + plan->widened;
}

/* Neurons per block: the largest divisor of n_out that the kernel can take, if one is more than
 * half of what it can; else as many as it can and a remainder. */
static inline uint32_t kd_block_rows(uint32_t n_out, uint32_t max_rows) {
    uint32_t rows;
    for (rows = max_rows; 2 * rows > max_rows; --rows)
        if (n_out % rows == 0) return rows;
    return max_rows < n_out ? max_rows : n_out;
}

#endif
