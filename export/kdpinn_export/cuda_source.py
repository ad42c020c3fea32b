"""CUDA source of one model: its numbers and one kernel, for a compiler at run time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from kdpinn_runtime.format import ModelFile

HEADER = Path(__file__).parent / "device" / "cuda" / "fused.h"
CONSTANT_BYTES = 60_000
"""Of the 64 kB of constant memory; larger networks lie in global memory."""
KERNEL = "evaluate"


def cuda_source(model: ModelFile, *, derivatives: bool, double: bool = False) -> str:
    """`evaluate(x, out, n)`: x (n, d) to out (channels, n, m), both row-major.

    Raises ValueError for functions of the coordinates, which the kernel does not have.
    """
    if model.features is not None or model.exact is not None:
        raise ValueError(
            "the CUDA kernel has no functions of the coordinates: choose the engine tensorrt"
        )
    d, m = len(model.inputs), len(model.outputs)
    pairs = model.pairs if derivatives else ()
    numbers = sum(layer.weight.size + layer.bias.size for layer in model.layers)
    place = "__constant__" if numbers * (8 if double else 4) <= CONSTANT_BYTES else "__device__"
    defines = {
        "REAL": "double" if double else "float",
        "INPUTS": d,
        "PAIRS": len(pairs),
        "CHANNELS": 1 + (d + len(pairs) if derivatives else 0),
        "PAIR_I(p)": _choice([i for i, _ in pairs]),
        "PAIR_J(p)": _choice([j for _, j in pairs]),
    }
    text = "".join(f"#define {name} {value}\n" for name, value in defines.items())
    text += HEADER.read_text("utf-8")
    for name in ("input_shift", "input_scale", "output_shift", "output_scale"):
        text += _table(place, name, getattr(model, name), double)
    for k, layer in enumerate(model.layers):
        text += _table(place, f"weight_{k}", layer.weight, double)
        text += _table(place, f"bias_{k}", layer.bias, double)
    return text + _kernel(model, m)


def _kernel(model: ModelFile, m: int) -> str:
    body, n_in = "", len(model.inputs)
    for k, layer in enumerate(model.layers):
        n_out = len(layer.bias)
        body += f"    real h_{k + 1}[CHANNELS][{n_out}];\n"
        body += f"    dense<{n_in}, {n_out}>(weight_{k}, bias_{k}, h_{k}, h_{k + 1});\n"
        if layer.activation != "identity":
            body += f"    chain<{n_out}>(bend_{layer.activation}, h_{k + 1});\n"
        n_in = n_out
    return f"""
extern "C" __global__ void {KERNEL}(const real *x, real *out, int n) {{
    const int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= n) return;
    real h_0[CHANNELS][INPUTS];
    normalize(x + k * INPUTS, input_shift, input_scale, h_0);
{body}#pragma unroll
    for (int c = 0; c < CHANNELS; ++c)
#pragma unroll
        for (int j = 0; j < {m}; ++j) {{
            const real scaled = h_{len(model.layers)}[c][j] * output_scale[j];
            out[((long long)c * n + k) * {m} + j] = c == 0 ? scaled + output_shift[j] : scaled;
        }}
}}
"""


def _choice(values: list[int]) -> str:
    """Entry p of a list of constants, as an expression that folds away."""
    text = "0"
    for p, value in enumerate(values):
        text = f"((p) == {p} ? {value} : {text})"
    return text


def _table(place: str, name: str, values: ArrayLike, double: bool) -> str:
    kind = np.float64 if double else np.float32
    words = [
        f"{v!s}{'' if double else 'f'}" for v in np.asarray(values, np.float64).ravel().astype(kind)
    ]
    lines = [", ".join(words[k : k + 8]) for k in range(0, len(words), 8)]
    return f"{place} const real {name}[] = {{\n    " + ",\n    ".join(lines) + "};\n"
