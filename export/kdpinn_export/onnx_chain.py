"""An ONNX graph as a chain of steps; what is no such chain is refused, naming the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from .onnx_gates import Gates
from .onnx_steps import REMEDY, NotPlain, Operands, Step, attributes_of, called, step_of


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
        self.operands = Operands(self.constants)
        kinds = {i.type.tensor_type.elem_type for i in self.inputs}
        self.single = onnx.TensorProto.FLOAT in kinds
        if not kinds <= {onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE}:
            raise NotPlain(f"The graph's inputs must be float or double tensors. {REMEDY}")
        # A constant is rounded to half of eps, and a factor of two constants to the whole.
        eps = np.finfo(np.float32 if self.single else np.float64).eps
        self.gates = Gates(self.operands, self.users, float(eps))
        self.used = 0

    def chain(self) -> Chain:
        name, width = self._start()
        steps: list[Step] = []
        while name not in self.outputs and not self._splits(name):
            name, found = self._next(name)
            steps += found
        if self.used < len(self.nodes) or (name in self.outputs and len(self.outputs) > 1):
            raise NotPlain(
                f"The graph has other nodes or outputs beside the chain that ends in '{name}': a "
                f"model file holds one chain. {REMEDY}"
            )
        return Chain(width, tuple(steps), self.single)

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
            and attributes_of(users[0]).get("axis", 0) in (1, -1)
        )
        self.used += found
        return found

    # -- the way ---------------------------------------------------------------------------------

    def _next(self, name: str) -> tuple[str, tuple[Step, ...]]:
        """What the nodes that take the tensor do to it, and the name of their result."""
        if gate := self.gates.at(name):
            self.used += gate.nodes
            return gate.result, gate.steps
        users = self.users.get(name, [])
        if len(users) != 1:
            what = ", ".join(called(node) for node in users) or "no node"
            raise NotPlain(f"'{name}' goes to {what}: a model file holds one chain. {REMEDY}")
        (node,) = users
        if node.op_type == "Mul" and not any(n in self.constants for n in node.input):
            raise self.operands.refused(node, "its second factor is no constant")
        self.used += 1
        step = step_of(self.operands, node, name)
        return node.output[0], () if step is None else (step,)

    def _folded(self, node: onnx.NodeProto) -> bool:
        """Whether the node only makes a constant, which is then kept."""
        if node.op_type == "Constant":
            attributes = attributes_of(node)
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
        self.constants[node.output[0]] = _FOLDS[node.op_type](operand, attributes_of(node))
        return True


_FOLDS: dict[str, Callable[[Any, dict[str, Any]], Any]] = {
    "Identity": lambda a, _: a,
    "Cast": lambda a, _: a,
    "Neg": lambda a, _: -a,
    "Transpose": lambda a, attributes: np.transpose(a, attributes.get("perm")),
}
