"""An ONNX graph as a chain of steps: affine maps of single columns, dense maps, activations.

What is no such chain is refused, naming the node.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper, numpy_helper

from .arithmetic import Array


@dataclass(frozen=True, eq=False)
class Affine:
    """y = scale * x + shift, column by column; each (width,), or (1,) for all columns alike."""

    scale: Array
    shift: Array


@dataclass(frozen=True, eq=False)
class Dense:
    """y = weight @ x + bias; weight (out, in), bias (out,)."""

    weight: Array
    bias: Array


@dataclass(frozen=True)
class Bend:
    """y = activation(x), by the name that a model file gives it."""

    activation: str


Step: TypeAlias = Affine | Dense | Bend
ACTIVATIONS = {"Tanh": "tanh", "Sin": "sin", "Sigmoid": "sigmoid"}
NO_OPERATION = ("Identity", "Cast", "Flatten", "Dropout")
REMEDY = "Distil it instead: `kdpinn distill --teacher FILE.onnx --domain ... --out DIR`."


class NotPlain(ValueError):
    """The graph is no plain network; the message names the node that cannot be taken."""


@dataclass(frozen=True)
class Chain:
    """The steps from inputs, (n, width), to outputs; `single`: whether it computes in float32."""

    width: int
    steps: tuple[Step, ...]
    single: bool


def chain_of(model: onnx.ModelProto) -> Chain:
    """The graph as a chain.

    Several inputs are joined, and one output split, only column by column.

    Raises:
        NotPlain: naming the node that is in the way.
    """
    return _Reader(model.graph).chain()


class _Reader:
    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
        self.inputs = [i for i in graph.input if i.name not in self.constants]
        self.outputs = [o.name for o in graph.output]
        self.nodes = [node for node in graph.node if not self._folded(node)]
        self.users: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.input):
                self.users.setdefault(name, []).append(node)
        self.used = 0

    def chain(self) -> Chain:
        kinds = {i.type.tensor_type.elem_type for i in self.inputs}
        if not kinds <= {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE}:
            raise NotPlain(f"The graph's inputs must be float or double tensors. {REMEDY}")
        name, width = self._start()
        steps: list[Step] = []
        while name not in self.outputs and not self._splits(name):
            node = self._next(name)
            name, step = self._step(node, name)
            if step is not None:
                steps.append(step)
        if self.used < len(self.nodes) or (name in self.outputs and len(self.outputs) > 1):
            raise NotPlain(
                f"The graph has other nodes or outputs beside the chain that ends in '{name}': a "
                f"model file holds one chain. {REMEDY}"
            )
        return Chain(width, tuple(steps), onnx.TensorProto.FLOAT in kinds)

    # -- ends ------------------------------------------------------------------------------------

    def _start(self) -> tuple[str, int]:
        """The tensor that holds all inputs, and its width."""
        widths = [self._width(i) for i in self.inputs]
        if len(self.inputs) == 1:
            return self.inputs[0].name, widths[0]
        names = [i.name for i in self.inputs]
        users = self.users.get(names[0], []) if names else []
        if len(users) != 1 or users[0].op_type != "Concat" or list(users[0].input) != names:
            raise NotPlain(
                f"The graph has the inputs {', '.join(names) or 'none'}: they must be joined by "
                f"one Concat, in this order, before anything else. {REMEDY}"
            )
        self.used += 1
        return users[0].output[0], sum(widths)

    def _width(self, value: onnx.ValueInfoProto) -> int:
        shape = value.type.tensor_type.shape.dim
        if len(shape) != 2 or shape[1].dim_value < 1:
            sizes = [d.dim_value or d.dim_param or "?" for d in shape]
            raise NotPlain(
                f"Input '{value.name}' must have the shape (points, coordinates) with a fixed "
                f"number of coordinates, got {sizes}. {REMEDY}"
            )
        return int(shape[1].dim_value)

    def _splits(self, name: str) -> bool:
        """Whether the tensor is only cut into the graph's outputs, in their order."""
        users = self.users.get(name, [])
        found = (
            len(users) == 1
            and users[0].op_type == "Split"
            and list(users[0].output) == self.outputs
            and _attributes(users[0]).get("axis", 0) in (1, -1)
        )
        self.used += found
        return found

    # -- the way ---------------------------------------------------------------------------------

    def _next(self, name: str) -> onnx.NodeProto:
        """The node that takes the tensor; x * sigmoid(x) counts as one, at its Mul."""
        users = self.users.get(name, [])
        if len(users) == 2:
            gates = [n for n in users if n.op_type == "Sigmoid"]
            products = [n for n in users if n.op_type == "Mul"]
            if (
                gates
                and products
                and set(products[0].input) == {name, gates[0].output[0]}
                and len(self.users[gates[0].output[0]]) == 1
            ):
                self.used += 2
                return products[0]
        if len(users) != 1:
            what = ", ".join(_called(node) for node in users) or "no node"
            raise NotPlain(f"'{name}' goes to {what}: a model file holds one chain. {REMEDY}")
        self.used += 1
        return users[0]

    def _step(self, node: onnx.NodeProto, name: str) -> tuple[str, Step | None]:
        """What the node does to the tensor `name`, and the name of its result."""
        kind, result = node.op_type, node.output[0]
        if kind in NO_OPERATION:
            self._check_no_operation(node)
            return result, None
        if kind in ACTIVATIONS:
            return result, Bend(ACTIVATIONS[kind])
        if kind == "Swish" and _attributes(node).get("alpha", 1.0) == 1.0:
            return result, Bend("silu")
        if kind == "Mul" and not any(n in self.constants for n in node.input):
            if len(set(node.input)) == 2 and self._is_gate(node, name):
                return result, Bend("silu")
            raise self._refused(node, "its second factor is no constant")
        reader = _READERS.get(kind)
        if reader is None:
            raise self._refused(node, f"{kind} has no counterpart")
        return result, reader(self, node, name)

    def _is_gate(self, node: onnx.NodeProto, name: str) -> bool:
        return any(n.op_type == "Sigmoid" for n in self.users[name]) and name in node.input

    def _check_no_operation(self, node: onnx.NodeProto) -> None:
        attributes = _attributes(node)
        wide = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
        if node.op_type == "Cast" and attributes.get("to") not in wide:
            raise self._refused(node, "it casts to another type than float or double")
        if node.op_type == "Flatten" and attributes.get("axis", 1) != 1:
            raise self._refused(node, "it flattens the points too")

    def constant(self, node: onnx.NodeProto, position: int) -> Array:
        """A constant operand, float64."""
        name = node.input[position]
        if name not in self.constants:
            raise self._refused(node, f"its operand '{name}' is no constant")
        return np.asarray(self.constants[name], dtype=np.float64)

    def row(self, node: onnx.NodeProto, position: int) -> Array:
        """A constant operand with one number per column, (width,) or (1,)."""
        array = self.constant(node, position)
        if array.size != array.shape[-1] if array.ndim else False:
            raise self._refused(node, f"its constant has the shape {array.shape}, not one row")
        return array.reshape(-1)

    def _refused(self, node: onnx.NodeProto, why: str) -> NotPlain:
        return NotPlain(
            f"Node {_called(node)} cannot be taken into a model file: {why}. Known are dense "
            f"layers, tanh, sin, sigmoid, silu, and affine maps of single columns. {REMEDY}"
        )

    def _folded(self, node: onnx.NodeProto) -> bool:
        """Whether the node only makes a constant, which is then kept."""
        if node.op_type == "Constant":
            attributes = _attributes(node)
            if len(attributes) != 1:
                return False
            value = next(iter(attributes.values()))
            if isinstance(value, onnx.TensorProto):
                value = numpy_helper.to_array(value)
            self.constants[node.output[0]] = np.asarray(value)
            return True
        if node.op_type not in _FOLDS or any(n not in self.constants for n in node.input):
            return False
        operand = self.constants[node.input[0]]
        self.constants[node.output[0]] = _FOLDS[node.op_type](operand, _attributes(node))
        return True


