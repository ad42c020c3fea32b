"""The engines that are timed side by side, each at its best settings for one thread.

An engine computes the values, or, if `derivatives` is set, values, all first derivatives and the
second derivatives that the model lists.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec

import numpy as np

import kdpinn_runtime
from kdpinn_bench.engine import Engine, Prepared, all_of, best_chunked, chunks
from kdpinn_bench.torch_model import nested_call, torch_call
from kdpinn_bench.truth import FloatArray, Points
from kdpinn_export import to_bytes, to_onnx
from kdpinn_export.check import open_session
from kdpinn_export.engines.cuda import ENGINE as CUDA
from kdpinn_export.onnx_graph import INPUT, output_names
from kdpinn_runtime import _core
from kdpinn_runtime.format import ModelFile, pack


@dataclass(frozen=True)
class Native:
    """Our runtime through its Python binding, values with buffers bound beforehand.

    isa: a path other than the best one; derivatives: those too; untied: the same network without
    its symmetry.
    """

    name: str = "kdpinn-runtime"
    isa: str = ""
    derivatives: bool = False
    untied: bool = False

    def missing(self) -> str:
        """Why the path cannot be told apart here; empty if it can."""
        here = _core.isas()
        if self.isa in here[1:] or not self.isa:
            return ""
        return f"{self.isa} is no second path here: this processor runs {', '.join(here)}"

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """Load the model's bytes and bind both buffers."""
        if self.untied:
            model = replace(model, symmetry=None)
        loaded = kdpinn_runtime.load(pack(model), outside="count", isa=self.isa or None)
        if self.derivatives:
            return _native_jets(loaded, model, x)
        out = np.empty((len(x), len(model.outputs)), np.float32)
        call: Callable[[], object] = loaded.bind(x, out)
        return Prepared(call, _after(call, lambda: out), f"bound, {loaded.isa}", loaded.isa)


@dataclass(frozen=True)
class NativeCall:
    """Our runtime as `model(x, threads=...)`: checks and a new output array in every call."""

    name: str = "kdpinn-runtime call"
    threads: int = 1

    def missing(self) -> str:
        """Empty: it is what this project ships."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """Load the model's bytes."""
        loaded = kdpinn_runtime.load(pack(model), outside="count")
        if self.threads == 1:
            return Prepared(lambda: loaded(x), lambda: loaded(x), "model(x)", loaded.isa)
        call = partial(loaded, x, threads=self.threads)
        return Prepared(call, call, f"model(x, threads={self.threads})", loaded.isa)


