/* Packs a model's weights for one precision and instruction set. */
#include "internal.h"

/* ---- the weights as they are evaluated ---- */

kd_stored_layer kd_evaluated(const kd_model *m, const kd_symmetry *symmetry, uint32_t l) {
    kd_stored_layer layer = kd_stored(m, symmetry, l);
    if (!symmetry->written_out) return layer;
    layer.n_in *= layer.first ? 1 : symmetry->order, layer.n_out *= layer.copies;
    layer.copies = layer.sets = 1, layer.group = symmetry;
    return layer;
}

/* Weight (o, column) of a layer that its group writes out; docs/format.md has the rows. */
static double written_out(const kd_stored_layer *layer, uint32_t o, uint32_t column) {
    const kd_symmetry *const s = layer->group;
    const uint32_t n_in = layer->n_in / s->order, n_out = layer->n_out / s->order; /* of a copy */
    uint32_t g, h, i = 0;
    double a;
    if (layer->last) {
        a = kd_element(&layer->weight, (size_t)o * n_in + column % n_in);
        return s->odd[column / n_in] >> o & 1u ? -a : a;
    }
    g = o / n_out;
    if (!layer->first) {
        h = column / n_in;
        return kd_element(&layer->weight, (size_t)(o % n_out) * layer->n_in + s->block[g][h] * n_in + column % n_in);
    }
    while (s->source[g][i] != column) ++i;
    a = kd_element(&layer->weight, (size_t)(o % n_out) * layer->n_in + i);
    return s->negative[g] >> i & 1u ? -a : a;
}

double kd_weight(const kd_stored_layer *layer, uint32_t o, uint32_t column) {
    if (layer->group != NULL) return written_out(layer, o, column);
    return kd_element(&layer->weight, (size_t)o * layer->sets * layer->n_in + column);
}

double kd_bias(const kd_stored_layer *layer, uint32_t o) {
    const uint32_t copied = layer->group != NULL && !layer->last;
    return kd_element(&layer->bias, copied ? o % (layer->n_out / layer->group->order) : o);
}

/* ---- packing ---- */

static void put(void *to, kd_precision precision, size_t k, double value) {
    if (precision == KD_F64) ((double *)to)[k] = value;
    else ((float *)to)[k] = (float)value;
}

static size_t aligned(size_t size) { return (size + KD_ALIGN - 1) / KD_ALIGN * KD_ALIGN; }
static size_t item_size(kd_precision precision) { return precision == KD_F64 ? 8 : 4; }

/* The widest vectors of any instruction set fill KD_ALIGN bytes: enough room for all of them. */
static size_t padded_out(const kd_stored_layer *layer, kd_precision precision) {
    return kd_padded(layer->n_out, (uint32_t)(KD_ALIGN / item_size(precision)));
}

/* How a layer's weights lie in a plan for floats: 0 if they are expanded, or a narrow type. Integers of
 * other than 8 and 16 bits take the next larger ones. What a group writes out is expanded. */
static uint32_t narrow_type(const kd_stored_layer *layer) {
    const uint32_t bits = kd_code_bits(layer->weight.type);
    if (layer->sets > 1 || layer->group != NULL) return 0;
    if (layer->weight.type == KD_TYPE_F16) return KD_TYPE_F16;
    return bits == 0 ? 0 : bits > 8 ? KD_TYPE_I16 : KD_TYPE_I8;
}

static size_t weight_size(uint32_t narrow, kd_precision precision) {
    return narrow == 0 ? item_size(precision) : narrow == KD_TYPE_I8 ? 1 : 2;
}

/* Whole vectors are read of blocks, hence the room behind them. */
static size_t blocks_size(const kd_stored_layer *layer, uint32_t narrow, kd_precision precision) {
    const size_t size = (size_t)layer->sets * layer->n_out * layer->n_in * weight_size(narrow, precision);
    return aligned(size) + (narrow ? KD_ALIGN : 0);
}

/* Scales of narrow integers: for each block its neurons' and 16 at most to fill a vector. Blocks of
 * vectors have 3 neurons or more where there are as many, of outputs 1. */
