"""OpenVINO on one thread of the CPU in float32, from the ONNX form of the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

from kdpinn_runtime.format import ModelFile

from ..engine_model import EngineModel, FloatArray
from ..onnx import to_bytes, to_onnx
from ..onnx_graph import output_names
from .ort import as_channels


@dataclass(frozen=True)
class OpenVino:
    """float32 alone: OpenVINO's CPU kernels have no float64."""

    name: str = "openvino"

    def missing(self) -> str:
        """Its package is optional."""
        return "" if find_spec("openvino") else "pip install 'kdpinn[bench]' has openvino"

    def open(self, model: ModelFile, data: bytes) -> EngineModel:
        """Graphs are compiled when they are first needed."""
        import openvino

        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}

        @cache
        def compiled(derivatives: bool) -> Any:
            graph = to_bytes(to_onnx(model, derivatives=derivatives))
            return core.compile_model(core.read_model(graph, b""), "CPU", settings)

        def channels(x: FloatArray, derivatives: bool) -> FloatArray:
            network = compiled(derivatives)
            result = network([x])
            names = output_names(model, derivatives)
            columns = [result[network.output(name)] for name in names]
            return as_channels(columns, len(model.outputs))

        return EngineModel(model, data[64:96].hex(), channels)


ENGINE = OpenVino()
