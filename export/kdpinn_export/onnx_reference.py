"""Graphs with Erf in double precision, for which onnxruntime 1.31 has no kernel: in numpy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

from .arithmetic import FloatArray, erf


class Erf(OpRun):
    """In the argument's own precision; onnx's evaluator rounds to float32 on the way."""

    op_domain = ""

    def _run(self, x: FloatArray) -> tuple[FloatArray]:
        return (erf(x),)


class Gelu(OpRun):
    """The same; onnx defines it by an Erf of its own."""

    op_domain = ""

    def _run(self, x: FloatArray, approximate: str = "none") -> tuple[FloatArray]:
        if approximate == "none":
            return (x * (1 + erf(x / math.sqrt(2))) / 2,)
        return (x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,)


@dataclass(frozen=True)
class Tensor:
    """An input or output as onnxruntime describes it."""

    name: str
    type: str
    shape: list[int | str]


class ReferenceSession:
    """onnx's own evaluator, slow, behind the calls of an onnxruntime session."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.model = model
        self.evaluator = ReferenceEvaluator(model, new_ops=[Erf, Gelu])

    def get_inputs(self) -> list[Tensor]:
        """The graph's inputs, constants apart."""
        constants = {tensor.name for tensor in self.model.graph.initializer}
        return [_described(i) for i in self.model.graph.input if i.name not in constants]

    def get_outputs(self) -> list[Tensor]:
        """The graph's outputs."""
        return [_described(output) for output in self.model.graph.output]

    def run(self, names: Sequence[str] | None, feed: Mapping[str, FloatArray]) -> list[Any]:
        """The outputs `names`, or all."""
        return list(self.evaluator.run(names, dict(feed)))


def needs_reference(model: onnx.ModelProto) -> bool:
    """Whether the graph computes an error function in double precision."""
    double = any(
        value.type.tensor_type.elem_type == onnx.TensorProto.DOUBLE for value in model.graph.input
    )
    return double and any(node.op_type in ("Erf", "Gelu") for node in model.graph.node)


def _described(value: onnx.ValueInfoProto) -> Tensor:
    kind = value.type.tensor_type
    name = "double" if kind.elem_type == onnx.TensorProto.DOUBLE else "float"
    shape = [d.dim_value if d.HasField("dim_value") else d.dim_param for d in kind.shape.dim]
    return Tensor(value.name, f"tensor({name})", shape)