static size_t scales_size(const kd_stored_layer *layer) {
    const size_t blocks = layer->n_out <= KD_MAX_OUTPUTS ? layer->n_out : layer->n_out / 3 + 1;
    return aligned((layer->n_out + 16 * blocks) * sizeof(float));
}

static size_t single_size(const kd_stored_layer *layer, uint32_t narrow, kd_precision precision) {
    const size_t item = weight_size(narrow == KD_TYPE_F16 ? narrow : 0, precision);
    return aligned(layer->sets * layer->n_in * padded_out(layer, precision) * item);
}

/* What a layer takes, with its weights as they are or in a narrow type. */
static size_t layer_size(const kd_stored_layer *layer, uint32_t narrow, kd_precision precision) {
    const size_t biases = layer->sets * padded_out(layer, precision) * item_size(precision);
    return blocks_size(layer, narrow, precision) + single_size(layer, narrow, precision) + biases +
           (narrow ? scales_size(layer) : 0);
}

static size_t maps_size(const kd_model *model) {
    const size_t operations = (size_t)model->count[KD_REC_FEATURE] + model->count[KD_REC_EXACT];
    if (operations == 0) return 0;
    return aligned(operations * sizeof(kd_operation)) + aligned(model->count[KD_REC_NORMALIZE] * sizeof(kd_feature));
}

size_t kd_plan_size(const kd_model *model, kd_precision precision) {
    const kd_symmetry symmetry = kd_read_symmetry(model);
    size_t size = aligned(sizeof(kd_plan)) + maps_size(model);
    uint32_t l;
    for (l = 0; l < model->count[KD_REC_DENSE]; ++l) {
        const kd_stored_layer layer = kd_evaluated(model, &symmetry, l);
        const size_t wide = layer_size(&layer, 0, precision);
        const size_t narrow = precision == KD_F32 ? layer_size(&layer, narrow_type(&layer), precision) : 0;
        size += narrow > wide ? narrow : wide; /* not every instruction set keeps narrow weights */
    }
    return size;
}

/* Weight (o, i) of a set: as stored, or, where there are several, in the Walsh-Hadamard basis,
 * with the factor 1 / sets of the way back. */
static double weight_of(const kd_stored_layer *from, uint32_t set, uint32_t o, uint32_t i) {
    double sum = 0;
    uint32_t d;
    for (d = 0; d < from->sets; ++d) {
        const double a = kd_weight(from, o, d * from->n_in + i);
        sum += kd_odd(set & d) ? -a : a;
    }
    return sum / from->sets;
}

/* Weight (o, i) to place k. Scales stay with the neuron: narrow integers are codes. */
static void put_weight(const kd_stored_layer *from, uint32_t narrow, kd_precision precision, uint32_t set, uint32_t o,
                       uint32_t i, void *to, size_t k) {
    const size_t at = (size_t)o * from->n_in + i; /* of a layer without sets */
    const uint8_t *const half = from->weight.data + 2 * at;
    if (narrow == 0) put(to, precision, k, weight_of(from, set, o, i));
    else if (narrow == KD_TYPE_I8) ((int8_t *)to)[k] = (int8_t)kd_code(&from->weight, at);
    else if (narrow == KD_TYPE_I16) ((int16_t *)to)[k] = (int16_t)kd_code(&from->weight, at);
    else ((uint8_t *)to)[2 * k] = half[0], ((uint8_t *)to)[2 * k + 1] = half[1];
}

/* A set to blocks of `rows` neurons, each [n_in][rows of the block]. */
static void pack_blocks(const kd_stored_layer *from, uint32_t set, uint32_t rows, uint32_t narrow,
                        kd_precision precision, void *weight) {
    const size_t begin = (size_t)set * from->n_out * from->n_in;
    uint32_t o, i;
    for (o = 0; o < from->n_out; ++o) {
        const uint32_t first = o / rows * rows;
        const uint32_t in_block = from->n_out - first < rows ? from->n_out - first : rows;
        for (i = 0; i < from->n_in; ++i)
            put_weight(from, narrow, precision, set, o, i, weight,
                       begin + (size_t)first * from->n_in + (size_t)i * in_block + (o - first));
    }
}

