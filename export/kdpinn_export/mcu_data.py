"""The tables of a microcontroller's model: `model_data.h` and `answers.h`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime.format import OPERATION_KINDS, CoordinateMap, ModelFile

from .arithmetic import Array
from .c_text import defines, floats, integers, records, table
from .fixed_point import FixedLayer, FixedNetwork

MOST_ROWS = 16
"""Neurons whose sums stay in registers together."""
ACTIVATIONS = {name: f"{name}_" for name in ("tanh", "sin", "sigmoid", "silu", "relu", "gelu")}


def rows_of(n_out: int) -> int:
    """Neurons of a block: as many blocks as are needed, all of the same size."""
    blocks = -(-n_out // MOST_ROWS)
    return -(-n_out // blocks)


def float_data(model: ModelFile) -> str:
    """`model_data.h` for evaluate_float.c."""
    names = {layer.activation for layer in model.layers[:-1]}
    if len(names) > 1 or "identity" in names:
        raise ValueError(
            f"hidden layers have the activations {', '.join(sorted(names))}, this target has one "
            f"of {', '.join(ACTIVATIONS)} for all: export to c"
        )
    rows = [rows_of(layer.weight.shape[0]) for layer in model.layers]
    padded = [
        _padded(layer.weight.shape[0], r) for layer, r in zip(model.layers, rows, strict=True)
    ]
    head = {
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
    wide = any(np.abs(layer.codes).max() > 127 for layer in rest)
    # A layer writes pairs and a word beyond them.
    width = 2 + max(_padded(len(layer.codes), 4) for layer in network.layers)
    head = {
        "KDPINN_WIDTH": width,
        "KDPINN_WIDE_CODES": int(wide),
        "KDPINN_INPUT_ONE": f"{2.0**network.input_bits:.1f}f",
        "KDPINN_INPUT_LIMIT": floats([network.input_limit])[0],
        "KDPINN_FIRST_OUT": _padded(len(first.codes), 2),
        "KDPINN_FRACTION": network.fraction,
    }
    bias = first.bias.astype(np.int64)
    words = np.hstack([bias[:, None], first.multiplier[:, None], first.codes])
    words = np.pad(words, ((0, len(words) % 2), (0, 0)))
    text = _opening(model, head) + _MEANING + _words("first_layer_words", words)
    entries = []
    for index, layer in enumerate(rest):
        n_out, n_in = (
            _padded(count, m) for count, m in zip(layer.codes.shape, (2, 4), strict=True)
        )
        last = index + 1 == len(rest)
        text += _words(f"words_{index}", _pairs(layer, n_out, n_in, wide, last))
        entries.append((str(n_in), str(n_out), f"words_{index}"))
    text += table("kdpinn_fixed_layer", "kdpinn_layers", records(entries), each=1)
    text += table("float", "last_unit", floats(rest[-1].unit))
    return text + table("float", "last_bias", floats(rest[-1].bias)) + _END


def _pairs(layer: FixedLayer, n_out: int, n_in: int, wide: bool, last: bool) -> NDArray[np.int64]:
    """For each pair of neurons: biases, multipliers, then group by group the codes of both.

    The last layer has codes alone.
    A word has the codes of two inputs, or four of them in the order 0 2 1 3, lowest bits first.
    """
    more = (0, n_out - len(layer.codes))
    ends = np.stack([np.pad(a, more).astype(np.int64) for a in (layer.bias, layer.multiplier)])
    codes = np.pad(layer.codes, (more, (0, n_in - layer.codes.shape[1])))
    if wide:
        bits, groups = 16, codes.reshape(n_out // 2, 2, -1, 2)
    else:
        bits, groups = 8, codes.reshape(n_out // 2, 2, -1, 4)[..., [0, 2, 1, 3]]
    places = 2 ** (bits * np.arange(groups.shape[-1], dtype=np.int64))
    packed = ((groups % 2**bits) * places).sum(axis=-1).transpose(0, 2, 1)
    words: NDArray[np.int64] = packed.reshape(n_out // 2, -1)
    if last:
        return words
    starts = ends.reshape(2, -1, 2).transpose(1, 0, 2)
    return np.hstack([starts.reshape(n_out // 2, -1), words])


def _words(name: str, values: NDArray[np.int64]) -> str:
    """A stream of words of 32 bits, negative ones in two's complement."""
    return table("uint32_t", name, [f"0x{v % 2**32:08x}u" for v in values.ravel().tolist()])


_END = "#endif\n"
_MEANING = """\
/* kdpinn_eval_integers takes z[k] = KDPINN_INPUT_ONE (x[k] - shift) scale with kdpinn_input[k], of
 * the features if there are any, at most KDPINN_INPUT_ONE KDPINN_INPUT_LIMIT in size. sums[j] means
 * last_bias[j] + last_unit[j] sums[j], which kdpinn_output[j] scales and shifts. */
"""


def _opening(model: ModelFile, more: dict[str, object]) -> str:
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
    text += '#include "kdpinn_types.h"\n' + defines(sizes | more)
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
    kinds: list[str] = list(OPERATION_KINDS)
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
