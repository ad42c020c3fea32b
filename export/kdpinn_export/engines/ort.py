"""onnxruntime on one thread of the CPU, from the ONNX form of the model."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kdpinn_runtime.format import ModelFile

from ..check import open_session
from ..engine_model import EngineModel, FloatArray
from ..onnx import to_bytes, to_onnx
from ..onnx_graph import INPUT, output_names


@dataclass(frozen=True)
class OnnxRuntime:
    """float32 and float64, a graph for each; float32 alone where there is a gelu."""

    name: str = "onnxruntime"

    def missing(self) -> str:
        """Empty: onnxruntime is a dependency."""
        return ""

    def open(self, model: ModelFile, data: bytes) -> EngineModel:
        """Sessions are made when they are first needed."""

        @cache
        def session(dtype: str, derivatives: bool) -> Any:
            graph = to_onnx(
                model, derivatives=derivatives, dtype="f32" if dtype == "float32" else "f64"
            )
            return open_session(to_bytes(graph))

        def channels(x: FloatArray, derivatives: bool) -> FloatArray:
            names = output_names(model, derivatives)
            columns = session(str(x.dtype), derivatives).run(names, {INPUT: x})
            return as_channels(columns, len(model.outputs))

        gelu = any(layer.activation == "gelu" for layer in model.layers)  # no Erf in float64
        dtypes = (np.float32,) if gelu else (np.float64, np.float32)
        return EngineModel(model, data[64:96].hex(), channels, dtypes)


def as_channels(columns: list[FloatArray], fields: int) -> FloatArray:
    """Columns (n, 1), the fields of one channel after the other, as (channels, n, m)."""
    whole = np.hstack(columns)
    return np.moveaxis(whole.reshape(len(whole), -1, fields), 1, 0)


ENGINE = OnnxRuntime()
