"""A network in fixed point: integer weights, 16-bit activations, 32-bit sums, a table of tanh.

A hidden value is code / 32767. The first layer takes its inputs with `input_bits` bits after the
point. A sum of a later layer is code of the weight times code of the value, in units of
scale / 32767; a multiplier takes it to the argument of tanh, with `fraction` bits after the point,
and then the bias is added. The last layer's sums are scaled in float.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime.format import ModelFile

from .arithmetic import Array, Bounded, RunningError
from .narrowing import fed, physical

ONE = 32767
"""The code of 1."""
TABLE_ERROR = 0.7699 / 16 / 64**2 + 1.0 / ONE
"""Of tanh: linear between points 1/64 apart, the entries shifted by half of what a chord is off;
entries and result rounded."""
OFFSET = 8.0
"""What the argument of tanh is too large by: the table begins at -8."""
MOST_INPUT_BITS, MOST_FRACTION, LEAST_FRACTION = 20, 20, 12
_INT32 = 2.0**31 - 1

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FixedLayer:
    """codes (out, in) with a scale (out,); `one`: the real value of an input of 1."""

    codes: Integers
    scale: Array
    one: float
    bias: Array
    multiplier: Integers

    @property
    def unit(self) -> Array:
        """The real value of a sum of 1, (out,)."""
        return self.scale * self.one


@dataclass(frozen=True, eq=False)
class FixedNetwork:
    """The layers; the bits after the point of the inputs and of the arguments of tanh.

    input_limit: how large an input may be.
    """

    layers: tuple[FixedLayer, ...]
    input_bits: int
    fraction: int
    input_limit: float

    def steps(self, fed: Array) -> Integers:
        """The integers (n, d) that the first layer takes for what is fed to it (n, d)."""
        held = np.clip(fed, -self.input_limit, self.input_limit)
        return np.rint(held * 2.0**self.input_bits).astype(np.int64)

    def sums(self, z: Integers) -> Integers:
        """Sums of the last layer (n, m) for integers (n, d): kdpinn_eval_integers bit for bit.

        Where a processor has products of 64 bits; the others may be a unit of tanh's argument off.
        """
        *hidden, last = self.layers
        for layer in hidden:
            argument = (z @ layer.codes.T * layer.multiplier >> 32) + layer.bias.astype(np.int64)
            z = fixed_tanh(argument, self.fraction)
        return np.asarray(z @ last.codes.T)

    def outputs(self, z: Integers) -> Array:
        """What the sums stand for, (n, m): outputs of the last layer, before their scaling."""
        last = self.layers[-1]
        return self.sums(z) * last.unit + last.bias


def fixed_network(model: ModelFile, points: Array) -> FixedNetwork:
    """The network in integers, from one whose weights are stored as such.

    points (n, d): of the domain, for the size of what is fed.

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
    for bits in range(MOST_INPUT_BITS, LEAST_FRACTION, -1):
        layers = _layers(model, bits)
        if _largest(layers[0], limit * 2.0**bits) <= _INT32:
            break
    for index, fixed in enumerate(layers):
        if _largest(fixed, limit * 2.0**bits if index == 0 else ONE) > _INT32:
            raise ValueError(
                f"layer {index}: sums of {fixed.codes.shape[1]} products of "
                f"{model.layers[index].precision} weights and values do not fit into 32 bits; "
                "choose fewer bits or f32"
            )
    fraction = _fraction(layers[:-1])
    scaled = [_to_argument(layer, fraction) for layer in layers[:-1]]
    return FixedNetwork((*scaled, layers[-1]), bits, fraction, limit)


def fixed_tanh(argument: Integers, fraction: int) -> Integers:
    """32767 tanh as the device has it, of arguments OFFSET too large in units of 2^-fraction.

    Linear between points 1/64 apart, which lie off tanh by half of what a chord does.
    """
    part = fraction - 6
    at = np.clip(argument >> part, 0, len(_POINTS) - 2)
    slope, within = np.diff(_POINTS)[at], argument & ((1 << part) - 1)
    return np.asarray(_POINTS[at] + ((slope * within + (1 << (part - 1))) >> part), np.int64)


