"""TensorRT: an engine for the GPU of this machine, built from the ONNX form, checked and stamped.

An engine holds for one kind of GPU and one version of TensorRT alone: the sidecar says which, and
`load_engine` refuses others. TF32 is off: its 10 bits would cost what float32 keeps.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from kdpinn_runtime import Check
from kdpinn_runtime.format import ModelFile

from ..answers import KnownAnswers, known_answers
from ..arithmetic import FloatArray
from ..narrowing import narrowed, widened
from ..onnx import to_bytes, to_onnx
from ..onnx_graph import INPUT
from ..target import Precision, Request

BATCHES = (1, 4096, 1_048_576)
"""Points of a call: fewest, those that the engine is tuned for, most."""
REMEDY = "pip install 'kdpinn[tensorrt]' on a machine with an NVIDIA GPU and its driver"


@dataclass(frozen=True)
class TensorRt:
    """`NAME.engine`, its sidecar `NAME.engine.json`, the timing cache, known answers."""

    name: str = "tensorrt"
    summary: str = "an engine for this machine's NVIDIA GPU"
    precisions: tuple[Precision, ...] = ("f32", "f16")
    derivatives: bool = True

    def missing(self) -> str:
        """The package, and a GPU that torch sees."""
        return gpu_missing("tensorrt")

    def tools(self) -> dict[str, str]:
        """What the engine depends on."""
        return stamp()

    def build(self, request: Request) -> dict[str, bytes]:
        """Build on this GPU; takes seconds to minutes. Tactics are timed: bytes may differ."""
        engine, cache = build_engine(_graph(request), request.precision)
        sidecar = {
            "model": request.digest,
            "engine": hashlib.sha256(engine).hexdigest(),
            "precision": request.precision,
            "batches": BATCHES,
            **stamp(),
        }
        return {
            f"{request.name}.engine": engine,
            f"{request.name}.engine.json": (json.dumps(sidecar, indent=1) + "\n").encode(),
            "timing.cache": cache,
            "answers.json": _answers(request).to_json(model=request.digest, engine=self.name),
        }

    def check(self, request: Request, folder: Path) -> list[Check]:
        """Load it as a user would, and replay the known answers."""
        answers = _answers(request)
        session = load_engine(folder / f"{request.name}.engine", request.digest)
        return [answers.compared(np.hstack(session(answers.points, answers.names)), self.name)]


def gpu_missing(package: str) -> str:
    """What `package` lacks here; empty if it can run."""
    if not find_spec(package):
        return f"{package} is not installed: {REMEDY}"
    import torch

    return "" if torch.cuda.is_available() else f"torch sees no GPU: {REMEDY}"


def stamp() -> dict[str, str]:
    """GPU and versions that an engine belongs to."""
    import tensorrt
    import torch

    major, minor = torch.cuda.get_device_capability()
    return {
        "gpu": torch.cuda.get_device_name(),
        "compute_capability": f"{major}.{minor}",
        "tensorrt": tensorrt.__version__,
        "cuda": str(torch.version.cuda),
    }


def build_engine(
    graph: bytes, precision: Precision, cache: bytes = b"", *, tf32: bool = False
) -> tuple[bytes, bytes]:
    """The serialized engine of an ONNX graph, and the timing cache for the next build.

    cache: that of an earlier build, which makes this one fast and alike. Raises ValueError where
    TensorRT cannot read the graph or finds no engine, with what it says.
    """
    import tensorrt as trt

    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(0)  # explicit batch, the only kind since version 10
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(graph):
        said = "; ".join(str(parser.get_error(k)) for k in range(parser.num_errors))
        raise ValueError(f"TensorRT {trt.__version__} cannot read the graph: {said}")
    config = builder.create_builder_config()
    _flags(trt, config, precision, tf32)
    inputs = network.get_input(0)
    profile = builder.create_optimization_profile()
    profile.set_shape(INPUT, *((count, inputs.shape[1]) for count in BATCHES))
    config.add_optimization_profile(profile)
    timing = config.create_timing_cache(cache)
    config.set_timing_cache(timing, ignore_mismatch=False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise ValueError(f"TensorRT {trt.__version__} built no engine; its log above says why")
    return bytes(engine), bytes(config.get_timing_cache().serialize())


def _flags(trt: Any, config: Any, precision: Precision, tf32: bool) -> None:
    if not tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if precision == "f16":
        if not hasattr(trt.BuilderFlag, "FP16"):
            raise ValueError(
                f"TensorRT {trt.__version__} has no flag for f16 any more: use --precision f32"
            )
        config.set_flag(trt.BuilderFlag.FP16)


class Session:
    """A loaded engine on the current CUDA stream."""

    def __init__(self, engine: bytes) -> None:
        import tensorrt as trt

        self.runtime = trt.Runtime(trt.Logger(trt.Logger.WARNING))
        self.engine = self.runtime.deserialize_cuda_engine(engine)
        if self.engine is None:
            raise ValueError("TensorRT cannot load the engine: build it again on this machine")
        self.context = self.engine.create_execution_context()

    def __call__(self, points: FloatArray, names: tuple[str, ...]) -> list[FloatArray]:
        """The outputs called `names`, (n, 1) each, at points (n, d)."""
        import torch

        x = torch.as_tensor(points, dtype=torch.float32, device="cuda").contiguous()
        if not self.context.set_input_shape(INPUT, tuple(x.shape)):
            raise ValueError(
                f"{len(x)} points, the engine takes {BATCHES[0]} to {BATCHES[-1]}: split them"
            )
        outputs = {n: torch.empty((len(x), 1), device="cuda") for n in names}
        every = [self.engine.get_tensor_name(k) for k in range(self.engine.num_io_tensors)]
        for name in every:  # those that are not asked for need a place too
            room = x if name == INPUT else outputs.setdefault(name, torch.empty_like(x[:, :1]))
            self.context.set_tensor_address(name, room.data_ptr())
        stream = torch.cuda.current_stream()
        if not self.context.execute_async_v3(stream.cuda_stream):
            raise ValueError("TensorRT could not run the engine; its log above says why")
        stream.synchronize()
        return [outputs[name].cpu().numpy() for name in names]


def load_engine(path: Path, digest: str) -> Session:
    """An engine that belongs to the model `digest`, this GPU and this TensorRT.

    Raises ValueError naming what differs, OSError if a file is missing.
    """
    data = path.read_bytes()
    sidecar = json.loads(path.with_name(f"{path.name}.json").read_text("utf-8"))
    expected = {"model": digest, "engine": hashlib.sha256(data).hexdigest(), **stamp()}
    wrong = [
        f"{key} is {sidecar.get(key)}, here {value}"
        for key, value in expected.items()
        if sidecar.get(key) != value
    ]
    if wrong:
        raise ValueError(f"{path} does not belong here ({'; '.join(wrong)}): export it again")
    return Session(data)


def _graph(request: Request) -> bytes:
    """f32 weights in the graph: what is narrower is the builder's choice."""
    return to_bytes(to_onnx(_model(request), derivatives=request.derivatives))


def _model(request: Request) -> ModelFile:
    return widened(narrowed(request.model, request.precision))


def _answers(request: Request) -> KnownAnswers:
    dtype = np.float16 if request.precision == "f16" else np.float32
    return known_answers(_model(request), derivatives=request.derivatives, copies=1, dtype=dtype)


TARGET = TensorRt()
