"""The ONNX graph of a model: ordinary operators, which every engine knows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from kdpinn_runtime.format import Layer, ModelFile

from .arithmetic import Array, FloatArray, Function
from .maps import Jets, features_of, impose
from .onnx_activations import ACTIVATIONS

INPUT = "points"
"""Name of the one input, (n, inputs), in physical units."""
BATCH = "n"
"""Name of the dynamic batch dimension."""

STORED = ("f16", "i8", "i6", "i4")
"""Weights that a graph has in float16 or int8; others become float32."""


class GraphBuilder:
    """Collects nodes and constants; names are made from a scope, so that equal models are equal.

    Names hold a '/', which no field name can: they never collide with the outputs.
    """

    def __init__(self, dtype: type[np.float32] | type[np.float64]) -> None:
        self.dtype = dtype
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.scope = "input"
        self._known: dict[tuple[bytes, tuple[int, ...]], str] = {}

    def constant(self, array: Array | float) -> str:
        """A stored number, rounded to the dtype of the graph; equal ones are stored once."""
        narrow = np.asarray(array, self.dtype)
        key = (narrow.tobytes(), narrow.shape)
        if key not in self._known:
            self._known[key] = f"constant/{len(self.initializers)}"
            self.initializers.append(numpy_helper.from_array(narrow, self._known[key]))
        return self._known[key]

    def product(self, value: str, layer: Layer, *bias: str) -> str:
        """value @ W.T + bias; weights that the model has in f16 or up to 8 bits are widened here.

        Gemm for narrow weights: before a MatMul onnxruntime 1.31 takes DequantizeLinear for leave
        to round the activations to 8 bits as well, which costs 2 % of the largest output and more.
        """
        if self.dtype is np.float32 and layer.precision in STORED:
            return self.node("Gemm", value, self._widened(layer), *bias, transB=1)
        if bias:
            return self.node("Gemm", value, self.constant(layer.weight), *bias, transB=1)
        return self.node("MatMul", value, self.constant(np.ascontiguousarray(layer.weight.T)))

    def _widened(self, layer: Layer) -> str:
        """The weight (out, in) in float32, stored as f16, or as int8 with scales (out,)."""
        name = f"{self.scope}/stored"
        stored = layer.weight.astype(np.float16) if layer.scale is None else layer.codes
        assert stored is not None, "a layer with scales has codes"
        if layer.scale is None:
            self.initializers.append(numpy_helper.from_array(stored, name))
            return self.node("Cast", name, to=TensorProto.FLOAT)
        self.initializers.append(numpy_helper.from_array(stored.astype(np.int8), name))
        scale = self.constant(layer.scale)
        # OpenVINO 2026.4 rounds activations of layers 64 wide or more where it sees that a weight
        # comes from integers; the Identity hides that.
        return self.node("Identity", self.node("DequantizeLinear", name, scale, axis=0))

    def indices(self, chosen: Sequence[int]) -> str:
        """Whole numbers, such as columns to take; equal ones are stored once."""
        name = f"indices/{'_'.join(map(str, chosen))}"
        if all(known.name != name for known in self.initializers):
            self.initializers.append(numpy_helper.from_array(np.array(chosen, np.int64), name))
        return name

    def nodes_of(self, operator: str, inputs: Sequence[str], count: int, **attrs: Any) -> list[str]:
        """A node with `count` outputs; their names."""
        number = len(self.nodes)
        outputs = [f"{self.scope}/{operator}_{number}_{k}" for k in range(count)]
        name = f"{self.scope}/{operator}_{number}"
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, name=name, **attrs))
        return outputs

    def node(self, operator: str, *inputs: str, **attrs: Any) -> str:
        """A node with one output; its name."""
        return self.nodes_of(operator, inputs, 1, **attrs)[0]

    def scaled(self, value: str, scale: Array) -> str:
        """value * scale, nothing where the scale is 1."""
        return value if np.all(scale == 1) else self.node("Mul", value, self.constant(scale))

    def shifted(self, value: str, shift: Array) -> str:
        """value + shift, nothing where the shift is 0."""
        return value if np.all(shift == 0) else self.node("Add", value, self.constant(shift))

    def rename(self, names: dict[str, str]) -> None:
        """Give tensors their final names."""
        for node in self.nodes:
            for side in (node.input, node.output):
                side[:] = [names.get(name, name) for name in side]


def derivative_name(field: str, variables: Sequence[str]) -> str:
    """u_x, u_xx; u_theta_r where a variable has more than one letter."""
    separator = "" if all(len(name) == 1 for name in variables) else "_"
    return f"{field}_{separator.join(variables)}"


def output_names(model: ModelFile, derivatives: bool) -> list[str]:
    """Names of the graph's outputs: the fields, then per channel the derivatives of all fields.

    Raises ValueError if two of them, or one and the input, are the same.
    """
    fields, variables = [v.name for v in model.outputs], [v.name for v in model.inputs]
    channels = [(v,) for v in variables] + [(variables[i], variables[j]) for i, j in model.pairs]
    names = list(fields)
    if derivatives:
        names += [derivative_name(f, channel) for channel in channels for f in fields]
    twice = sorted({name for name in names if [*names, INPUT].count(name) > 1})
    if twice:
        raise ValueError(
            f"the ONNX outputs would have the names {names} and the input is {INPUT!r}: "
            f"{', '.join(twice)} would be taken twice; rename the field"
        )
    return names


def build_graph(
    model: ModelFile, derivatives: bool, dtype: type[np.float32] | type[np.float64]
) -> onnx.GraphProto:
    """The graph of values, or of values, all first and the file's second derivatives."""
    names = output_names(model, derivatives)
    builder = GraphBuilder(dtype)
    pairs = list(model.pairs) if derivatives else []
    channels = _jet_channels(builder, model, pairs) if derivatives else [_values(builder, model)]
    builder.scope = "output"
    columns = [c for channel in channels for c in _columns(builder, channel, len(model.outputs))]
    builder.rename(dict(zip(columns, names, strict=True)))
    kind = TensorProto.FLOAT if dtype is np.float32 else TensorProto.DOUBLE
    # A derivative that vanishes leaves its constant behind, and onnxruntime warns of it.
    used = {name for node in builder.nodes for name in node.input}
    return helper.make_graph(
        builder.nodes,
        "kdpinn",
        [helper.make_tensor_value_info(INPUT, kind, [BATCH, len(model.inputs)])],
        [helper.make_tensor_value_info(name, kind, [BATCH, 1]) for name in names],
        [tensor for tensor in builder.initializers if tensor.name in used],
    )


