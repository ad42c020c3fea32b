r"""Weights that give every term of the loss the same say in the curvature.

Term i has the mean square of its residuals r_n, and the Gauss-Newton matrix of the whole is
\sum_i w_i J_i^T J_i / N_i. Its trace splits into w_i g_i with g_i = mean_n |dr_n / d\theta|^2, the
trace of the term's neural tangent kernel over its points. With

    w_i = w_{equation} g_{equation} / g_i

no term can hide the others' curvature. The weights are computed when points are drawn and stay
until the next draw: a quasi-Newton method needs an objective that holds still, which weights that
are trained along with the network (McClenny & Braga-Neto, DOI 10.1016/j.jcp.2022.111722) are not.

Source: Wang, Yu & Perdikaris, J. Comput. Phys. 449 (2022) 110768, DOI 10.1016/j.jcp.2021.110768.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from kdpinn.field import Field
from kdpinn.losses import LeastSquares, Term

POINTS = 256
"""Points of each term that its trace is estimated on."""


def balanced(field: Field, terms: Sequence[Term]) -> list[Term]:
    """The terms with weights by their traces at the field's parameters; the first keeps its own.

    The weights that the conditions came with are replaced.
    """
    first, *others = terms
    share = first.weight * trace(field, first)
    return [first, *(replace(t, weight=share / max(trace(field, t), 1e-300)) for t in others)]


def trace(field: Field, term: Term) -> float:
    """Mean square norm of dr/dtheta over the term's points, for weight 1."""
    n = len(term.points)
    rows = torch.linspace(0, n - 1, min(n, POINTS), dtype=torch.float64).round().long()
    part = replace(term, weight=1.0, importance=None).take(rows)
    _, jacobian = LeastSquares(field, [part]).residuals_and_jacobian(field.theta)
    return float(jacobian.square().sum()) * n / len(rows)
