"""ONNX: one graph of plain operators, checked in onnxruntime and, where installed, OpenVINO.

f16 and i8 are how the weights are stored; the graph computes in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kdpinn_runtime import Check
from kdpinn_runtime.format import ModelFile

from ..answers import KnownAnswers, known_answers
from ..arithmetic import FloatArray
from ..narrowing import narrowed, widened
from ..target import Precision, Request


@dataclass(frozen=True)
class Onnx:
    """`NAME.onnx` and `answers.json`."""

    name: str = "onnx"
    summary: str = "a graph of plain operators for onnxruntime, OpenVINO, TensorRT"
    precisions: tuple[Precision, ...] = ("f32", "f16", "i8")
    derivatives: bool = True

    def missing(self) -> str:
        """Empty: onnx and onnxruntime are dependencies."""
        return ""

    def tools(self) -> dict[str, str]:
        """The writer and the engines that check."""
        import onnx
        import onnxruntime

        tools = {"onnx": onnx.__version__, "onnxruntime": onnxruntime.__version__}
        if find_spec("openvino"):
            import openvino

            tools["openvino"] = openvino.__version__
        return tools

    def build(self, request: Request) -> dict[str, bytes]:
        """The graph and its known answers."""
        from ..onnx import to_bytes, to_onnx

        graph = to_onnx(_model(request), derivatives=request.derivatives, digest=request.digest)
        return {
            f"{request.name}.onnx": to_bytes(graph),
            "answers.json": _answers(request).to_json(model=request.digest, engine="float32"),
        }

    def check(self, request: Request, folder: Path) -> list[Check]:
        """Every output in both engines, within the rounding that float32 permits."""
        answers = _answers(request)
        graph = (folder / f"{request.name}.onnx").read_bytes()
        checks = [answers.compared(in_onnxruntime(graph, answers), "onnxruntime")]
        if find_spec("openvino"):
            checks.append(answers.compared(in_openvino(graph, answers), "openvino"))
        return checks


def _model(request: Request) -> ModelFile:
    """The model with its weights as the graph is to store them."""
    if request.precision == "f32":
        return widened(request.model)
    return narrowed(request.model, request.precision)


def _answers(request: Request) -> KnownAnswers:
    return known_answers(_model(request), derivatives=request.derivatives, copies=1)


def in_onnxruntime(graph: bytes, answers: KnownAnswers) -> FloatArray:
    """The graph's outputs, (n, names), by onnxruntime on one thread."""
    from ..check import open_session
    from ..onnx_graph import INPUT

    session = open_session(graph)
    feed = {INPUT: answers.points.astype(np.float32)}
    return np.hstack(session.run(list(answers.names), feed))


def in_openvino(graph: bytes, answers: KnownAnswers) -> FloatArray:
    """The graph's outputs, (n, names), by OpenVINO in float32 on one thread."""
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(graph, b""), "CPU", settings)
    result = compiled([answers.points.astype(np.float32)])
    return np.hstack([result[compiled.output(name)] for name in answers.names])


TARGET = Onnx()
