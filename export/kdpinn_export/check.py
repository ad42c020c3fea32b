"""Does an ONNX graph compute what the model file says? Run by onnxruntime, judged by a bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from kdpinn_runtime.format import ModelFile

from .arithmetic import Array, Bounded, RunningError
from .onnx import to_bytes
from .onnx_graph import INPUT, derivative_name
from .points import baseline_points
from .taylor import jets


@dataclass(frozen=True)
class Deviation:
    """How far one output of a graph is from the model in float64.

    error: largest |difference|, in the unit of the output; bound: the rounding error permitted at
    the point where the two come closest; ratio: largest |difference| / bound over the points.
    """

    output: str
    error: float
    bound: float
    ratio: float

    @property
    def passed(self) -> bool:
        """Within the bound at every point (a NaN fails)."""
        return self.ratio <= 1.0


def bounded_outputs(
    model: ModelFile,
    points: Array,
    dtype: type[np.float16] | type[np.float32] | type[np.float64],
    copies: int = 1,
) -> dict[str, Bounded]:
    """Every value and derivative in float64, beside a bound of the error of a `dtype` engine.

    points (n, d) must be exact in `dtype`. Name -> (n, 1); names as in the ONNX graph.
    The bound is rigorous to first order for any order of summation, see `RunningError`; copies:
    those of a tied network, if the engine evaluates it as such.
    """
    arithmetic = RunningError(dtype, copies)
    x = arithmetic.constant(points)
    result = jets(model, x, points.shape[1], model.pairs, arithmetic)
    return dict(_named(model, [result.value, *result.first, *result.second]))


def _named(model: ModelFile, channels: list[Bounded]) -> Iterator[tuple[str, Bounded]]:
    variables = [v.name for v in model.inputs]
    suffixes = [(), *((v,) for v in variables)]
    suffixes += [(variables[i], variables[j]) for i, j in model.pairs]
    for suffix, channel in zip(suffixes, channels, strict=True):
        for column, field in enumerate(v.name for v in model.outputs):
            name = derivative_name(field, suffix) if suffix else field
            part = slice(column, column + 1)
            yield name, Bounded(channel.value[:, part], channel.error[:, part])


def check_onnx(
    graph: onnx.ModelProto | bytes, model: ModelFile, points: Array | None = None
) -> tuple[Deviation, ...]:
    """Run the graph in onnxruntime on one thread and compare every output with the model.

    points (n, d), exact in float32; by default those of the model's baseline, or 512 of the
    domain. Raises ValueError if the graph has an output that the model does not know.
    """
    if points is None:
        points = default_points(model)
    session = open_session(graph if isinstance(graph, bytes) else to_bytes(graph))
    source = session.get_inputs()[0]
    dtype = np.float32 if source.type == "tensor(float)" else np.float64
    expected = bounded_outputs(model, points, dtype)
    names = [output.name for output in session.get_outputs()]
    unknown = sorted(set(names) - set(expected))
    if unknown:
        raise ValueError(
            f"the graph has the outputs {', '.join(unknown)}, the model knows {', '.join(expected)}"
        )
    arrays = session.run(names, {INPUT: points.astype(dtype)})
    return tuple(_deviation(n, a, expected[n]) for n, a in zip(names, arrays, strict=True))


def open_session(graph: bytes | str, threads: int = 1) -> Any:
    """An onnxruntime session on the CPU with `threads` threads and all optimizations.

    graph: the file's bytes, or its path where weights lie in a file beside it.
    """
    import onnxruntime  # 0.1 s to import; only this target needs it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def default_points(model: ModelFile) -> Array:
    """The points of the model's baseline, or 512 of its domain, (n, d), exact in float32."""
    if model.baseline is not None:
        return model.baseline.points
    return baseline_points([v.lower for v in model.inputs], [v.upper for v in model.inputs])


def _deviation(name: str, got: Array, expected: Bounded) -> Deviation:
    difference = np.abs(got.astype(np.float64) - expected.value)
    ratio = difference / np.maximum(expected.error, np.finfo(np.float64).tiny)
    worst = int(np.argmax(ratio))  # a NaN counts as the largest
    return Deviation(
        output=name,
        error=float(np.max(difference)),
        bound=float(expected.error.flat[worst]),
        ratio=float(ratio.flat[worst]),
    )
