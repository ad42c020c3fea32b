"""Points made ready for a network: what does not depend on its parameters, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kdpinn.jets import JetSpec
from kdpinn_runtime.format import CoordinateMap


@dataclass(frozen=True)
class Frame:
    """Network inputs, and the parts of exact conditions, at N points.

    Attributes:
        spec: derivatives with respect to the physical coordinates.
        inputs: (N, d), normalized coordinates; or (K, N, F), channels of F input features.
        base, factor: (K, N, m), channels of the exact conditions, field = base + factor * output;
            None where there are none.
    """

    spec: JetSpec
    inputs: Tensor
    base: Tensor | None = None
    factor: Tensor | None = None

    def split(self, lengths: list[int]) -> list[Frame]:
        """Frames of consecutive points."""
        inputs = torch.split(self.inputs, lengths, self.inputs.dim() - 2)
        bases, factors = (
            [None] * len(lengths) if part is None else torch.split(part, lengths, 1)
            for part in (self.base, self.factor)
        )
        return [Frame(self.spec, *parts) for parts in zip(inputs, bases, factors, strict=True)]


def joined_frames(frames: Sequence[Frame]) -> Frame:
    """The points of all frames, which have the same spec; the arrays are contiguous."""
    inputs = torch.cat([frame.inputs for frame in frames], frames[0].inputs.dim() - 2)
    bases = [frame.base for frame in frames if frame.base is not None]
    factors = [frame.factor for frame in frames if frame.factor is not None]
    exact = (torch.cat(bases, 1), torch.cat(factors, 1)) if bases else (None, None)
    return Frame(frames[0].spec, inputs.contiguous(), *exact)


def map_channels(functions: CoordinateMap, x: Tensor, spec: JetSpec) -> Tensor:
    """Channels (K, N, r) of r functions of the coordinates at physical x (N, d), float64."""
    value, first, second = functions.jet(x.detach().cpu().numpy(), spec.pairs)
    parts = [value[None]]
    if spec.order > 0:
        parts += [np.moveaxis(first, 2, 0), np.moveaxis(second, 2, 0)]
    return torch.from_numpy(np.ascontiguousarray(np.concatenate(parts))).to(x)
