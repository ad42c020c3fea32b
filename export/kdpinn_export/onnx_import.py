"""A plain network in ONNX becomes the arrays of a model file, exact to rounding: `from_onnx`."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import onnx

from kdpinn_runtime.format import Layer

from .arithmetic import Array
from .kdp import NetworkArrays
from .onnx_chain import Chain, chain_of
from .onnx_steps import REMEDY, Affine, Bend, Dense, NotPlain


def from_onnx(model: onnx.ModelProto) -> NetworkArrays:
    """The network that the graph computes, weights in the graph's own precision.

    Affine maps of the inputs and outputs become the normalization; those in between are folded,
    in float64, into the weights beside them. Two dense maps with nothing between them stay two
    layers.

    Raises:
        NotPlain: it is no chain of dense layers and activations that the format knows, naming the
            node.
    """
    return assembled(chain_of(model))


def assembled(chain: Chain) -> NetworkArrays:
    """The steps of a chain as a network."""
    parts = [list(group) for _, group in groupby(chain.steps, key=lambda s: isinstance(s, Affine))]
    head = Columns(chain.width)
    if parts and isinstance(parts[0][0], Affine):
        head = head.after(parts.pop(0))
    if not head.scale.all():
        column = int(np.argmin(np.abs(head.scale)))
        raise NotPlain(f"Input {column} is multiplied by zero before the first layer. {REMEDY}")
    layers = _Layers(chain.width, np.float32 if chain.single else np.float64)
    for part in parts:
        for step in part:
            layers.take(step)
    tail = layers.finish()
    return NetworkArrays(
        layers=tuple(layers.done),
        input_shift=-head.shift / head.scale,
        input_scale=head.scale,
        output_shift=tail.shift,
        output_scale=tail.scale,
    )


class Columns:
    """y = scale * x + shift, each (width,); the identity at first."""

    def __init__(self, width: int, scale: Array | None = None, shift: Array | None = None) -> None:
        self.width = width
        self.scale = np.ones(width) if scale is None else scale
        self.shift = np.zeros(width) if shift is None else shift

    def after(self, steps: list[Affine | Dense | Bend]) -> Columns:
        """This map, then the steps, all of them affine."""
        scale, shift = self.scale, self.shift
        for step in steps:
            if not isinstance(step, Affine):
                raise TypeError(f"expected an affine step, got {step}")
            for array in (step.scale, step.shift):
                if array.size not in (1, self.width):
                    raise NotPlain(
                        f"A constant with {array.size} numbers meets {self.width} columns. {REMEDY}"
                    )
            scale, shift = step.scale * scale, step.scale * shift + step.shift
        return Columns(self.width, scale, shift)


@dataclass
class _Layers:
    """Layers so far, and what has been read since: a dense map or none, then a map of columns."""

    width: int
    dtype: type[np.float32] | type[np.float64]
    done: list[Layer] = field(default_factory=list)
    dense: Dense | None = None

    def __post_init__(self) -> None:
        self.since = Columns(self.width)

    def take(self, step: Affine | Dense | Bend) -> None:
        """Read on."""
        if isinstance(step, Affine):
            if self.dense is not None and not self.dense.bias.any() and np.all(step.scale == 1):
                # the Add after a MatMul is its bias, the last one's too
                shift = self.since.after([step]).shift
                if np.all(self.since.scale == 1) and not self.since.shift.any():
                    self.dense = Dense(self.dense.weight, shift)
                    return
            self.since = self.since.after([step])
        elif isinstance(step, Dense):
            if self.dense is not None:
                self._close("identity")
            if step.weight.shape[1] != self.since.width:
                raise NotPlain(
                    f"A layer of {step.weight.shape[1]} inputs follows {self.since.width} values. "
                    f"{REMEDY}"
                )
            bias = step.weight @ self.since.shift + step.bias
            self.dense = Dense(step.weight * self.since.scale, bias)
            self.since = Columns(len(bias))
        else:
            self._close(step.activation)

    def finish(self) -> Columns:
        """The last layer, which has no activation; the map of the outputs that follows it."""
        since, self.since = self.since, Columns(self.since.width)
        if self.dense is None:
            self.dense = Dense(np.eye(since.width), np.zeros(since.width))
        self._close("identity")
        return since

    def _close(self, activation: str) -> None:
        dense, columns = self.dense, self.since
        if dense is None:
            dense = Dense(np.eye(columns.width), np.zeros(columns.width))
        weight = columns.scale[:, None] * dense.weight
        bias = columns.scale * dense.bias + columns.shift
        self.done.append(
            Layer(
                weight=weight.astype(self.dtype),
                bias=bias.astype(self.dtype),
                activation=activation,
            )
        )
        self.dense, self.since = None, Columns(len(bias))