/* A set to [n_in][n_out padded], and the padded bias, which belongs to the first set. */
static void pack_single(const kd_stored_layer *from, uint32_t set, uint32_t padded, uint32_t narrow,
                        kd_precision precision, void *weight, void *bias) {
    const size_t begin = (size_t)set * from->n_in * padded, item = weight_size(narrow, precision);
    uint8_t *const bytes = (uint8_t *)weight;
    uint32_t o, i;
    size_t b;
    for (o = 0; o < padded; ++o) {
        const int real = o < from->n_out;
        for (i = 0; i < from->n_in; ++i) {
            const size_t k = begin + (size_t)i * padded + o;
            if (real) put_weight(from, narrow, precision, set, o, i, weight, k);
            else for (b = 0; b < item; ++b) bytes[k * item + b] = 0; /* a zero of every type */
        }
        put(bias, precision, (size_t)set * padded + o, real && set == 0 ? kd_bias(from, o) : 0);
    }
}

/* The scales of narrow integers, block by block, repeated so that a vector may begin at any neuron. */
static void pack_scales(const kd_stored_layer *from, uint32_t block, uint32_t lanes, float *to) {
    uint32_t o, k;
    for (o = 0; o < from->n_out; o += block) {
        const uint32_t rows = from->n_out - o < block ? from->n_out - o : block;
        for (k = 0; k < rows + lanes; ++k) *to++ = kd_scale(&from->weight, o + k % rows);
    }
}

static uint32_t wider(uint32_t a, uint32_t b) { return a > b ? a : b; }

/* Packs layer l at `at`; returns where the next one goes. */
static uint8_t *plan_layer(kd_plan *plan, const kd_model *model, const kd_symmetry *symmetry, uint32_t l, uint8_t *at) {
    const kd_stored_layer from = kd_evaluated(model, symmetry, l);
    const uint32_t padded = kd_padded(from.n_out, plan->kernels->lanes), tied = plan->symmetry.order > 1;
    const uint32_t narrow = plan->kernels->narrow ? narrow_type(&from) : 0;
    const size_t room = padded_out(&from, plan->precision) * item_size(plan->precision);
    kd_layer *layer = &plan->layer[l];
    uint8_t *const single = at + blocks_size(&from, narrow, plan->precision);
    uint8_t *const bias = single + single_size(&from, narrow, plan->precision);
    uint8_t *const scales = bias + from.sets * room;
    uint32_t set;
    layer->n_in = from.n_in, layer->n_out = from.n_out, layer->activation = from.activation;
    layer->copies = from.copies, layer->sets = from.sets;
    /* Outputs of a tied network may each need another part of the neurons: one at a time. */
    layer->rows = tied && l + 1 == plan->layers ? 1 : kd_block_rows(from.n_out, plan->kernels->max_rows);
    for (set = 0; set < from.sets; ++set) {
        pack_blocks(&from, set, layer->rows, narrow, plan->precision, at);
        pack_single(&from, set, padded, narrow == KD_TYPE_F16 ? narrow : 0, plan->precision, single, bias);
    }
    layer->weight = at, layer->single = single, layer->bias = bias, layer->narrow = narrow;
    layer->turns = (const float *)(const void *)scales;
    if (narrow == KD_TYPE_I8 || narrow == KD_TYPE_I16)
        pack_scales(&from, layer->rows, plan->kernels->lanes, (float *)(void *)scales);
    if (narrow) plan->widened = wider(plan->widened, (layer->rows * from.n_in - 1) / plan->kernels->lanes + 1);
    plan->width = wider(plan->width, from.copies * from.n_out);
    plan->span = wider(plan->span, from.copies * padded);
    return narrow ? scales + scales_size(&from) : scales;
}

/* A bound as the precision has it: compared in either way it gives one answer. Never infinite: an
 * infinite input lies outside every domain. */
static double bound(double value, kd_precision precision) {
    const double largest = precision == KD_F64 ? 1.7976931348623157e308 : 3.4028234663852886e38;
    const double held = value > largest ? largest : value < -largest ? -largest : value;
    return precision == KD_F64 ? held : (double)(float)held;
}