def _columns(builder: GraphBuilder, channel: str, count: int) -> list[str]:
    """One (n, 1) tensor per field."""
    if count == 1:
        return [channel]
    return builder.nodes_of("Split", [channel], count, axis=1, num_outputs=count)


class GraphArithmetic:
    """The operators of a graph as a number system: what is computed is written as nodes."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    def constant(self, array: Array) -> str:
        """A stored number."""
        return self.builder.constant(array)

    def add(self, a: str, b: str) -> str:
        """a + b."""
        return self.builder.node("Add", a, b)

    def multiply(self, a: str, b: str) -> str:
        """a * b, element by element."""
        return self.builder.node("Mul", a, b)

    def linear(self, a: str, weight: Array) -> str:
        """a @ weight.T."""
        return self.builder.node("MatMul", a, self.builder.constant(weight.T))

    def function(self, name: Function, a: str) -> str:
        """An elementary function; the operators have its name."""
        return self.builder.node(name.capitalize(), a)

    def columns(self, a: str, start: int, stop: int) -> str:
        """Columns [start, stop)."""
        chosen = self.builder.indices(range(start, stop))
        return self.builder.node("Gather", a, chosen, axis=1)

    def stack(self, parts: Sequence[str | None], like: str) -> str:
        """Columns side by side; constants are spread over the batch of `like`."""
        zero = self.multiply(self.columns(like, 0, 1), self.builder.constant(np.zeros((1, 1))))
        return self.builder.node(
            "Concat", *(zero if p is None else self.add(zero, p) for p in parts), axis=1
        )


def _features(
    builder: GraphBuilder, model: ModelFile, pairs: Sequence[tuple[int, int]], derivatives: bool
) -> Jets[str]:
    """What the network takes in place of the points, with its derivatives."""
    assert model.features is not None
    builder.scope = "features"
    return features_of(
        model.features,
        model.input_shift,
        model.input_scale,
        INPUT,
        len(model.inputs),
        pairs,
        GraphArithmetic(builder),
        derivatives=derivatives,
    )


def _imposed(
    builder: GraphBuilder, model: ModelFile, channels: list[str], pairs: Sequence[tuple[int, int]]
) -> list[str]:
    """Channels of the outputs with their exact conditions."""
    if model.exact is None:
        return channels
    builder.scope = "exact"
    d = len(model.inputs)
    u = Jets(channels[0], tuple(channels[1 : 1 + d]), tuple(channels[1 + d :]))
    out = impose(model.exact, INPUT, d, u, pairs, GraphArithmetic(builder))
    return [out.value, *out.first, *out.second]


def _normalized(builder: GraphBuilder, model: ModelFile) -> str:
    if model.features is not None:
        return _features(builder, model, (), False).value
    # Not folded into the first layer: W (x - shift) cancels there when |shift| is large.
    shifted = builder.shifted(INPUT, -model.input_shift)
    return builder.scaled(shifted, model.input_scale)


def _dense(builder: GraphBuilder, layer: Layer, value: str) -> str:
    return builder.product(value, layer, builder.constant(layer.bias))


def _values(builder: GraphBuilder, model: ModelFile) -> str:
    value = _normalized(builder, model)
    for index, layer in enumerate(model.layers):
        builder.scope = f"layer{index}"
        value = _dense(builder, layer, value)
        if layer.activation != "identity":
            value = ACTIVATIONS[layer.activation].value(builder, value)
    builder.scope = "output"
    value = builder.shifted(builder.scaled(value, model.output_scale), model.output_shift)
    return _imposed(builder, model, [value], ())[0]


def _jet_channels(
    builder: GraphBuilder, model: ModelFile, pairs: Sequence[tuple[int, int]]
) -> list[str]:
    """Value, first, second derivatives, each (n, outputs): Taylor rules, one product per layer.

    Until the first bent layer the derivatives are the same for all points: `seed` (inputs, width)
    is computed here, in float64. From there on all channels are stacked along the batch, so that
    a layer is one matrix product.
    """
    channels: list[str]
    if model.features is None:
        value, channels = _normalized(builder, model), []
        seed = np.diag(model.input_scale).astype(np.float64)
    else:
        fed = _features(builder, model, pairs, True)
        value, channels = fed.value, [*fed.first, *fed.second]
        seed = np.zeros((len(model.inputs), len(model.input_scale)))  # in the channels already
    for index, layer in enumerate(model.layers):
        builder.scope = f"layer{index}"
        if channels:
            value, *channels = _stacked(builder, layer, [value, *channels])
        else:
            value = _dense(builder, layer, value)
            seed = seed @ layer.weight.astype(np.float64).T
        if layer.activation != "identity":
            value, channels = _bend(builder, layer, value, channels, seed, pairs)
    if not channels:
        channels = _constant_channels(builder, value, seed, pairs)
    builder.scope = "output"
    scale = model.output_scale
    physical = builder.shifted(builder.scaled(value, scale), model.output_shift)
    channels = [physical, *(builder.scaled(c, scale) for c in channels)]
    return _imposed(builder, model, channels, pairs)


def _stacked(builder: GraphBuilder, layer: Layer, channels: list[str]) -> list[str]:
    """W h for all channels at once; the bias belongs to the value alone."""
    product = builder.product(builder.node("Concat", *channels, axis=0), layer)
    count = len(channels)
    parts = builder.nodes_of("Split", [product], count, axis=0, num_outputs=count)
    return [builder.node("Add", parts[0], builder.constant(layer.bias)), *parts[1:]]


def _bend(
    builder: GraphBuilder,
    layer: Layer,
    value: str,
    channels: list[str],
    seed: FloatArray,
    pairs: Sequence[tuple[int, int]],
) -> tuple[str, list[str]]:
    """h' = g(v), h'_i = g' f_i, h'_ij = g' s_ij + g'' f_i f_j."""
    d = len(seed)
    value, slope, curvature = ACTIVATIONS[layer.activation].jet(builder, value, bool(pairs))
    first = channels[:d] or [builder.constant(row[None, :]) for row in seed]
    second = []
    for position, (i, j) in enumerate(pairs):
        term = builder.node("Mul", curvature, builder.node("Mul", first[i], first[j]))
        if channels:
            straight = builder.node("Mul", slope, channels[d + position])
            term = builder.node("Add", straight, term)
        second.append(term)
    return value, [*(builder.node("Mul", slope, f) for f in first), *second]


def _constant_channels(
    builder: GraphBuilder, value: str, seed: FloatArray, pairs: Sequence[tuple[int, int]]
) -> list[str]:
    """Derivatives of an affine model, one row for every point of the batch."""
    zero = builder.node("Mul", value, builder.constant(0.0))
    first = [builder.node("Add", zero, builder.constant(row[None, :])) for row in seed]
    return [*first, *(builder.node("Mul", value, builder.constant(0.0)) for _ in pairs)]
