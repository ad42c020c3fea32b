r"""Weights that make a training solve early times before late ones.

Time is cut into M slices with mean square residuals L_1, ..., L_M, and the points of slice i count

    w_i = \exp(-\epsilon \sum_{k < i} L_k).

A slice counts only once those before it are solved; when all are, all weights are 1. The weights
are computed when points are drawn and stay until the next draw; the last stretch of a training,
which keeps its points, has none.

Written from the formula in Wang, Sankaran & Perdikaris, Comput. Methods Appl. Mech. Eng. 421 (2024)
116813, DOI 10.1016/j.cma.2024.116813. The authors' own code (repository CausalPINNs of the
Predictive Intelligence Lab) carries a patent notice; nothing of that code is used here. Whoever
uses the method commercially should look into that notice first; it is off unless a recipe asks.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.methods.horizon import TIME
from kdpinn.physics import residual_magnitude
from kdpinn.problems.problem import Problem
from kdpinn.sampling import interior

SLICES = 32
POINTS_PER_SLICE = 64


def causal_weights(
    problem: Problem, field: Field, box: Box, points: Tensor, epsilon: float, seed: int
) -> Tensor:
    """Weights (N,) in (0, 1] of points (N, d) in the box, by the field's residuals before them.

    Args:
        epsilon: > 0; how strictly order is kept, against the mean square residual.
        seed: of the points that measure the slices.
    """
    probe = interior(box, SLICES * POINTS_PER_SLICE, seed=seed)
    squares = residual_magnitude(problem, field)(probe).square()
    at = _slices(box, probe)
    sums = torch.zeros(SLICES, dtype=squares.dtype).index_add_(0, at, squares)
    means = sums / torch.bincount(at, minlength=SLICES).clamp_min(1)
    return slice_weights(means, epsilon)[_slices(box, points)]


def slice_weights(losses: Tensor, epsilon: float) -> Tensor:
    """w_i = exp(-epsilon sum over k < i of L_k), (M,), from the slices' losses (M,)."""
    before = losses.cumsum(0) - losses
    return torch.exp(-epsilon * before)


def _slices(box: Box, points: Tensor) -> Tensor:
    """Number of each point's slice of time, (N,)."""
    start, end = box.bounds(TIME)
    share = (points[:, box.index(TIME)] - start) / (end - start)
    return (share * SLICES).long().clamp(0, SLICES - 1)
