"""TensorRT on this machine's GPU, float32 without TF32."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from kdpinn_runtime.format import ModelFile

from ..engine_model import EngineModel, FloatArray
from ..narrowing import widened
from ..onnx import to_bytes, to_onnx
from ..onnx_graph import output_names
from ..targets.tensorrt import Session, build_engine, gpu_missing
from .ort import as_channels


@dataclass(frozen=True)
class TensorRt:
    """Engines are built when they are first needed; each takes seconds to minutes."""

    name: str = "tensorrt"

    def missing(self) -> str:
        """The package, and a GPU that torch sees."""
        return gpu_missing("tensorrt")

    def open(self, model: ModelFile, data: bytes) -> EngineModel:
        """The model on the GPU."""
        plain = widened(model)

        @cache
        def session(derivatives: bool) -> Session:
            graph = to_bytes(to_onnx(plain, derivatives=derivatives))
            return Session(build_engine(graph, "f32")[0])

        def channels(x: FloatArray, derivatives: bool) -> FloatArray:
            names = tuple(output_names(model, derivatives))
            return as_channels(session(derivatives)(x, names), len(model.outputs))

        return EngineModel(model, data[64:96].hex(), channels)


ENGINE = TensorRt()
