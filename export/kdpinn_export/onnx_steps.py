"""Single nodes of an ONNX graph as steps: affine maps of columns, dense maps, activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import onnx
from onnx import helper

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
ACTIVATIONS = {"Tanh": "tanh", "Sin": "sin", "Sigmoid": "sigmoid", "Relu": "relu"}
NO_OPERATION = ("Identity", "Cast", "Flatten", "Dropout")
REMEDY = "Distil it instead: `kdpinn distill --teacher FILE.onnx --domain ... --out DIR`."


class NotPlain(ValueError):
    """The graph is no plain network; the message names the node that cannot be taken."""


class Operands:
    """The constants of a graph, by name, as the operands of a node."""

    def __init__(self, constants: dict[str, Any]) -> None:
        self.constants = constants

    def constant(self, node: onnx.NodeProto, position: int) -> Array:
        """A constant operand, float64."""
        name = node.input[position]
        if name not in self.constants:
            raise self.refused(node, f"its operand '{name}' is no constant")
        return np.asarray(self.constants[name], dtype=np.float64)

    def row(self, node: onnx.NodeProto, position: int) -> Array:
        """A constant operand with one number per column, (width,) or (1,)."""
        array = self.constant(node, position)
        if array.size != array.shape[-1] if array.ndim else False:
            raise self.refused(node, f"its constant has the shape {array.shape}, not one row")
        return array.reshape(-1)

    def refused(self, node: onnx.NodeProto, why: str) -> NotPlain:
        """The error that names the node and the reason."""
        return NotPlain(
            f"Node {called(node)} cannot be taken into a model file: {why}. Known are dense "
            f"layers, tanh, sin, sigmoid, silu, relu, gelu, and affine maps of single columns. "
            f"{REMEDY}"
        )


def step_of(operands: Operands, node: onnx.NodeProto, name: str) -> Step | None:
    """What the node does to the tensor `name`; None if it does nothing.

    Raises:
        NotPlain: naming the node.
    """
    kind = node.op_type
    if kind in NO_OPERATION:
        _check_no_operation(operands, node)
        return None
    if kind in ACTIVATIONS:
        return Bend(ACTIVATIONS[kind])
    if kind == "Swish" and attributes_of(node).get("alpha", 1.0) == 1.0:
        return Bend("silu")
    if kind == "Gelu":
        _check_exact(operands, node)
        return Bend("gelu")
    reader = _READERS.get(kind)
    if reader is None:
        raise operands.refused(node, f"{kind} has no counterpart")
    return reader(operands, node, name)


def called(node: onnx.NodeProto) -> str:
    """The node as messages name it."""
    return f"'{node.name}' ({node.op_type})" if node.name else f"{node.op_type} -> {node.output[0]}"


def attributes_of(node: onnx.NodeProto) -> dict[str, Any]:
    """The node's attributes by name."""
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _check_no_operation(operands: Operands, node: onnx.NodeProto) -> None:
    attributes = attributes_of(node)
    wide = (onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE)
    if node.op_type == "Cast" and attributes.get("to") not in wide:
        raise operands.refused(node, "it casts to another type than float or double")
    if node.op_type == "Flatten" and attributes.get("axis", 1) != 1:
        raise operands.refused(node, "it flattens the points too")


def _check_exact(operands: Operands, node: onnx.NodeProto) -> None:
    approximate = attributes_of(node).get("approximate", b"none").decode()
    if approximate != "none":
        why = f"GELU with approximate = '{approximate}' is up to 5e-4 off the exact function"
        raise operands.refused(node, why)


def _gemm(operands: Operands, node: onnx.NodeProto, name: str) -> Dense:
    options = attributes_of(node)
    if node.input[0] != name or options.get("transA", 0):
        raise operands.refused(node, "the points must be its first operand, as they are")
    weight = options.get("alpha", 1.0) * operands.constant(node, 1)
    weight = weight if options.get("transB", 0) else weight.T
    bias = np.zeros(len(weight))
    if len(node.input) > 2 and node.input[2]:
        bias = bias + options.get("beta", 1.0) * operands.row(node, 2)
    return Dense(weight, bias)


def _matmul(operands: Operands, node: onnx.NodeProto, name: str) -> Dense:
    if node.input[0] != name:
        raise operands.refused(node, "the points must be its first operand")
    weight = operands.constant(node, 1)
    if weight.ndim != 2:
        raise operands.refused(node, f"its constant has the shape {weight.shape}, no matrix")
    return Dense(weight.T, np.zeros(weight.shape[1]))


def _arithmetic(operands: Operands, node: onnx.NodeProto, name: str) -> Affine:
    first = node.input[0] == name
    constant = operands.row(node, 1 if first else 0)
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
                raise operands.refused(node, "it divides by what the points give")
            return Affine(1 / constant, zero)


def _batch_normalization(operands: Operands, node: onnx.NodeProto, name: str) -> Affine:
    options = attributes_of(node)
    if options.get("training_mode", 0):
        raise operands.refused(node, "it is in training mode")
    scale, shift, mean, variance = (operands.row(node, k) for k in range(1, 5))
    # The default is a float32 like every attribute: 1e-5 itself differs from it in double graphs.
    scale = scale / np.sqrt(variance + options.get("epsilon", float(np.float32(1e-5))))
    return Affine(scale, shift - mean * scale)


_READERS: dict[str, Callable[[Operands, onnx.NodeProto, str], Step]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Add": _arithmetic,
    "Sub": _arithmetic,
    "Mul": _arithmetic,
    "Div": _arithmetic,
    "Neg": lambda operands, node, name: Affine(-np.ones(1), np.zeros(1)),
    "BatchNormalization": _batch_normalization,
}
