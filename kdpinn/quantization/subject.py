"""What is quantized, and what it is fitted to: a model file, its field, a sum of squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.losses import LeastSquares, Term
from kdpinn.matching import MatchingPoints, matching_points, value_term
from kdpinn.quantization.coding import flat
from kdpinn.sampling import interior
from kdpinn.shipping import field_of
from kdpinn.teachers.protocol import Teacher
from kdpinn_runtime.format import Layer, ModelFile

POINTS = 2500
"""Fewest points of a fit; with more weights than a third of them, three for each weight."""
MOST_POINTS = 12000
CHECK_POINTS = 4096
CHECK_SEED = 90_001


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A model file to be quantized.

    Attributes:
        file: the model as it is.
        box: its domain, without the holes where its problem is known.
        teacher: what the quantized network is fitted to; None for the model itself.
        seed: of the points.
    """

    file: ModelFile
    box: Box
    teacher: Teacher | None = None
    seed: int = 0

    @cached_property
    def field(self) -> Field:
        """The model's trainable form, written out if tied. Raises ValueError where it has none."""
        return field_of(replace(self.file, symmetry=None))

    @cached_property
    def objective(self) -> LeastSquares:
        """Mean over the domain of the squared differences, each output in its root mean square."""
        return LeastSquares(self.field, [self._term(self._points(self.seed))])

    def _points(self, seed: int) -> MatchingPoints:
        weights = self.file.weight_count
        count = min(max(POINTS, 3 * weights // len(self.file.outputs)), MOST_POINTS)
        return matching_points(self.box, self.teacher or self.field, count, seed)

    def _term(self, at: MatchingPoints) -> Term:
        return value_term(self.teacher or self.field, at, np.sqrt(0.5))

    @cached_property
    def check_points(self) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Points (4096, d) all over the domain that no fit has seen."""
        return np.asarray(interior(self.box, CHECK_POINTS, seed=self.seed + CHECK_SEED))

    def field_with(self, layers: Sequence[Layer]) -> Field:
        """The same field with other layers, whole ones."""
        return self.field.with_theta(torch.from_numpy(flat(layers)))

    def distance(self, layers: Sequence[Layer]) -> float:
        """Relative L2 distance of the field with other layers from the model, at check points.

        Each output in its own root mean square.
        """
        base = self.field.values(self.check_points)
        other = self.field_with(layers).values(self.check_points)
        size = np.sqrt(np.square(base).mean(axis=0))
        relative = (other - base) / np.where(size > 0, size, 1.0)
        return float(np.sqrt(np.square(relative).mean()))


def box_of(file: ModelFile) -> Box:
    """The model's domain as its file states it."""
    bounds: dict[str, Any] = {v.name: (v.lower, v.upper) for v in file.inputs}
    return Box(**bounds)
