"""Our fused kernel on an NVIDIA GPU, compiled when it is first needed. Not yet run on a GPU."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from kdpinn_runtime.format import ModelFile

from ..cuda_source import KERNEL, cuda_source
from ..engine_model import EngineModel, FloatArray

BLOCK = 128
"""Threads of a block; each holds a point's whole network in registers."""


@dataclass(frozen=True)
class Cuda:
    """float32 and float64; values, or values and derivatives, each in one launch."""

    name: str = "cuda"

    def missing(self) -> str:
        """A GPU that torch sees."""
        import torch

        if torch.cuda.is_available():
            return ""
        return "torch sees no GPU: install a CUDA build of torch on a machine with an NVIDIA GPU"

    def open(self, model: ModelFile, data: bytes) -> EngineModel:
        """Kernels are compiled when they are first needed."""
        import torch

        launches: dict[tuple[str, bool], Callable[[Any], Any]] = {}

        def channels(x: FloatArray, derivatives: bool) -> FloatArray:
            key = str(x.dtype), derivatives
            if key not in launches:
                double = x.dtype == np.float64
                launches[key] = launcher(model, derivatives=derivatives, double=double)
            out = launches[key](torch.as_tensor(np.ascontiguousarray(x), device="cuda"))
            found: FloatArray = out.cpu().numpy()
            return found

        return EngineModel(model, data[64:96].hex(), channels, (np.float64, np.float32))


def launcher(model: ModelFile, *, derivatives: bool, double: bool = False) -> Callable[[Any], Any]:
    """A function from points on the GPU (n, d) to channels on the GPU (channels, n, m)."""
    import torch

    source = cuda_source(model, derivatives=derivatives, double=double)
    kernel = _compiled(source)
    count = 1 + (len(model.inputs) + len(model.pairs) if derivatives else 0)
    m = len(model.outputs)

    def launch(x: Any) -> Any:
        n = len(x)
        out = torch.empty((count, n, m), dtype=x.dtype, device=x.device)
        kernel(grid=(-(-n // BLOCK), 1, 1), block=(BLOCK, 1, 1), args=[x, out, n])
        return out

    return launch


@cache
def _compiled(source: str) -> Any:
    """By NVRTC, which comes with torch."""
    import torch

    return torch.cuda._compile_kernel(source, KERNEL, nvcc_options=["--std=c++17"])


ENGINE = Cuda()
