"""What can teach a student: values at points; derivatives, spread and gaps where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from torch import Tensor

from kdpinn.geometry import FloatArray
from kdpinn.jets import JetSpec


class Teacher(Protocol):
    """A function from named coordinates to named fields; `kdpinn.field.Field` is one."""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the d coordinates."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the m fields."""
        ...

    def values(self, x: FloatArray) -> FloatArray:
        """Fields (N, m) at physical points x (N, d), float64.

        Raises:
            ValueError: it cannot say what they are there.
        """
        ...


@runtime_checkable
class Smooth(Protocol):
    """A teacher that also knows its derivatives; others teach by their values alone."""

    def jets(self, x: Tensor, spec: JetSpec) -> Tensor:
        """Channels (K, N, m) of `spec` at physical x (N, d), float64."""
        ...


@runtime_checkable
class Uncertain(Protocol):
    """A teacher that knows how sure it is: the variance of the Kullback-Leibler term."""

    def spread(self, x: FloatArray) -> FloatArray:
        """Standard deviation (N, m) of each field at x (N, d), in the unit of the field, >= 0."""
        ...


@runtime_checkable
class Sliced(Protocol):
    """A teacher that knows its fields at some values of a coordinate only.

    Attributes:
        slices: coordinate -> the values it may take, ascending; every combination is known.
    """

    slices: Mapping[str, tuple[float, ...]]


@runtime_checkable
class Scattered(Protocol):
    """A teacher that knows its fields at points of its own only: samples."""

    def part(self, held_out: bool) -> tuple[FloatArray, FloatArray]:
        """Points (n, d) that teach, or that judge, and the weight of each, (n,), of mean 1."""
        ...