def _called(node: onnx.NodeProto) -> str:
    return f"'{node.name}' ({node.op_type})" if node.name else f"{node.op_type} -> {node.output[0]}"


def _attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


_FOLDS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "Identity": lambda a, _: a,
    "Cast": lambda a, _: a,
    "Neg": lambda a, _: -a,
    "Transpose": lambda a, attributes: np.transpose(a, attributes.get("perm")),
}


def _gemm(reader: _Reader, node: onnx.NodeProto, name: str) -> Dense:
    options = _attributes(node)
    if node.input[0] != name or options.get("transA", 0):
        raise reader._refused(node, "the points must be its first operand, as they are")
    weight = options.get("alpha", 1.0) * reader.constant(node, 1)
    weight = weight if options.get("transB", 0) else weight.T
    bias = np.zeros(len(weight))
    if len(node.input) > 2 and node.input[2]:
        bias = bias + options.get("beta", 1.0) * reader.row(node, 2)
    return Dense(weight, bias)


def _matmul(reader: _Reader, node: onnx.NodeProto, name: str) -> Dense:
    weight = reader.constant(node, 1)
    if node.input[0] != name or weight.ndim != 2:
        raise reader._refused(node, "the points must be its first operand, a matrix its second")
    return Dense(weight.T, np.zeros(weight.shape[1]))


def _arithmetic(reader: _Reader, node: onnx.NodeProto, name: str) -> Affine:
    first = node.input[0] == name
    constant = reader.row(node, 1 if first else 0)
    one, zero = np.ones(1), np.zeros(1)
    match node.op_type:
        case "Add":
            return Affine(one, constant)
        case "Sub":
            return Affine(one, -constant) if first else Affine(-one, constant)
        case "Mul":
            return Affine(constant, zero)
        case _:
            if not first:
                raise reader._refused(node, "it divides by what the points give")
            return Affine(1 / constant, zero)


def _batch_normalization(reader: _Reader, node: onnx.NodeProto, name: str) -> Affine:
    options = _attributes(node)
    if options.get("training_mode", 0):
        raise reader._refused(node, "it is in training mode")
    scale, shift, mean, variance = (reader.row(node, k) for k in range(1, 5))
    scale = scale / np.sqrt(variance + options.get("epsilon", 1e-5))
    return Affine(scale, shift - mean * scale)


_READERS: dict[str, Callable[[_Reader, onnx.NodeProto, str], Step]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Div": _arithmetic,
    "Neg": lambda reader, node, name: Affine(-np.ones(1), np.zeros(1)),
    "BatchNormalization": _batch_normalization,
}
