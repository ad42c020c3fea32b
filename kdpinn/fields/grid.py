"""Grids over a model's domain, and the chunks that they are computed in."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime.format import Variable

Array = NDArray[Any]
Index = tuple[int, ...]

CHUNK = 1_048_576
"""Points in a chunk, at most: 8 MB of float64."""
MOST = 10_000_000
"""Points along an axis: their coordinates are held in memory."""


@dataclass(frozen=True, kw_only=True)
class Axis:
    """`count` evenly spaced values of an input, both ends included; count 1: `lower` alone."""

    variable: Variable
    lower: float
    upper: float
    count: int

    def __post_init__(self) -> None:
        v = self.variable
        if not v.lower <= self.lower <= self.upper <= v.upper:
            raise ValueError(
                f"The grid takes {v.name} from {self.lower:g} to {self.upper:g}, the model knows "
                f"it on [{v.lower:g}, {v.upper:g}]."
            )
        if self.count > MOST:
            raise ValueError(
                f"The grid takes {self.count} values of {v.name}, more than the {MOST} of an axis."
            )
        if self.count < 1 or (self.count > 1) != (self.lower < self.upper):
            raise ValueError(
                f"The grid takes {self.count} values of {v.name} from {self.lower:g} to "
                f"{self.upper:g}: it takes two or more between different ends, or one."
            )

    @property
    def values(self) -> Array:
        """(count,), float64."""
        return np.linspace(self.lower, self.upper, self.count)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The product of one axis for each input, in the inputs' order.

    Attributes:
        axes: one for each input; those with a single value are no dimension of the field.
        chunk: points of a chunk along each dimension.
    """

    axes: tuple[Axis, ...]
    chunk: Index

    @property
    def dimensions(self) -> tuple[Axis, ...]:
        """Axes with more than one value."""
        return tuple(axis for axis in self.axes if axis.count > 1)

    @property
    def shape(self) -> Index:
        """Points along each dimension."""
        return tuple(axis.count for axis in self.dimensions)

    @property
    def chunks(self) -> Index:
        """Chunks along each dimension."""
        return tuple(-(-n // c) for n, c in zip(self.shape, self.chunk, strict=True))

    def indices(self) -> Iterator[Index]:
        """Index of every chunk."""
        return itertools.product(*map(range, self.chunks))

    def part(self, index: Index) -> tuple[slice, ...]:
        """Where the chunk lies in the field."""
        return tuple(
            slice(k * c, min(n, (k + 1) * c))
            for k, c, n in zip(index, self.chunk, self.shape, strict=True)
        )

    def points(self, part: tuple[slice, ...], dtype: Any) -> Array:
        """The part's points, (n, inputs), the last dimension fastest."""
        parts = iter(part)
        values = [a.values[next(parts)] if a.count > 1 else a.values for a in self.axes]
        out = np.empty((*map(len, values), len(values)), dtype)
        for k, column in enumerate(values):
            out[..., k] = column.reshape([-1 if j == k else 1 for j in range(len(values))])
        return out.reshape(-1, len(values))


def parse_grid(text: str, inputs: tuple[Variable, ...], chunk: int = CHUNK) -> Grid:
    """`x=-1:1:201,t=0:1:101,nu=0.01` as a grid in chunks of at most `chunk` points.

    Raises:
        ValueError: another form, an input too many or too few, or values outside the domain.
    """
    given: dict[str, Axis] = {}
    known = {variable.name: variable for variable in inputs}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or name not in known or name in given:
            raise ValueError(
                f"--grid names each of the inputs {', '.join(known)} once, as in "
                f'"x=-1:1:201" or "x=0.5"; got {part.strip()!r}.'
            )
        given[name] = _axis(known[name], value)
    missing = [name for name in known if name not in given]
    if missing:
        raise ValueError(f"--grid does not say {', '.join(missing)}: add {missing[0]}=VALUE.")
    axes = tuple(given[name] for name in known)
    counts = [axis.count for axis in axes if axis.count > 1]
    if not counts:
        raise ValueError("--grid is a single point: `kdpinn-runtime eval` prints its value.")
    return Grid(axes=axes, chunk=_chunk_of(counts, chunk))


def _axis(variable: Variable, text: str) -> Axis:
    pieces = text.split(":")
    try:
        if len(pieces) == 1:
            lower, upper, count = float(text), float(text), 1
        else:
            lower, upper, count = float(pieces[0]), float(pieces[1]), int(pieces[2])
        if len(pieces) > 3:
            raise IndexError
    except (ValueError, IndexError):
        raise ValueError(
            f"--grid takes LOWER:UPPER:COUNT or a single value for {variable.name}, got {text!r}."
        ) from None
    return Axis(variable=variable, lower=lower, upper=upper, count=count)


def _chunk_of(shape: list[int], most: int) -> Index:
    """Sides of a chunk of at most `most` points: short sides whole, the others alike."""
    sides: dict[int, int] = {}
    left = most
    for rank, k in enumerate(sorted(range(len(shape)), key=lambda k: shape[k])):
        sides[k] = max(1, min(shape[k], math.floor(left ** (1 / (len(shape) - rank)) + 1e-9)))
        left //= sides[k]
    return tuple(sides[k] for k in range(len(shape)))
