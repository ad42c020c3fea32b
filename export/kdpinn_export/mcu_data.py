"""The tables of a microcontroller's model: `model_data.h` and `answers.h`."""

from __future__ import annotations

import numpy as np

from kdpinn_runtime.format import OPERATION_KINDS, CoordinateMap, ModelFile

from .answers import KnownAnswers
from .arithmetic import Array
from .c_text import defines, floats, integers, records, table
from .fixed_point import FixedLayer, FixedNetwork

MOST_ROWS = 16
"""Neurons whose sums stay in registers together."""
ACTIVATIONS = {"tanh": "tanh_", "sin": "sin_", "sigmoid": "sigmoid_", "silu": "silu_"}


def rows_of(n_out: int) -> int:
    """Neurons of a block: as many blocks as are needed, all of the same size."""
    blocks = -(-n_out // MOST_ROWS)
    return -(-n_out // blocks)


def float_data(model: ModelFile) -> str:
    """`model_data.h` for evaluate_float.c."""
    names = {layer.activation for layer in model.layers[:-1]}
    if len(names) > 1 or model.layers[-1].activation != "identity":
        raise ValueError(
            f"layers with the activations {', '.join(sorted(names))}: hidden layers of one model "
            "share one here"
        )
    rows = [rows_of(layer.weight.shape[0]) for layer in model.layers]
    padded = [_padded(layer.weight.shape[0], r) for layer, r in zip(model.layers, rows, strict=True)]
    head = {
        "KDPINN_FIXED": 0,
        "KDPINN_WIDTH": max(*padded, len(model.input_scale)),
        "KDPINN_ACTIVATION": ACTIVATIONS[names.pop()] if names else "tanh_",
        "KDPINN_CASES(_)": " ".join(f"_({r})" for r in sorted(set(rows))),
    }
    text = _opening(model, head)
    for index, (layer, r) in enumerate(zip(model.layers, rows, strict=True)):
        text += table("float", f"weights_{index}", floats(_blocks(layer.weight, layer.bias, r)))
    entries = [
        (str(layer.weight.shape[1]), str(n), str(r), f"weights_{k}")
        for k, (layer, n, r) in enumerate(zip(model.layers, padded, rows, strict=True))
    ]
    return text + table("kdpinn_layer", "kdpinn_layers", records(entries), each=1) + _END


def fixed_data(model: ModelFile, network: FixedNetwork) -> str:
    """`model_data.h` for evaluate_fixed.c."""
    first, *rest = network.layers
    width = max(_padded(len(layer.codes), 4) for layer in network.layers)
    wide = any(np.abs(layer.codes).max() > 127 for layer in network.layers)
    head = {
        "KDPINN_FIXED": 1,
        "KDPINN_WIDTH": width,
        "KDPINN_WIDE_CODES": int(wide),
        "KDPINN_INPUT_ONE": f"{2.0**network.input_bits:.1f}f",
        "KDPINN_INPUT_LIMIT": floats([network.input_limit])[0],
        "KDPINN_FIRST_OUT": len(first.codes),
        "KDPINN_FIRST_FRACTION": first.fraction,
    }
    kind = "int16_t" if wide else "int8_t"
    text = _opening(model, head, f"typedef {kind} kdpinn_code;\n")
    text += table("kdpinn_code", "first_codes", integers(first.codes))
    text += table("int32_t", "first_bias", integers(first.bias))
    text += table("int16_t", "first_multiplier", integers(first.multiplier))
    entries = []
    for index, layer in enumerate(rest):
        text += _fixed_tables(index, layer)
        n_out, n_in = layer.codes.shape
        sizes = (str(_padded(n_in, 4)), str(_padded(n_out, 2)), str(layer.fraction))
        entries.append((*sizes, f"codes_{index}", f"bias_{index}", f"multiplier_{index}"))
    text += table("kdpinn_fixed_layer", "kdpinn_layers", records(entries), each=1)
    return text + table("float", "last_unit", floats(rest[-1].unit)) + _END


def answers_header(answers: KnownAnswers) -> str:
    """`answers.h`: points, expected outputs and what is permitted, in float."""
    n, d = answers.points.shape
    m = answers.expected.shape[1]
    # The expected value is rounded to float here, and the permitted error too.
    u = float(np.finfo(np.float32).eps)
    permitted = (answers.permitted + u * np.abs(answers.expected)) * (1 + u)
    text = "/* Known answers of the model, and the error that a right evaluation may have. */\n"
    text += "#ifndef ANSWERS_H\n#define ANSWERS_H\n"
    text += defines({"KDPINN_ANSWERS": n, "KDPINN_INPUTS": d, "KDPINN_OUTPUTS": m})
    for name, values, columns in (
        ("kdpinn_points", answers.points, d),
        ("kdpinn_expected", answers.expected, m),
        ("kdpinn_permitted", permitted, m),
    ):
        text += table("float", name, records(map(floats, values)), f"][{columns}", each=4)
    return text + "#endif\n"


_END = "#endif\n"


def _opening(model: ModelFile, more: dict[str, object], types: str = "typedef int8_t kdpinn_code;\n") -> str:
    """Sizes, scalings and functions of the coordinates."""
    sizes: dict[str, object] = {
        "KDPINN_INPUTS": len(model.inputs),
        "KDPINN_FED": len(model.input_scale),
        "KDPINN_OUTPUTS": len(model.outputs),
        "KDPINN_LAYERS": len(model.layers),
        "KDPINN_FEATURES": _count(model.features),
        "KDPINN_EXACT": _count(model.exact),
        "KDPINN_OPERATIONS": _count(model.features) + _count(model.exact),
    }
    # answers.h says the first and the third of them too.
    text = "/* The model's numbers. Written by kdpinn; do not edit. */\n"
    text += "#ifndef MODEL_DATA_H\n#define MODEL_DATA_H\n#include <stdint.h>\n"
    text += types + '#include "kdpinn_types.h"\n' + defines(sizes | more)
    pairs = zip(floats(model.input_shift), floats(model.input_scale), strict=True)
    text += table("kdpinn_affine", "kdpinn_input", records(pairs), each=2)
    pairs = zip(floats(model.output_shift), floats(model.output_scale), strict=True)
    text += table("kdpinn_affine", "kdpinn_output", records(pairs), each=2)
    if model.features is not None:
        text += _program("kdpinn_features", model.features)
        text += table("uint8_t", "kdpinn_feature_of", integers(model.features.results))
    if model.exact is not None:
        text += _program("kdpinn_exact", model.exact)
        base, factor = np.split(np.array(model.exact.results), 2)
        text += table("uint8_t", "kdpinn_base", integers(base))
        text += table("uint8_t", "kdpinn_factor", integers(factor))
    return text


def _count(program: CoordinateMap | None) -> int:
    return 0 if program is None else len(program.operations)


def _program(name: str, program: CoordinateMap) -> str:
    kinds = list(OPERATION_KINDS)
    rows = [
        (str(kinds.index(o.kind) + 1), str(o.a), str(o.b), floats([o.value])[0])
        for o in program.operations
    ]
    return table("kdpinn_operation", name, records(rows), each=4)


def _padded(count: int, multiple: int) -> int:
    return -(-count // multiple) * multiple


def _blocks(weight: Array, bias: Array, rows: int) -> Array:
    """Block by block the biases and, for each input, the weights of the block's neurons."""
    n_out, n_in = weight.shape
    whole = np.zeros((_padded(n_out, rows), n_in + 1))
    whole[:n_out, 0], whole[:n_out, 1:] = bias, weight
    return whole.reshape(-1, rows, n_in + 1).transpose(0, 2, 1)


def _fixed_tables(index: int, layer: FixedLayer) -> str:
    n_out, n_in = layer.codes.shape
    rows, columns = _padded(n_out, 2), _padded(n_in, 4)
    codes = np.zeros((rows, columns), np.int64)
    codes[:n_out, :n_in] = layer.codes
    # For each pair of neurons and 4 inputs the 4 codes of one, then of the other.
    groups = codes.reshape(rows // 2, 2, columns // 4, 4)[..., [0, 2, 1, 3]]
    more = np.zeros(rows - n_out, np.int64)
    return (
        table("kdpinn_code", f"codes_{index}", integers(groups.transpose(0, 2, 1, 3)))
        + table("int32_t", f"bias_{index}", integers(np.concatenate([layer.bias, more])))
        + table("int16_t", f"multiplier_{index}", integers(np.concatenate([layer.multiplier, more])))
    )
