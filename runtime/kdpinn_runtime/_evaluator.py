"""What `verify`, `bench` and the command line need of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ._model_file import ModelFile

Array = NDArray[Any]


class JetLike(Protocol):
    """Values (n, m), first derivatives (n, m, d), second derivatives (n, m, p)."""

    @property
    def value(self) -> Array:
        """Values, (n, m)."""

    @property
    def first(self) -> Array:
        """First derivatives, (n, m, d)."""

    @property
    def second(self) -> Array:
        """Second derivatives, (n, m, p), in the order asked for."""


class Evaluator(Protocol):
    """`kdpinn_runtime.Model`, or anything that evaluates a ModelFile in the same way."""

    @property
    def file(self) -> ModelFile:
        """The parsed file."""

    @property
    def digest(self) -> str:
        """SHA-256 of the file's content, hexadecimal."""

    @property
    def dtypes(self) -> tuple[Any, ...]:
        """The arithmetics that it has: numpy.float32, numpy.float64."""

    @property
    def outside_count(self) -> int:
        """Points outside the domain so far."""

    def __call__(self, x: Array) -> Array:
        """Outputs (n, m) at x (n, d), in the arithmetic of x's type, float32 or float64."""

    def jet(self, x: Array, second: tuple[tuple[str, str], ...]) -> JetLike:
        """Values and derivatives at x (n, d)."""

    def residual(self, x: Array, data: Array | None) -> Array:
        """Residual of every equation, (n, equations), at x (n, d) with data (n, c)."""

    def bind(self, x: Array, out: Array) -> Callable[[], object]:
        """A call that fills out (n, m) from the current content of x (n, d), on one thread."""


def domain_points(file: ModelFile, count: int, seed: int = 0) -> Array:
    """`count` points, uniform at random in the domain, (count, d), the same for the same seed.

    In the number type of the stored weights.
    """
    lower, upper = np.array(list(file.domain.values())).T
    points = np.random.default_rng(seed).uniform(lower, upper, (count, len(lower)))
    return inside_domain(file, points)


def inside_domain(file: ModelFile, points: NDArray[np.float64]) -> Array:
    """`points` in the number type of the stored weights, none rounded out of the domain."""
    lower, upper = np.array(list(file.domain.values())).T
    dtype = file.dtype.type
    low, high = lower.astype(dtype), upper.astype(dtype)
    low = np.where(low < lower, np.nextafter(low, dtype(np.inf)), low)
    high = np.where(high > upper, np.nextafter(high, dtype(-np.inf)), high)
    clipped: Array = np.clip(points.astype(dtype), low, high)
    return clipped


def finite_or_none(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with NaN and infinities as None, which JSON can say."""
    return {
        key: None if isinstance(value, float) and not np.isfinite(value) else value
        for key, value in values.items()
    }