/* Bounds are widened by a millionth of the width: a float32 point on the border is inside. */
static void read_scaling(kd_plan *plan, const kd_model *model) {
    uint32_t i;
    for (i = 0; i < plan->inputs; ++i) {
        const uint8_t *input = kd_record(model, KD_REC_INPUT, i), *normalize = kd_record(model, KD_REC_NORMALIZE, i);
        const double lower = kd_f64(input + 48), upper = kd_f64(input + 56), slack = 1e-6 * (upper - lower);
        plan->input[i].lower = bound(lower - slack, plan->precision);
        plan->input[i].upper = bound(upper + slack, plan->precision);
        if (model->count[KD_REC_FEATURE] > 0) continue; /* what is normalized then are these */
        plan->input[i].shift = kd_f64(normalize + 8), plan->input[i].scale = kd_f64(normalize + 16);
    }
    for (i = 0; i < plan->outputs; ++i) {
        const uint8_t *affine = kd_record(model, KD_REC_AFFINE, i);
        plan->output[i].scale = kd_f64(affine + 8), plan->output[i].shift = kd_f64(affine + 16);
        plan->output[i].base = kd_u32(affine + 24), plan->output[i].factor = kd_u32(affine + 28);
    }
}

static kd_program read_program(const kd_model *model, int kind, kd_operation *to) {
    const kd_program program = {to, model->count[kind]};
    uint32_t k;
    for (k = 0; k < program.count; ++k, ++to) {
        const uint8_t *record = kd_record(model, kind, k);
        to->kind = kd_u32(record + 16), to->a = kd_u32(record + 20), to->b = kd_u32(record + 24);
        to->value = kd_f64(record + 8);
    }
    return program;
}

/* The functions of the coordinates, written to `at`; returns where the layers go. */
static uint8_t *read_maps(kd_plan *plan, const kd_model *model, uint8_t *at) {
    kd_operation *const operations = (kd_operation *)(void *)at;
    kd_feature *feature;
    uint32_t f;
    plan->features = read_program(model, KD_REC_FEATURE, operations);
    plan->exact = read_program(model, KD_REC_EXACT, operations + plan->features.count);
    plan->fed = model->count[KD_REC_NORMALIZE];
    feature = (kd_feature *)(void *)(at + aligned((plan->features.count + plan->exact.count) * sizeof(kd_operation)));
    plan->feature = feature;
    for (f = 0; plan->features.count > 0 && f < plan->fed; ++f, ++feature) {
        const uint8_t *record = kd_record(model, KD_REC_NORMALIZE, f);
        feature->shift = kd_f64(record + 8), feature->scale = kd_f64(record + 16);
        feature->operation = kd_u32(record + 24);
    }
    return at + maps_size(model);
}

kd_status kd_plan_init(kd_plan **out, const kd_model *model, kd_precision precision, const char *isa_name,
                       void *memory) {
    kd_plan *plan = (kd_plan *)memory;
    const kd_isa *isa = kd_find_isa(isa_name);
    kd_symmetry symmetry;
    uint8_t *next;
    uint32_t l;
    if (out == NULL || model == NULL || memory == NULL) return KD_ARGUMENT;
    if (precision != KD_F32 && precision != KD_F64) return KD_ARGUMENT;
    if ((uintptr_t)memory % KD_ALIGN != 0) return KD_MISALIGNED;
    if (isa == NULL) return KD_ISA;
    if ((precision == KD_F64 ? isa->f64 : isa->f32) == NULL) return KD_PRECISION;
    plan->isa = isa->name;
    plan->kernels = precision == KD_F64 ? isa->f64 : isa->f32;
    plan->precision = precision;
    plan->inputs = kd_input_count(model), plan->outputs = kd_output_count(model);
    plan->layers = model->count[KD_REC_DENSE];
    symmetry = kd_read_symmetry(model);
    plan->symmetry = symmetry;
    if (symmetry.written_out) plan->symmetry.order = 1; /* then there is nothing tied to evaluate */
    plan->widened = 0;
    read_scaling(plan, model);
    next = read_maps(plan, model, (uint8_t *)memory + aligned(sizeof(kd_plan)));
    plan->width = plan->span = plan->symmetry.order * plan->fed;
    for (l = 0; l < plan->layers; ++l) next = plan_layer(plan, model, &symmetry, l, next);
    *out = plan;
    return KD_OK;
}

const char *kd_plan_isa(const kd_plan *plan) { return plan->isa; }