def _tanh_points() -> Integers:
    """`tanh_points` of the device's table, by the formula of export/tools/fit_tables.py."""
    t = np.tanh(np.arange(-512, 513) / 64)
    return np.asarray(np.rint(ONE * (t + 2 * t * (1 - t**2) / (16 * 64**2))), np.int64)


_POINTS = _tanh_points()


def _layers(model: ModelFile, bits: int) -> list[FixedLayer]:
    found = []
    for index, layer in enumerate(model.layers):
        codes, scale = layer.codes, layer.scale
        if codes is None or scale is None:
            raise ValueError(
                f"layer {index} is stored as {layer.precision}, fixed point needs integer weights: "
                "kdpinn quantize --precision i8"
            )
        one = 2.0**-bits if index == 0 else 1.0 / ONE
        bias, none = layer.bias.astype(np.float64), np.zeros(len(codes), np.int64)
        found.append(FixedLayer(codes, scale.astype(np.float64), one, bias, none))
    return found


def _largest(layer: FixedLayer, value: float) -> float:
    """The largest sum for inputs up to `value`."""
    return float(np.abs(layer.codes).sum(axis=1).max() * value)


def _fraction(layers: Sequence[FixedLayer]) -> int:
    """The most bits after the point for which all arguments and multipliers fit."""
    largest = max(float(layer.unit.max()) for layer in layers)
    fraction = min(MOST_FRACTION, int(np.floor(np.log2(_INT32 / largest))) - 32)
    # Half of the sum's range times the multiplier is what an argument can be, the bias beside it.
    biases = max(float(np.abs(layer.bias).max()) for layer in layers) + OFFSET
    if fraction < LEAST_FRACTION or biases * 2.0**fraction > _INT32 / 2:
        raise ValueError("weights or biases are too large for fixed point: choose --precision f32")
    return fraction


def _to_argument(layer: FixedLayer, fraction: int) -> FixedLayer:
    multiplier = np.rint(layer.unit * 2.0 ** (32 + fraction)).astype(np.int64)
    bias = np.rint((layer.bias + OFFSET) * 2.0**fraction)
    return replace(layer, bias=bias, multiplier=multiplier)


def fixed_bound(narrow: ModelFile, network: FixedNetwork, points: Array) -> Bounded:
    r"""Values of `narrow` in float64 and how far the fixed-point evaluation may be, (n, m).

    `narrow` has the weights that the codes stand for. Per layer, with z its inputs and e their
    error: $|W| e$ for what comes in; the relative rounding of the multiplier; four units of the
    argument for the bias and for rounding down; then tanh, which adds TABLE_ERROR.
    """
    float32 = RunningError(np.float32)
    z = fed(narrow, points, float32)
    z = Bounded(z.value, z.error + 2.0 ** -(network.input_bits + 1))
    for layer, fixed in zip(narrow.layers, network.layers, strict=True):
        weight = layer.weight.astype(np.float64)
        v = z.value @ weight.T + layer.bias.astype(np.float64)
        rounding = np.abs(fixed.codes * fixed.scale[:, None] - weight)  # `narrow` is in float32
        e = z.error @ np.abs(weight).T + np.abs(z.value) @ rounding.T
        if layer.activation != "identity":
            exact = fixed.unit * 2.0 ** (32 + network.fraction)
            # Where a product of 64 bits is made of three, the multiplier loses its last bit.
            off = (np.abs(fixed.multiplier - exact) + 1.0) / exact
            e = e + off * (np.abs(v - layer.bias) + e) + 4 * 2.0**-network.fraction
            slope = 1.0 - np.tanh(v) ** 2
            e = np.minimum(slope * e + 0.385 * e**2, 2.0) + TABLE_ERROR
            v = np.tanh(v)
        else:
            e = e + float32.gamma(3) * (np.abs(v) + e)
        z = Bounded(v, e)
    return physical(narrow, points, z, float32)
