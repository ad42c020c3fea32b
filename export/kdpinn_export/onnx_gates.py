"""Activations that graphs spell in several nodes: z sigmoid(z), and z (1 + erf(z / sqrt 2)) / 2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx

from .onnx_steps import Affine, Bend, Operands, Step, step_of

FUNCTIONS = ("Sigmoid", "Erf")
AFFINE = ("Add", "Sub", "Mul", "Div", "Neg")


@dataclass(frozen=True)
class Gate:
    """What becomes of the tensor z: the steps to `result`, in the graph `nodes` nodes."""

    result: str
    steps: tuple[Step, ...]
    nodes: int


@dataclass(frozen=True)
class _Branch:
    """scale * function(inner * z) + shift in the tensor `end`; function: an operator, "" for z."""

    end: str
    function: str = ""
    inner: float = 1.0
    scale: float = 1.0
    shift: float = 0.0
    nodes: int = 0


class Gates:
    """Finds them in a graph, whatever the order of their factors and constants.

    With any numbers a, b: z sigmoid(a z) is silu(a z) / a, and z (1 + erf(b z)) with c = sqrt(2) b
    is 2 gelu(c z) / c; such factors become affine steps, to be folded into the weights.

    Args:
        users: the nodes that read a tensor, by its name.
        rounding: relative, of the graph's constants; a factor as near to 1 is 1.
    """

    def __init__(
        self,
        operands: Operands,
        users: Mapping[str, Sequence[onnx.NodeProto]],
        rounding: float,
    ) -> None:
        self.operands, self.users, self.rounding = operands, users, rounding

    def at(self, name: str) -> Gate | None:
        """The gate that begins at the tensor; None if none does."""
        users = self.users.get(name, ())
        if len(users) != 2:
            return None
        one, other = (self._branch(name, user) for user in users)
        if one is None or other is None or one[1] is not other[1]:
            return None
        product = one[1]
        plain, gate = sorted((one[0], other[0]), key=lambda branch: branch.function)
        if plain.function or plain.shift or {plain.end, gate.end} != set(product.input):
            return None
        steps = self._steps(plain.scale, gate)
        return Gate(product.output[0], steps, plain.nodes + gate.nodes + 1) if steps else None

    def _branch(self, name: str, node: onnx.NodeProto) -> tuple[_Branch, onnx.NodeProto] | None:
        """From the tensor z = `name` through `node` to a product of two tensors, and that one."""
        function, inner, scale, shift, count = "", 1.0, 1.0, 0.0, 0
        while not self._is_product(node):
            if node.op_type in FUNCTIONS and not function and shift == 0:
                function, inner, scale = node.op_type, scale, 1.0
            else:
                affine = self._affine(node, name)
                if affine is None:
                    return None
                scale, shift = affine[0] * scale, affine[0] * shift + affine[1]
            name, users = node.output[0], self.users.get(node.output[0], ())
            if len(users) != 1:
                return None
            node, count = users[0], count + 1
        return _Branch(name, function, inner, scale, shift, count), node

    def _is_product(self, node: onnx.NodeProto) -> bool:
        return node.op_type == "Mul" and not self._constants(node) and len(set(node.input)) == 2

    def _constants(self, node: onnx.NodeProto) -> list[str]:
        return [name for name in node.input if name in self.operands.constants]

    def _affine(self, node: onnx.NodeProto, name: str) -> tuple[float, float] | None:
        """The factor and the summand of a node, if they are the same for all columns."""
        if node.op_type not in AFFINE or len(self._constants(node)) != len(node.input) - 1:
            return None
        step = step_of(self.operands, node, name)
        if not isinstance(step, Affine) or step.scale.size > 1 or step.shift.size > 1:
            return None
        return float(step.scale[0]), float(step.shift[0])

    def _steps(self, factor: float, gate: _Branch) -> tuple[Step, ...]:
        """factor * z times the gate; () if it is neither of the two."""
        if gate.function == "Sigmoid" and gate.shift == 0 and gate.inner:
            inner, activation, scale = gate.inner, "silu", gate.scale
        elif gate.function == "Erf" and gate.scale == gate.shift and gate.inner:
            inner, activation, scale = math.sqrt(2) * gate.inner, "gelu", 2 * gate.shift
        else:
            return ()
        inner = 1.0 if abs(inner - 1) <= self.rounding else inner
        return (*_scaled(inner), Bend(activation), *_scaled(factor * scale / inner))


def _scaled(factor: float) -> tuple[Step, ...]:
    return () if factor == 1 else (Affine(np.full(1, factor), np.zeros(1)),)
