"""ONNX export: `to_onnx`, one output per field and per derivative."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal

import numpy as np
import onnx
from onnx import helper

from kdpinn_runtime.format import ModelFile, Variable

from .onnx_graph import build_graph

OPSET = 18
"""Split with num_outputs needs 18; onnxruntime, OpenVINO and TensorRT all read it."""
IR_VERSION = 8
"""The file layout that belongs to opset 18 (onnx 1.13)."""
OPERATORS = frozenset(
    {
        "Add",
        "Cast",
        "Concat",
        "Cos",
        "DequantizeLinear",
        "Erf",
        "Exp",
        "Gather",
        "Gemm",
        "Identity",
        "MatMul",
        "Mul",
        "Neg",
        "Reciprocal",
        "Relu",
        "Sigmoid",
        "Sign",
        "Sin",
        "Split",
        "Sub",
        "Tanh",
    }
)
"""All that a graph may use; Cast and DequantizeLinear widen stored weights, nothing else."""


def to_onnx(
    model: ModelFile,
    *,
    derivatives: bool = False,
    dtype: Literal["f32", "f64"] = "f32",
    digest: str = "",
) -> onnx.ModelProto:
    """The model as an ONNX graph of plain operators, opset 18.

    Input "points", (n, inputs), in physical units; the normalization is inside. One output (n, 1)
    per field, named like it; with `derivatives` also every first derivative and the second
    derivatives that the file lists, named "u_x", "u_xx". Weights are rounded to `dtype`; in an f32
    graph those that the model stores in f16 stay so, integers of up to 8 bits become int8, widened
    by Cast and DequantizeLinear; activations are float32 throughout. The metadata holds units,
    domain and parameters as JSON and `digest`, the hexadecimal SHA-256 of the model file that this
    graph was made from (empty: left out). The same model gives the same bytes (`to_bytes`). Raises
    ValueError if an output name would be taken twice.

    gelu is made of Erf, which onnxruntime 1.31 has in float32 alone: it runs no f64 graph of it.
    """
    graph = build_graph(model, derivatives, np.float32 if dtype == "f32" else np.float64)
    proto = helper.make_model(
        graph,
        producer_name="kdpinn",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    foreign = {node.op_type for node in graph.node} - OPERATORS
    assert not foreign, f"operators that the list does not have: {foreign}"
    helper.set_model_props(proto, metadata(model, digest))
    onnx.checker.check_model(proto, full_check=True)
    return proto


def metadata(model: ModelFile, digest: str = "") -> dict[str, str]:
    """What the graph itself cannot say: key -> JSON text (the digest is plain text)."""
    entries = {
        "kdpinn.inputs": _json([_described(v) for v in model.inputs]),
        "kdpinn.outputs": _json([_described(v) for v in model.outputs]),
        "kdpinn.parameters": _json([p._asdict() for p in model.parameters]),
    }
    return entries | ({"kdpinn.digest": digest} if digest else {})


def to_bytes(proto: onnx.ModelProto) -> bytes:
    """The file's bytes; equal models give equal bytes."""
    data: bytes = proto.SerializeToString(deterministic=True)
    return data


def _described(variable: Variable) -> dict[str, str | float]:
    return {
        "name": variable.name,
        "unit": variable.unit,
        "lower": variable.lower,
        "upper": variable.upper,
    }


def _json(value: Sequence[object]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