@dataclass(frozen=True)
class OnnxRuntime:
    """onnxruntime on the CPU: IOBinding, all graph optimizations, chunks where they help."""

    name: str = "onnxruntime"
    derivatives: bool = False

    def missing(self) -> str:
        """Empty: onnxruntime is a dependency."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """One session; inputs and outputs of every chunk bound in place."""
        session = open_session(_graph(model, self.derivatives))
        names = output_names(model, self.derivatives)

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
            return Prepared(call, _after(call, lambda: _rows(columns)), "IOBinding")

        return best_chunked(len(x), chunked)


@dataclass(frozen=True)
class OnnxRuntimeCall:
    """onnxruntime as `session.run`: a new output array in every call."""

    name: str = "onnxruntime run"

    def missing(self) -> str:
        """Empty: onnxruntime is a dependency."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """One session; the input as a dictionary."""
        session = open_session(_graph(model, derivatives=False))
        call = partial(session.run, None, {INPUT: x})
        return Prepared(call, lambda: np.hstack(call()), "session.run")


@dataclass(frozen=True)
class OpenVino:
    """OpenVINO on the CPU: float32, one thread, static shape, tensors shared with numpy."""

    name: str = "openvino"
    derivatives: bool = False

    def missing(self) -> str:
        """Its package is optional."""
        return "" if find_spec("openvino") else "openvino is not installed: make bench installs it"

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """A compiled model per chunk size, a request with its own tensors per chunk."""
        import openvino

        core = openvino.Core()
        graph = _graph(model, self.derivatives)
        names = output_names(model, self.derivatives)
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
            columns = np.empty((len(names), len(x), 1), np.float32)
            sizes = {part.stop - part.start for part in chunks(len(x), size)}
            networks = {count: compiled(count) for count in sizes}
            calls: list[Callable[[], object]] = []
            for part in chunks(len(x), size):
                request = networks[part.stop - part.start].create_infer_request()  # type: ignore[attr-defined]
                request.set_input_tensor(openvino.Tensor(x[part], shared_memory=True))
                for name, column in zip(names, columns, strict=True):
                    request.set_tensor(name, openvino.Tensor(column[part], shared_memory=True))
                calls.append(request.infer)
            call = all_of(calls)
            return Prepared(call, _after(call, lambda: _rows(columns)), "shared tensors")

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
        return best_chunked(len(x), lambda size: torch_call(model, x, size))


@dataclass(frozen=True)
class TorchCompile:
    """torch.compile, static shapes; with freezing the weights are part of the graph.

    Compiles for seconds up to a minute at every number of points.
    """

    name: str = "torch.compile"
    freezing: bool = True

    def missing(self) -> str:
        """Empty: torch is a dependency."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """All points at once: a chunk size of its own would compile again."""
        return torch_call(model, x, len(x), compile_options={"freezing": self.freezing})


@dataclass(frozen=True)
class TorchAutograd:
    """Nested torch.autograd.grad: how PINN codes compute their derivatives."""

    name: str = "torch autograd"

    def missing(self) -> str:
        """Empty: torch is a dependency."""
        return ""

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """The graph is built anew in every call, as it has to be."""
        return best_chunked(len(x), lambda size: nested_call(model, x, size))


@dataclass(frozen=True)
class CudaFused:
    """Our kernel on a GPU, the whole network in one launch; the points go there and back."""

    name: str = "cuda"

    def missing(self) -> str:
        """A GPU, and a model without functions of the coordinates."""
        return CUDA.missing()

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """Compile; the transfers of x and of the values are part of every call."""
        channels = CUDA.open(model, pack(model)).channels
        call = partial(channels, x, False)
        return Prepared(call, lambda: channels(x, False)[0], "transfers included")


def default_engines(compile_too: bool = False) -> tuple[Engine, ...]:
    """Ours first, then the rivals that are installed; torch.compile only if asked for."""
    every: list[Engine] = [Native(), OnnxRuntime(), OpenVino(), TorchEager(), CudaFused()]
    if compile_too:
        every.append(TorchCompile())
    return present(every)


def present(engines: list[Engine]) -> tuple[Engine, ...]:
    """Those that can run here."""
    return tuple(engine for engine in engines if not engine.missing())


def _native_jets(loaded: kdpinn_runtime.Model, model: ModelFile, x: Points) -> Prepared:
    names = [v.name for v in model.inputs]
    second = [(names[i], names[j]) for i, j in model.pairs]
    call, jet = loaded.bind_jet(x, second)

    def output() -> FloatArray:
        call()
        return np.ascontiguousarray(jet.channels.transpose(1, 0, 2).reshape(len(x), -1))

    return Prepared(call, output, f"bound jet, {loaded.isa}", loaded.isa)


def _graph(model: ModelFile, derivatives: bool) -> bytes:
    return to_bytes(to_onnx(model, derivatives=derivatives))


def _after(call: Callable[[], object], read: Callable[[], Points]) -> Callable[[], Points]:
    """A call, then its result."""

    def output() -> Points:
        call()
        return read()

    return output


def _rows(columns: Points) -> Points:
    """(columns, n, 1) -> (n, columns)."""
    return np.ascontiguousarray(columns[:, :, 0].T)


def _bind(bind: Callable[..., None], name: str, array: Points) -> None:
    """Bind numpy memory in place; the array must be contiguous."""
    bind(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
