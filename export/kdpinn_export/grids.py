"""Grids of narrow weights: scales for each output channel, nearest codes, layers stored on them.

Numbers only, no training: what a quantization without any refit does, and what the refit of
`kdpinn.quantization` starts from. Packing codes into bytes is the file format's side
(`kdpinn_runtime`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime.format import INTEGER_BITS, PRECISIONS, Layer, ModelFile

Array = NDArray[Any]

NARROW = tuple(precision for precision in PRECISIONS if precision not in ("f32", "f64"))
SHRINKING = np.linspace(1.0, 0.5, 51)
"""Scales that `fitted_scale` tries, relative to the one at which nothing is clipped."""


def largest_code(precision: str) -> int:
    """c = 2^(bits - 1) - 1: codes of this integer type lie in [-c, c]."""
    return int(2 ** (INTEGER_BITS[precision] - 1) - 1)


def largest_scale(weight: Array, precision: str) -> NDArray[np.float32]:
    """max |w| / c of each row of weight (out, in), (out,) float32; 1 for a row of zeros.

    The smallest scale at which no weight is clipped.
    """
    largest = np.abs(weight).max(axis=1).astype(np.float64)
    scale = np.where(largest > 0, largest, 1.0) / largest_code(precision)
    up = np.nextafter(scale.astype(np.float32), np.float32(np.inf))
    return np.asarray(np.maximum(up, np.finfo(np.float32).tiny), np.float32)


def fitted_scale(weight: Array, precision: str) -> NDArray[np.float32]:
    """The scale of each row, (out,), whose nearest codes have the least squared rounding error.

    Of those between half the largest scale and the largest: with few bits it pays to clip one large
    weight for the sake of all others.
    """
    best, scale = np.full(len(weight), np.inf), largest_scale(weight, precision)
    largest = scale.copy()
    for share in SHRINKING:
        tried = (share * largest).astype(np.float32)
        rounded = nearest_codes(weight, tried, precision) * tried[:, None].astype(np.float64)
        error = np.square(rounded - weight).sum(axis=1)
        scale = np.where(error < best, tried, scale)
        best = np.minimum(best, error)
    return np.asarray(np.maximum(scale, np.finfo(np.float32).tiny), np.float32)


def nearest_codes(weight: Array, scale: Array, precision: str) -> NDArray[np.int64]:
    """Codes (out, in) whose products with the scales (out,) are nearest to weight (out, in)."""
    most = largest_code(precision)
    ratio = weight.astype(np.float64) / scale.astype(np.float64)[:, None]
    return np.clip(np.rint(ratio), -most, most).astype(np.int64)


def from_codes(codes: Array, scale: Array) -> NDArray[np.float32]:
    """The weights (out, in), float32, that codes (out, in) and scales (out,) say."""
    return (codes.astype(np.float64) * scale.astype(np.float64)[:, None]).astype(np.float32)


def rounded_half(weight: Array) -> NDArray[np.float32]:
    """The nearest finite float16 numbers, as float32."""
    limit = float(np.finfo(np.float16).max)
    return np.clip(weight, -limit, limit).astype(np.float16).astype(np.float32)


def narrowed(layer: Layer, precision: str) -> Layer:
    """`layer` with the nearest weights that `precision` holds: post-training quantization.

    Biases become float32. Raises ValueError for an unknown precision.
    """
    check_precision(precision)
    bias = layer.bias.astype(np.float32)
    if precision in INTEGER_BITS:
        scale = fitted_scale(layer.weight, precision)
        weight = from_codes(nearest_codes(layer.weight, scale, precision), scale)
        return replace(layer, weight=weight, bias=bias, precision=precision, scale=scale)
    narrow = rounded_half(layer.weight) if precision == "f16" else layer.weight.astype(np.float32)
    return replace(layer, weight=narrow, bias=bias, precision=precision, scale=None)


def post_training(file: ModelFile, precisions: Sequence[str]) -> tuple[Layer, ...]:
    """Layers of `file` stored in one precision each, rounded to nearest without any refit.

    Of tied layers the free part is rounded, so that the symmetry stays exact.
    """
    free = [
        narrowed(layer, precision)
        for layer, precision in zip(file.stored_layers, precisions, strict=True)
    ]
    return tuple(free) if file.symmetry is None else file.symmetry.expand(free)


def check_precision(precision: str) -> None:
    """Raises ValueError unless `precision` is "f32" or narrow."""
    if precision not in ("f32", *NARROW):
        known = ", ".join(("f32", *NARROW))
        raise ValueError(f"There is no precision {precision!r} for weights. Known: {known}.")
