"""Fixed-point tables of a network with integer weights, for `kdpinn_fixed.h`: integers only.

An activation q means q / 32767, an input q means `input_center + q * input_unit` in its own unit,
an output q means q * `output_unit`. Weights are the codes of the model file, and everything else
goes into one multiplier for each neuron.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime.format import INTEGER_BITS, Layer, ModelFile

Integers = NDArray[np.int64]
Array = NDArray[np.float64]

ONE = 32767
"""The activation 1; KD_FIXED_ONE."""
FRACTION = 20
"""Bits after the point of what tanh takes; KD_FIXED_FRACTION."""
TANH_ERROR = 1.0 / ONE
"""Of kd_fixed_tanh at most; a test looks at every argument."""
_HALF_F32 = 2.0**-24


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedLayer:
    """weight (out, in) codes of `bits` bits; bias, multiplier, shift (out,); factor: their meaning.

    A sum s stands for s * factor[o] in units of 2^-20, or of the output's unit in the last layer.
    """

    weight: Integers
    bits: int
    bias: Integers
    multiplier: Integers
    shift: Integers
    factor: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedNetwork:
    """The tables of a network, and what the integers at its ends mean; (d,) and (m,)."""

    model: ModelFile
    layers: tuple[FixedLayer, ...]
    offset: Integers
    input_center: Array
    input_unit: Array
    output_unit: Array

    def inputs(self, x: Array) -> Integers:
        """The nearest integer inputs (n, d) of points (n, d); ValueError outside 16 bits."""
        q = np.rint((x - self.input_center) / self.input_unit).astype(np.int64)
        if np.abs(q).max(initial=0) > ONE:
            raise ValueError("a point lies outside the model's domain: 16 bits do not hold it")
        return q

    def points(self, q: Integers) -> Array:
        """The physical points (n, d) that integer inputs (n, d) stand for."""
        return self.input_center + q * self.input_unit

    def values(self, q: Integers) -> Array:
        """Physical outputs (n, m) as the device computes them, bit for bit."""
        return self.evaluate(q) * self.output_unit

    def evaluate(self, q: Integers) -> Integers:
        """Integer outputs (n, m) of integer inputs (n, d): the same as kd_fixed_eval."""
        for layer in self.layers[:-1]:
            q = fixed_tanh(_sums(layer, q))
        return _sums(self.layers[-1], q) + self.offset

    def bound(self, q: Integers) -> Array:
        """Largest |error| of `values` (n, m) against the model in exact arithmetic, at `points(q)`.

        A running bound: with e the errors of a layer's inputs, sums err by |W| e, the bias by half
        a unit, the multiplier by 2^-31 of the sum, its rounding by half a unit; tanh multiplies
        that by its largest slope within reach and adds one unit of the activations. Weights of the
        model are rounded to float32: 2^-24 of each product.
        """
        a = (self.points(q) - self.model.input_shift) * self.model.input_scale
        error = np.zeros_like(a)
        for layer, stored in zip(self.layers[:-1], self.model.layers, strict=False):
            weight, unit = np.abs(stored.weight.astype(np.float64)), 2.0**-FRACTION
            z = a @ stored.weight.T.astype(np.float64) + stored.bias
            error = error @ weight.T + _rounding(layer, weight, a, stored, unit)
            nearest = np.maximum(np.abs(z) - error, 0.0)
            error = error / np.cosh(np.minimum(nearest, 300.0)) ** 2 + TANH_ERROR
            a = np.tanh(z)
        stored, scale = self.model.layers[-1], np.abs(self.model.output_scale)
        weight = np.abs(stored.weight.astype(np.float64))
        rounding = _rounding(self.layers[-1], weight, a, stored, self.output_unit / scale)
        bound: Array = scale * (error @ weight.T + rounding) + self.output_unit / 2
        return bound


def fixed(model: ModelFile) -> FixedNetwork:
    """The tables for a model whose weights are integers of at most 16 bits and activations tanh.

    Raises ValueError, naming what fixed point cannot do.
    """
    _check(model)
    names = [(v.lower, v.upper) for v in model.inputs]
    reach = np.abs((np.array(names) - model.input_shift[:, None]) * model.input_scale[:, None])
    step = float(reach.max()) / ONE
    layers, unit = [], step
    for index, layer in enumerate(model.layers[:-1]):
        layers.append(_layer(index, layer, np.full(len(layer.bias), 2.0**-FRACTION), unit, 1.0))
        unit = 1.0 / ONE
    last = model.layers[-1]
    largest = np.abs(last.weight.astype(np.float64)).sum(axis=1) + np.abs(last.bias)
    largest = np.abs(model.output_scale) * largest + np.abs(model.output_shift)
    output_unit = 2.0 ** np.ceil(np.log2(np.maximum(largest, 1e-300))) * 2.0**-29
    layers.append(_layer(len(layers), last, output_unit, unit, model.output_scale))
    return FixedNetwork(
        model=model,
        layers=tuple(layers),
        offset=np.rint(model.output_shift / output_unit).astype(np.int64),
        input_center=model.input_shift.copy(),
        input_unit=step / np.abs(model.input_scale) * np.sign(model.input_scale),
        output_unit=output_unit,
    )


def fixed_tanh(z: Integers) -> Integers:
    """kd_fixed_tanh of integers of any shape."""
    size = np.minimum(np.abs(z), (8 << FRACTION) - 1)
    k = (size + (1 << 14)) >> 15
    d, t = size - (k << 15), _TANH[k]
    slope = 65536 - ((t * t + 32768) >> 16)
    bend, square = (t * slope + 32768) >> 16, (d * d + (1 << 11)) >> 12
    value = 2 * t + ((slope * d + (1 << 18)) >> 19) - ((bend * square + (1 << 26)) >> 27)
    return np.asarray(np.sign(z) * np.minimum((value * ONE + 65536) >> 17, ONE), np.int64)


_TANH = np.minimum(np.rint(np.tanh(np.arange(257) / 32) * 65536), 65535).astype(np.int64)


def c_tables(network: FixedNetwork, name: str) -> str:
    """C source of a constant `kd_fixed_network` called `name`; include kdpinn_fixed.h before it."""
    lines = [*_comment(network)]
    for index, layer in enumerate(network.layers):
        kind = "int8_t" if layer.bits <= 8 else "int16_t"
        prefix = f"{name}_{index}"
        lines += _array(f"static const {kind} {prefix}_weight", layer.weight.ravel())
        lines += _array(f"static const int32_t {prefix}_bias", layer.bias)
        lines += _array(f"static const int32_t {prefix}_multiplier", layer.multiplier)
        lines += _array(f"static const uint8_t {prefix}_shift", layer.shift)
    lines.append(f"static const kd_fixed_layer {name}_layers[{len(network.layers)}] = {{")
    for index, layer in enumerate(network.layers):
        n_out, n_in = layer.weight.shape
        weight = f"{name}_{index}_weight"
        pair = f"{weight}, 0" if layer.bits <= 8 else f"0, {weight}"
        rest = ", ".join(f"{name}_{index}_{part}" for part in ("bias", "multiplier", "shift"))
        lines.append(f"    {{{n_in}, {n_out}, {pair}, {rest}}},")
    lines.append("};")
    lines += _array(f"static const int32_t {name}_offset", network.offset)
    width = max(max(layer.weight.shape) for layer in network.layers)
    lines.append(
        f"const kd_fixed_network {name} = "
        f"{{{len(network.layers)}, {width}, {name}_layers, {name}_offset}};"
    )
    return "\n".join(lines) + "\n"


def _comment(network: FixedNetwork) -> Iterator[str]:
    for v, center, unit in zip(
        network.model.inputs, network.input_center, network.input_unit, strict=True
    ):
        yield f"/* input {v.name} = {center:.17g} + {unit:.17g} q {v.unit} */"
    for v, unit in zip(network.model.outputs, network.output_unit, strict=True):
        yield f"/* output {v.name} = {unit:.17g} q {v.unit} */"


def _array(head: str, numbers: Iterable[Any]) -> list[str]:
    texts = [str(int(number)) for number in numbers]
    rows = [", ".join(texts[k : k + 12]) for k in range(0, len(texts), 12)]
    return [f"{head}[{len(texts)}] = {{", *(f"    {row}," for row in rows), "};"]


def _check(model: ModelFile) -> None:
    if model.features is not None or model.exact is not None:
        raise ValueError(
            "fixed point has no functions of the coordinates: train without features and exact "
            "conditions"
        )
    for index, layer in enumerate(model.layers):
        if layer.precision not in INTEGER_BITS:
            raise ValueError(
                f"layer {index} is stored as {layer.precision}, fixed point needs integer weights: "
                "quantize the model (kdpinn quantize --precision i8)"
            )
        if index < len(model.layers) - 1 and layer.activation != "tanh":
            raise ValueError(f"layer {index} has the activation {layer.activation}, expected tanh")


def _layer(
    index: int, layer: Layer, result: Array, unit: float, scale: Array | float
) -> FixedLayer:
    """A layer with inputs in `unit` and results, times `scale`, in units of `result` (out,)."""
    codes, rows = layer.codes, layer.scale
    assert codes is not None, "checked before"
    assert rows is not None, "checked before"
    n_out = len(layer.bias)
    sign = np.broadcast_to(np.sign(scale), (n_out,)).astype(np.int64)
    size = rows.astype(np.float64) * unit
    bias = np.rint(layer.bias / size).astype(np.int64) * sign
    weight = codes * sign[:, None]
    largest = np.abs(weight).sum(axis=1) * ONE + np.abs(bias)
    factor = size * np.abs(scale) / result
    if largest.max() >= 2**31:
        worst = int(np.argmax(largest))
        raise ValueError(
            f"the sum of neuron {worst} of layer {index} can reach {largest[worst]}, 32 bits hold "
            f"{2**31 - 1}: store the layer in fewer bits than {layer.precision}"
        )
    if (largest * factor).max() >= 2**31 - 1:
        raise ValueError(
            f"the results of layer {index} do not fit 32 bits: its weights are too large"
        )
    fraction, exponent = np.frexp(factor)
    multiplier = np.rint(fraction * 2.0**31).astype(np.int64)
    shift = 31 - exponent.astype(np.int64)
    shift = np.where(multiplier == 2**31, shift - 1, shift)
    multiplier = np.where(multiplier == 2**31, 2**30, multiplier)
    if shift.min() < 1 or shift.max() > 62:
        raise ValueError(f"layer {index} has scales that no shift of 1 to 62 bits can express")
    bits = INTEGER_BITS[layer.precision]
    return FixedLayer(
        weight=weight, bits=bits, bias=bias, multiplier=multiplier, shift=shift, factor=factor
    )


def _sums(layer: FixedLayer, q: Integers) -> Integers:
    sums = q @ layer.weight.T + layer.bias
    half = np.left_shift(np.int64(1), layer.shift - 1)
    return np.asarray((sums * layer.multiplier + half) >> layer.shift, np.int64)


def _rounding(
    layer: FixedLayer, weight: Array, a: Array, stored: Layer, unit: Array | float
) -> Array:
    """What a layer adds to the error of its sums, (n, out): `unit` is that of its results."""
    size = np.abs(a) @ weight.T + np.abs(stored.bias)
    added: Array = size * (2.0**-31 + _HALF_F32) + layer.factor * unit / 2 + np.asarray(unit) / 2
    return added
