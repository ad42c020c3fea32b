"""Fields at scattered points, drawn onto a regular grid for pictures."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

from kdpinn.geometry import FloatArray
from kdpinn.problems import Problem

PIXELS = 20_000
MIN_PER_AXIS, MAX_PER_AXIS = 9, 1001


def raster(problem: Problem) -> tuple[int, ...]:
    """Points per coordinate of a grid with about square cells in the problem's box."""
    extent = problem.domain.upper - problem.domain.lower
    cell = (np.prod(extent) / PIXELS) ** (1 / len(extent))
    counts = np.clip(np.ceil(extent / cell), MIN_PER_AXIS, MAX_PER_AXIS)
    return tuple(int(n) for n in counts)


def onto_grid(problem: Problem, points: FloatArray, values: FloatArray) -> FloatArray:
    """Values (n, ...) at points (n, d) on the grid of `raster`, (prod(raster), ...).

    Linear between the points in one or two coordinates, the nearest point's value in more; NaN in
    holes of the domain, and outside of the points' convex hull.
    """
    domain = problem.domain
    grid = domain.grid(raster(problem))
    # Distances are compared between coordinates: each in units of its own range.
    known, wanted = domain.to_unit(points), domain.to_unit(grid)
    if domain.dim == 2:
        result = LinearNDInterpolator(known, values)(wanted)
    else:
        result = NearestNDInterpolator(known, values)(wanted)
    result[~domain.contains(grid)] = np.nan
    return np.asarray(result, dtype=np.float64)
