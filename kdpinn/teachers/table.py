"""A table of samples as a teacher: a part teaches, the rest judges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kdpinn.geometry import Box, FloatArray
from kdpinn.teachers.noise import noise_of

HELD_OUT_SHARE = 0.2
LEAST = 20
SPLIT_SEED = 900_001


@dataclass(frozen=True, eq=False)
class Table:
    """Fields at scattered points; repeated points are one sample, their mean, of more weight.

    Attributes:
        inputs, outputs: names of the d columns of `points` and the m columns of `values`.
        points: (n, d), distinct; samples: (n, m).
        weights: (n,), > 0.
        held_out: (n,), whether the sample judges instead of teaching.
        noise: (m,), standard deviation of a single sample, by its neighbors; NaN if unknown.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    points: FloatArray
    samples: FloatArray
    weights: FloatArray
    held_out: NDArray[np.bool_]
    noise: FloatArray

    @classmethod
    def of(
        cls,
        box: Box,
        outputs: tuple[str, ...],
        points: FloatArray,
        values: FloatArray,
        weights: FloatArray | None = None,
    ) -> Table:
        """Split samples; the same samples give the same split, whatever their order.

        Args:
            points: (n, d), columns in the order of the box; values: (n, m).
        Raises:
            ValueError: too few samples, or points outside the box.
        """
        _check_inside(box, points)
        weights = np.ones(len(points)) if weights is None else weights
        unique, index = np.unique(points, axis=0, return_inverse=True)
        if len(unique) < LEAST:
            raise ValueError(
                f"{len(unique)} samples at different points cannot teach and judge: at least "
                f"{LEAST} are needed."
            )
        totals = np.bincount(index.ravel(), weights).astype(np.float64)
        means = [np.bincount(index.ravel(), weights * v) / totals for v in values.T]
        order = np.random.default_rng(SPLIT_SEED).permutation(len(unique))
        held_out = np.zeros(len(unique), dtype=bool)
        held_out[order[: round(HELD_OUT_SHARE * len(unique))]] = True
        return cls(
            inputs=box.names,
            outputs=outputs,
            points=unique,
            samples=np.stack(means, axis=1),
            weights=totals,
            held_out=held_out,
            noise=noise_of(box.to_unit(points), values),
        )

    def part(self, held_out: bool) -> tuple[FloatArray, FloatArray]:
        """Points (n', d) that teach, or judge, and their weights (n',), of mean 1."""
        chosen = self.held_out == held_out
        weights = self.weights[chosen]
        return self.points[chosen], weights / weights.mean()

    def values(self, x: FloatArray) -> FloatArray:
        """The samples (N, m) at points x (N, d) of the table.

        Raises:
            ValueError: a point is not in the table.
        """
        rows = {row.tobytes(): k for k, row in enumerate(np.ascontiguousarray(self.points))}
        try:
            found = [rows[row.tobytes()] for row in np.ascontiguousarray(x)]
        except KeyError:
            raise ValueError(
                "A table of samples knows its fields at its own points only; it was asked for "
                "others."
            ) from None
        return self.samples[found]

    def describe(self) -> str:
        """Numbers of samples, and their noise, in a sentence."""
        held = int(self.held_out.sum())
        levels = [
            f"{level:.2g} in {name}"
            for name, level in zip(self.outputs, self.noise, strict=True)
            if np.isfinite(level)
        ]
        noise = f"; noise about {', '.join(levels)} (standard deviation)" if levels else ""
        return f"{len(self.points) - held} samples teach, {held} judge{noise}."


def _check_inside(box: Box, points: FloatArray) -> None:
    outside = (points < box.lower) | (points > box.upper)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        name = box.names[column]
        lower, upper = box.bounds(name)
        raise ValueError(
            f"{int(outside.any(axis=1).sum())} of {len(points)} samples lie outside the domain, "
            f"the first with {name} = {points[row, column]:g} outside [{lower:g}, {upper:g}]: "
            "make --domain larger, or leave these rows out."
        )
