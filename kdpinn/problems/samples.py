"""A solution known at given points only: a table of samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from kdpinn.geometry import Box, FloatArray


@dataclass(frozen=True, eq=False)
class Samples:
    """Values of the fields at points, as a problem's `reference`.

    The points are the evaluation grid; there is no value anywhere else.

    Args:
        points: (n, d), columns in the order of the domain's coordinates.
        values: (n, m), columns in the order of the problem's fields.
    Raises:
        ValueError: shapes that do not fit, no sample, or a number that is not finite.
    """

    points: FloatArray
    values: FloatArray

    def __post_init__(self) -> None:
        for name in ("points", "values"):
            array = np.array(getattr(self, name), dtype=np.float64, order="C")
            array.setflags(write=False)
            object.__setattr__(self, name, array)
        x, u = self.points, self.values
        if x.ndim != 2 or u.ndim != 2 or len(x) != len(u) or not x.size:
            raise ValueError(
                "`Samples` needs points (n, d) and values (n, m), n >= 1, got "
                f"{x.shape} and {u.shape}."
            )
        if not (np.all(np.isfinite(x)) and np.all(np.isfinite(u))):
            raise ValueError("`Samples` has points or values that are not finite.")

    def __len__(self) -> int:
        return len(self.points)

    def check(self, owner: str, domain: Box, fields: tuple[str, ...]) -> None:
        """Raise ValueError, naming the problem, unless the table is one of its fields."""
        shape = self.points.shape[1], self.values.shape[1]
        if shape != (domain.dim, len(fields)):
            raise ValueError(
                f"{owner}: the samples have {shape[0]} coordinates and {shape[1]} values, "
                f"expected {', '.join(domain.names)} and {', '.join(fields)}."
            )
        outside = int(np.sum(~domain.contains(self.points)))
        if outside:
            raise ValueError(
                f"{owner}: {outside} of {len(self)} samples lie outside {domain!r}: widen the "
                "domain, or drop them."
            )

    def at(self, x: FloatArray) -> FloatArray:
        """Values (k, m) at sample points x (k, d).

        Raises:
            ValueError: a point of x is none of the samples.
        """
        if np.array_equal(x, self.points):
            return self.values
        rows = [self._rows.get(row.tobytes(), -1) for row in np.ascontiguousarray(x)]
        if -1 in rows:
            raise ValueError(
                f"The reference is a table of {len(self)} samples, and {rows.count(-1)} of "
                f"{len(x)} points are none of them."
            )
        return np.asarray(self.values[rows])

    def some(self, count: int) -> FloatArray:
        """At most `count` of the points, evenly through the table, (k, d)."""
        step = np.linspace(0, len(self) - 1, min(count, len(self)))
        return np.asarray(self.points[np.unique(step.round().astype(int))])

    @cached_property
    def _rows(self) -> dict[bytes, int]:
        return {row.tobytes(): k for k, row in enumerate(self.points)}
