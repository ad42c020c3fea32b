"""Teachers that are valid in parts of the domain, blended where the parts overlap."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.teachers.ensemble import check_alike
from kdpinn.teachers.protocol import Teacher

RAMP = 0.1
"""Share of a part's width over which its weight falls towards an inner edge."""
FLOOR = 1e-6
"""Weight left at an inner edge: parts that only touch share their edge, and leave no gap."""


@dataclass(frozen=True)
class Patch:
    """A teacher, its weight > 0, and the part of the domain where it is valid.

    Attributes:
        region: coordinate -> (lower, upper), lower < upper; the whole domain where not named.
    """

    teacher: Teacher
    weight: float
    region: Mapping[str, tuple[float, float]]

    def ends(self, name: str) -> tuple[float, ...]:
        """Edges of the part in one coordinate; none where it is the whole domain."""
        return self.region.get(name, ())


@dataclass(frozen=True)
class Patches:
    r"""u = \sum w_k(x) u_k / \sum w_k(x) over the teachers that are valid at x.

    w_k is the weight, times a factor for each edge of the part that lies inside the domain: it
    rises from 1e-6 at the edge to 1 within a tenth of the part's width, so that the blend is
    continuous where parts overlap. Its derivatives are those of no teacher: it has none.

    Raises:
        ValueError: the teachers map other names, or a part of the domain is taught by nobody.
    """

    domain: Box
    patches: tuple[Patch, ...]

    def __post_init__(self) -> None:
        check_alike([patch.teacher for patch in self.patches])
        self._check_cover()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return self.domain.names

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the fields."""
        return self.patches[0].teacher.outputs

    def values(self, x: FloatArray) -> FloatArray:
        """The blend (N, m) at x (N, d); every teacher is asked only where it is valid."""
        total = np.zeros((len(x), len(self.outputs)))
        weights = np.zeros((len(x), 1))
        for patch in self.patches:
            weight = self.weight(patch, x)
            valid = weight > 0
            if valid.any():
                w = weight[valid, None]
                total[valid] += w * patch.teacher.values(x[valid])
                weights[valid] += w
        if not weights.all():
            raise ValueError(f"No teacher is valid at {x[int(np.argmin(weights))].tolist()}.")
        return np.asarray(total / weights, dtype=np.float64)

    def weight(self, patch: Patch, x: FloatArray) -> FloatArray:
        """w_k at x (N, d), (N,); 0 outside its part."""
        weight = np.full(len(x), patch.weight)
        for name, (lower, upper) in patch.region.items():
            column = x[:, self.domain.index(name)]
            first, last = self.domain.bounds(name)
            ramp = RAMP * (upper - lower)
            if lower > first:
                weight *= np.clip((column - lower) / ramp, FLOOR, 1.0)
            if upper < last:
                weight *= np.clip((upper - column) / ramp, FLOOR, 1.0)
            weight[(column < lower) | (column > upper)] = 0.0
        return weight

    def _check_cover(self) -> None:
        """Every cell of the grid that the parts' edges cut the domain into lies in a part."""
        edges = [
            sorted({*self.domain.bounds(name), *(a for p in self.patches for a in p.ends(name))})
            for name in self.domain.names
        ]
        cells = itertools.product(*(itertools.pairwise(e) for e in edges))
        for cell in cells:
            middle = np.array([[(a + b) / 2 for a, b in cell]])
            if not any(self.weight(patch, middle)[0] > 0 for patch in self.patches):
                where = ", ".join(
                    f"{name} in [{a:g}, {b:g}]"
                    for name, (a, b) in zip(self.domain.names, cell, strict=True)
                )
                raise ValueError(
                    f"No teacher is valid for {where}: give one there, or a smaller --domain."
                )
