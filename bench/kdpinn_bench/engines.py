"""The engines that are timed side by side, each at its best settings for one thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np

import kdpinn_runtime
from kdpinn_bench.engine import Engine, Points, Prepared, all_of, best_chunked, chunks
from kdpinn_bench.torch_model import torch_call
from kdpinn_export import to_bytes, to_onnx
from kdpinn_export.check import open_session
from kdpinn_export.onnx_graph import INPUT
from kdpinn_runtime.format import ModelFile, pack


@dataclass(frozen=True)
class Native:
    """Our runtime through its Python binding, buffers bound beforehand."""

    name: str = "kdpinn-runtime"

    def missing(self) -> str:
        """Empty: it is what this project ships."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """Load the model's bytes and bind both buffers."""
        out = np.empty((len(x), len(model.outputs)), np.float32)
        call: Callable[[], object] = kdpinn_runtime.load(pack(model)).bind(x, out)

        def output() -> Points:
            call()
            return out

        return Prepared(call, output, "bound")


@dataclass(frozen=True)
class OnnxRuntime:
    """onnxruntime on the CPU: IOBinding, all graph optimizations, chunks where they help."""

    name: str = "onnxruntime"

    def missing(self) -> str:
        """Empty: onnxruntime is a dependency."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """One session; inputs and outputs of every chunk bound in place."""
        session = open_session(to_bytes(to_onnx(model)))
        names = [v.name for v in model.outputs]

        def chunked(size: int) -> Prepared:
            columns = np.empty((len(names), len(x), 1), np.float32)
            calls: list[Callable[[], object]] = []
            for part in chunks(len(x), size):
                binding = session.io_binding()
                _bind(binding.bind_input, INPUT, x[part])
                for name, column in zip(names, columns, strict=True):
                    _bind(binding.bind_output, name, column[part])
                calls.append(partial(session.run_with_iobinding, binding))
            call = all_of(calls)

            def output() -> Points:
                call()
                return np.ascontiguousarray(columns[:, :, 0].T)

            return Prepared(call, output, "IOBinding")

        return best_chunked(len(x), chunked)


@dataclass(frozen=True)
class OpenVino:
    """OpenVINO on the CPU: float32, one thread, static shape, tensors shared with numpy."""

    name: str = "openvino"

    def missing(self) -> str:
        """Its package is optional."""
        return "" if find_spec("openvino") else "openvino is not installed: make bench installs it"

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """A compiled model per chunk size, a request with its own tensors per chunk."""
        import openvino

        core = openvino.Core()
        graph = to_bytes(to_onnx(model))
        settings = {
            "INFERENCE_NUM_THREADS": 1,
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }

        def compiled(size: int) -> object:
            network = core.read_model(graph, b"")
            network.reshape([size, x.shape[1]])
            return core.compile_model(network, "CPU", settings)

        def chunked(size: int) -> Prepared:
            columns = np.empty((len(model.outputs), len(x), 1), np.float32)
            sizes = {part.stop - part.start for part in chunks(len(x), size)}
            networks = {count: compiled(count) for count in sizes}
            calls: list[Callable[[], object]] = []
            for part in chunks(len(x), size):
                request = networks[part.stop - part.start].create_infer_request()  # type: ignore[attr-defined]
                request.set_input_tensor(openvino.Tensor(x[part], shared_memory=True))
                for index, column in enumerate(columns):
                    tensor = openvino.Tensor(column[part], shared_memory=True)
                    request.set_output_tensor(index, tensor)
                calls.append(request.infer)
            call = all_of(calls)

            def output() -> Points:
                call()
                return np.ascontiguousarray(columns[:, :, 0].T)

            return Prepared(call, output, "shared tensors")

        return best_chunked(len(x), chunked)


@dataclass(frozen=True)
class TorchEager:
    """torch in inference mode, operator by operator."""

    name: str = "torch eager"

    def missing(self) -> str:
        """Empty: torch is a dependency."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """Weights as float32 tensors; the input tensor shares memory with x."""
        return best_chunked(len(x), lambda size: torch_call(model, x, size, compiled=False))


@dataclass(frozen=True)
class TorchCompile:
    """torch.compile, static shapes, weights frozen into the graph; compiles for seconds."""

    name: str = "torch.compile"

    def missing(self) -> str:
        """Empty: torch is a dependency."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """All points at once: a chunk size of its own would compile again."""
        return torch_call(model, x, len(x), compiled=True)


def default_engines(compile_too: bool = False) -> tuple[Engine, ...]:
    """Ours first, then the rivals that are installed; torch.compile only if asked for."""
    every: list[Engine] = [Native(), OnnxRuntime(), OpenVino(), TorchEager()]
    if compile_too:
        every.append(TorchCompile())
    return tuple(engine for engine in every if not engine.missing())


def _bind(bind: Callable[..., None], name: str, array: Points) -> None:
    """Bind numpy memory in place; the array must be contiguous."""
    bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
