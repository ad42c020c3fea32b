"""A network in fixed point: integer weights, 16-bit activations, 32-bit sums, a table of tanh.

A hidden value is code / 32767. The first layer takes its inputs with `input_bits` bits after the
point. A sum of a later layer is code of the weight times code of the value, in units of
scale / 32767; a multiplier of 15 bits takes it to the argument of tanh, with `fraction` bits after
the point. The last layer's sums are scaled in float.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime.format import ModelFile

from .arithmetic import Array, Bounded, RunningError
from .narrowing import codes_of, fed, physical
from .target import Precision

ONE = 32767
"""The code of 1."""
TABLE_ERROR = 0.77 / 8 / 128**2 + 1.0 / ONE
"""Of tanh: linear between points 1/128 apart, entries and result rounded; its end at 6 included."""
MOST_INPUT_BITS, MOST_FRACTION = 20, 23
_INT32 = 2.0**31 - 1

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FixedLayer:
    """codes (out, in) with a scale (out,); `one`: the real value of an input of 1.

    bias (out,): in units of the sums, scale * one. multiplier (out,), fraction: argument of tanh = sum * multiplier / 2^16, `fraction` bits after
    the point; zeros in the last layer.
    """

    codes: Integers
    scale: Array
    one: float
    bias: Integers
    multiplier: Integers
    fraction: int

    @property
    def unit(self) -> Array:
        """The real value of a sum of 1, (out,)."""
        return self.scale * self.one


@dataclass(frozen=True, eq=False)
class FixedNetwork:
    """The layers, the bits after the point of the inputs, and how large an input may be."""

    layers: tuple[FixedLayer, ...]
    input_bits: int
    input_limit: float


def fixed_network(model: ModelFile, precision: Precision, points: Array) -> FixedNetwork:
    """The network in integers; points (n, d): of the domain, for the size of what is fed.

    Raises ValueError for an activation that it has no table of, and for sums that may not fit
    into 32 bits.
    """
    *hidden, _ = model.layers
    for index, layer in enumerate(hidden):
        if layer.activation != "tanh":
            raise ValueError(
                f"layer {index} has the activation {layer.activation!r}, fixed point has tanh "
                "alone: choose --precision f32"
            )
    if not hidden:
        raise ValueError("fixed point needs a hidden layer: choose --precision f32")
    limit = 1.25 * max(1.0, float(np.abs(fed(model, points, RunningError(np.float64)).value).max()))
    bits = MOST_INPUT_BITS
    while not _fits(model, precision, bits, limit):
        bits -= 1
        if bits < 8:
            raise ValueError("the first layer's sums do not fit into 32 bits")
    layers = [
        _layer(model, precision, index, 2.0**-bits if index == 0 else 1.0 / ONE)
        for index in range(len(model.layers))
    ]
    for index, fixed in enumerate(layers[1:], start=1):
        if np.any(np.abs(fixed.codes).sum(axis=1) * float(ONE) + np.abs(fixed.bias) > _INT32):
            raise ValueError(
                f"layer {index}: sums of {fixed.codes.shape[1]} products of {precision} weights "
                "and 16-bit values do not fit into 32 bits; choose fewer bits"
            )
    return FixedNetwork(tuple(layers), bits, limit)


def _fits(model: ModelFile, precision: Precision, bits: int, limit: float) -> bool:
    layer = _layer(model, precision, 0, 2.0**-bits)
    largest = np.abs(layer.codes).sum(axis=1) * limit * 2.0**bits + np.abs(layer.bias)
    return bool(np.all(largest <= _INT32))


def _layer(model: ModelFile, precision: Precision, index: int, one: float) -> FixedLayer:
    """Layer `index`, whose inputs have the unit `one`."""
    layer = model.layers[index]
    codes, scale = codes_of(layer, precision)
    unit = scale * one
    bias = np.rint(layer.bias.astype(np.float64) / unit)
    fraction, multiplier = 0, np.zeros(len(unit))
    if index + 1 < len(model.layers):
        fraction = min(MOST_FRACTION, int(np.floor(np.log2(ONE / (unit.max() * 2.0**16)))))
        if fraction < 8:
            raise ValueError(
                f"layer {index} has weights of {np.abs(layer.weight).max():.3g}, too large for "
                "fixed point: choose --precision f32"
            )
        multiplier = np.rint(unit * 2.0 ** (16 + fraction))
    return FixedLayer(
        codes=codes.astype(np.int64),
        scale=scale,
        one=one,
        bias=bias.astype(np.int64),
        multiplier=multiplier.astype(np.int64),
        fraction=fraction,
    )


def fixed_bound(narrow: ModelFile, network: FixedNetwork, points: Array) -> Bounded:
    r"""Values of `narrow` in float64 and how far the fixed-point evaluation may be, (n, m).

    `narrow` has the weights that the codes stand for. Per layer, with z its inputs and e their
    error: $|W| e$ for what comes in, half a unit for the bias, for the multiplier its relative
    rounding of the sum and one unit of the argument; then tanh, TABLE_ERROR.
    """
    float32 = RunningError(np.float32)
    z = fed(narrow, points, float32)
    z = Bounded(z.value, z.error + 2.0 ** -(network.input_bits + 1))
    for layer, fixed in zip(narrow.layers, network.layers, strict=True):
        weight = layer.weight.astype(np.float64)
        v = z.value @ weight.T + layer.bias.astype(np.float64)
        rounding = np.abs(fixed.codes * fixed.scale[:, None] - weight)  # `narrow` is in float32
        e = z.error @ np.abs(weight).T + np.abs(z.value) @ rounding.T + fixed.unit / 2
        if layer.activation != "identity":
            exact = fixed.unit * 2.0 ** (16 + fixed.fraction)
            off = np.abs(fixed.multiplier - exact) / exact
            e = e + off * (np.abs(v) + e) + 2.0**-fixed.fraction
            slope = 1.0 - np.tanh(v) ** 2
            e = np.minimum(slope * e + 0.385 * e**2, 2.0) + TABLE_ERROR
            v = np.tanh(v)
        else:
            e = e + float32.gamma(3) * (np.abs(v) + e)
        z = Bounded(v, e)
    return physical(narrow, points, z, float32)

