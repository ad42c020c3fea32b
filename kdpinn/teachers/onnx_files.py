"""ONNX files: as a field where the graph is a plain network, else as onnxruntime runs it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from kdpinn.field import Field
from kdpinn.geometry import Box, FloatArray
from kdpinn.networks import MLP
from kdpinn.problems.names import check_name
from kdpinn.teachers.objects import teacher_of
from kdpinn.teachers.protocol import Teacher
from kdpinn_export import NetworkArrays, NotPlain, from_onnx
from kdpinn_export.check import open_session
from kdpinn_export.onnx_reference import ReferenceSession, needs_reference


def onnx_teacher(path: Path, box: Box, fields: tuple[str, ...]) -> Teacher:
    """The graph as a teacher: a field, with derivatives, or a function of values alone.

    A relu network teaches by its values: its slopes jump from neuron to neuron.

    Raises:
        ValueError: no ONNX file, inputs or outputs that do not fit, or a graph that does not run.
    """
    model = read_onnx(path)
    run = Session(path, model)
    outputs = fields or run.names
    function = teacher_of(run, box, outputs, path.name)
    try:
        network = from_onnx(model)
    except NotPlain:
        return function
    if any(layer.activation == "relu" for layer in network.layers):
        return function
    field = field_of_arrays(network, box.names, function.outputs)
    return field or function


def field_of_arrays(
    network: NetworkArrays, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> Field | None:
    """The trainable form of an imported network; None if its activations differ."""
    kinds = {layer.activation for layer in network.layers[:-1]} or {"identity"}
    if len(kinds) > 1:
        return None
    parts = [part.ravel() for layer in network.layers for part in (layer.weight, layer.bias)]
    sizes = (len(inputs), *(len(layer.bias) for layer in network.layers))
    return Field(
        network=MLP(sizes, kinds.pop()),
        theta=torch.from_numpy(np.concatenate(parts).astype(np.float64)),
        inputs=inputs,
        outputs=outputs,
        input_shift=torch.tensor(network.input_shift),
        input_scale=torch.tensor(network.input_scale),
        output_shift=torch.tensor(network.output_shift),
        output_scale=torch.tensor(network.output_scale),
    )


def read_onnx(path: Path) -> onnx.ModelProto:
    """The graph with its weights, also those in a file of their own beside it.

    Raises:
        ValueError: it is no valid ONNX file.
        OSError: it, or its weights, cannot be read.
    """
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model)
    except OSError:
        raise
    except Exception as error:  # protobuf's and onnx's own errors share no base
        raise ValueError(f"{path} is no valid ONNX file: {error}") from error
    return model


class Session:
    """An ONNX graph as a function from (n, d) to (n, m) arrays, by onnxruntime on one thread.

    GELU in double precision is computed by onnx's own evaluator: onnxruntime does not have it.

    Several inputs, (n, k) each, take the columns in their order; several outputs are put side by
    side.

    Attributes:
        names: of the outputs, where each is one column and can be the name of a field; else ().
    """

    def __init__(self, path: Path, model: onnx.ModelProto) -> None:
        self.path = path
        try:
            # From the file, not from bytes: weights may lie beside it.
            other = ReferenceSession(model) if needs_reference(model) else None
            self.session: Any = other or open_session(str(path))
        except Exception as error:  # onnxruntime has no type of its own for what it refuses
            raise ValueError(f"{path} does not run in onnxruntime: {error}") from error
        self.sources = self.session.get_inputs()
        self.widths = [_width(path, source) for source in self.sources]
        self.names = _names(model, self.session.get_outputs())

    def __call__(self, x: FloatArray) -> FloatArray:
        """(n, d) -> (n, m), float64; computed in the graph's own precision."""
        if x.shape[1] != sum(self.widths):
            raise ValueError(
                f"{self.path} takes {sum(self.widths)} coordinates, the domain has {x.shape[1]}."
            )
        parts = np.split(x, np.cumsum(self.widths)[:-1], axis=1)
        feed = {
            source.name: part.astype(np.float32 if source.type == "tensor(float)" else np.float64)
            for source, part in zip(self.sources, parts, strict=True)
        }
        results = self.session.run(None, feed)
        return np.concatenate([np.asarray(r, np.float64).reshape(len(x), -1) for r in results], 1)


def _width(path: Path, source: Any) -> int:
    shape = source.shape
    if len(shape) != 2 or not isinstance(shape[1], int):
        raise ValueError(
            f"{path}: input '{source.name}' must have the shape (points, coordinates), got {shape}."
        )
    if isinstance(shape[0], int):
        raise ValueError(
            f"{path}: input '{source.name}' takes exactly {shape[0]} points: export it again with "
            "a free number of points (dynamic_shapes or dynamic_axes in torch.onnx.export)."
        )
    return int(shape[1])


def _names(model: onnx.ModelProto, outputs: Sequence[Any]) -> tuple[str, ...]:
    """Names of the outputs, if all can be names of fields and this package wrote the graph."""
    if model.producer_name != "kdpinn":  # others call them 'output', 'dense_3', 'linear'
        return ()
    names = tuple(output.name for output in outputs)
    for name in names:
        check_name("ONNX", "output", name)
    return names
