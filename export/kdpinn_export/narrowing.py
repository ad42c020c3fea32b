"""Weights in fewer bits: the nearest numbers of a grid, and how far that may move the answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kdpinn_runtime import Check
from kdpinn_runtime.format import INTEGER_BITS, ModelFile

from .arithmetic import Array, Bounded, RunningError
from .check import default_points
from .grids import post_training
from .maps import Jets, features_of, impose
from .target import Precision, Request
from .taylor import evaluate, normal_cdf

F16_MOST = float(np.finfo(np.float16).max)


def narrowed(model: ModelFile, precision: Precision) -> ModelFile:
    """The model with no layer wider than `precision`: others are rounded to nearest.

    Layers that are as narrow already stay as they are, the model itself if all of them are. "f32"
    leaves any model as it is. Raises ValueError for a weight beyond f16.
    """
    chosen = [p if _bits(p) <= _bits(precision) else precision for p in model.precisions]
    if precision == "f32" or tuple(chosen) == model.precisions:
        return model
    largest = max(float(np.abs(layer.weight).max()) for layer in model.layers)
    if precision == "f16" and largest > F16_MOST:
        raise ValueError(f"a weight of {largest:.4g} is beyond f16 ({F16_MOST:g}): use f32 or i16")
    pairs = zip(model.layers, post_training(model, chosen), strict=True)
    layers = (old if old.precision == new.precision else new for old, new in pairs)
    return replace(model, layers=tuple(layers))


def _bits(precision: str) -> int:
    return INTEGER_BITS.get(precision) or int(precision[1:])


def widened(model: ModelFile) -> ModelFile:
    """The same numbers, stored in the type in which they are evaluated."""
    layers = [replace(layer, precision="", scale=None) for layer in model.layers]
    return replace(model, layers=tuple(layers))


def narrowing_checks(request: Request) -> list[Check]:
    """How far narrower weights take the model from itself; nothing if they are what it has."""
    narrow = narrowed(request.model, request.precision)
    if narrow is request.model:
        return []
    points = default_points(request.model)
    wide, other = (evaluate(m, points).value for m in (request.model, narrow))
    largest = float(np.abs(other - wide).max())
    moved = float(np.linalg.norm(other - wide)) / (float(np.linalg.norm(wide)) or 1.0)
    remedy = "" if moved <= request.budget else "; quantize the model with a refit, or allow more"
    return [
        Check(
            name=f"{request.precision} weights: relative L2",
            passed=moved <= request.budget,
            measured=moved,
            limit=request.budget,
            note=f"from the model, rounded to nearest; largest difference {largest:.3g}{remedy}",
            detail={"error": largest},
        )
    ]


def fed(model: ModelFile, points: Array, arithmetic: RunningError) -> Bounded:
    """What the first layer takes at the points (n, d), with the error of its computation."""
    x = arithmetic.constant(points)
    if model.features is None:
        shifted = arithmetic.add(x, arithmetic.constant(-model.input_shift))
        return arithmetic.multiply(shifted, arithmetic.constant(model.input_scale))
    shift, scale, d = model.input_shift, model.input_scale, points.shape[1]
    maps = features_of(model.features, shift, scale, x, d, (), arithmetic, derivatives=False)
    return maps.value


def physical(
    model: ModelFile, points: Array, network: Bounded, arithmetic: RunningError
) -> Bounded:
    """The outputs in their units from those of the last layer, (n, m)."""
    scale, shift = (arithmetic.constant(a) for a in (model.output_scale, model.output_shift))
    u = arithmetic.add(arithmetic.multiply(network, scale), shift)
    if model.exact is None:
        return u
    x = arithmetic.constant(points)
    return impose(model.exact, x, points.shape[1], Jets(u, (), ()), (), arithmetic).value


def narrowing_bound(model: ModelFile, narrow: ModelFile, points: Array) -> Bounded:
    r"""Values of `model` in float64 and how far `narrow` may be from them, both (n, m).

    With other weights W + D and bias b + d the sums W z + b move by $|W| e + |D| (|z| + e) + |d|$,
    e the movement of z; an activation passes on at most its slope there times that, to second
    order. Rounding is not in it.
    """
    exact = RunningError(np.float64)
    z = fed(model, points, exact)
    for layer, other in zip(model.layers, narrow.layers, strict=True):
        weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
        moved = np.abs(other.weight - weight)
        error = z.error @ np.abs(weight).T + (np.abs(z.value) + z.error) @ moved.T
        z = Bounded(z.value @ weight.T + bias, error + np.abs(other.bias - bias))
        z = bent(exact, layer.activation, z)
    return physical(model, points, z, exact)


def bent(arithmetic: RunningError, activation: str, z: Bounded) -> Bounded:
    """An activation, with the error that it passes on and makes."""
    match activation:
        case "identity":
            return z
        case "silu":
            return arithmetic.multiply(z, arithmetic.function("sigmoid", z))
        case "gelu":
            return arithmetic.multiply(z, normal_cdf(arithmetic, z))
        case "tanh" | "sin" | "sigmoid" | "relu":
            return arithmetic.function(activation, z)
    raise ValueError(f"no bound is known for the activation {activation!r}")
