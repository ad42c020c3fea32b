"""The runtime's own core, through its Python binding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kdpinn_runtime import load
from kdpinn_runtime.format import ModelFile

from ..engine_model import EngineModel, FloatArray


@dataclass(frozen=True)
class Native:
    """float32 and float64, the best instruction set that this processor has."""

    name: str = "native"

    def missing(self) -> str:
        """Empty: the runtime is a dependency."""
        return ""

    def open(self, model: ModelFile, data: bytes) -> EngineModel:
        """Load the bytes."""
        loaded = load(data, outside="count")
        names = [v.name for v in model.inputs]
        second = [(names[i], names[j]) for i, j in model.pairs]

        def channels(x: FloatArray, derivatives: bool) -> FloatArray:
            return loaded.jet(x, second).channels if derivatives else loaded(x)[None]

        return EngineModel(model, loaded.digest, channels, (np.float64, np.float32))


ENGINE = Native()
