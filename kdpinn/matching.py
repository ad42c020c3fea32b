"""Student against teacher: the points, and what is matched there, as least-squares terms."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.losses import Term
from kdpinn.physics import equation_term
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation
from kdpinn.sampling import interior

POOL_FACTOR = 16
STEEPEST = 16.0
"""Points concentrate at most this many times more than uniform: beyond, they would only repeat."""


@dataclass(frozen=True)
class MatchingPoints:
    """points (N, d); importance (N,), the uniform density over theirs, with mean about 1."""

    points: Tensor
    importance: Tensor


def gaussian_kl(
    teacher: Tensor, student: Tensor, sigma_teacher: float, sigma_student: float
) -> Tensor:
    r"""Kullback-Leibler divergence of N(student, sigma_S^2) from N(teacher, sigma_T^2), pointwise.

    KL = \ln(\sigma_S / \sigma_T) + (\sigma_T^2 + (u_T - u_S)^2) / (2 \sigma_S^2) - 1/2;
    with equal variances (u_T - u_S)^2 / (2 \sigma^2). Derivation, and why the divergence between
    continuous fields becomes least squares: docs/derivations/kullback_leibler.md.

    Args:
        teacher, student: means, of one shape.
        sigma_teacher, sigma_student: standard deviations > 0, in the unit of the means.
    Source: Kullback & Leibler, Ann. Math. Stat. 22 (1951) 79-86, DOI 10.1214/aoms/1177729694.
    """
    spread = (sigma_teacher**2 + (teacher - student) ** 2) / (2 * sigma_student**2)
    return spread + math.log(sigma_student / sigma_teacher) - 0.5


def matching_points(box: Box, teacher: Field, n: int, seed: int) -> MatchingPoints:
    """Half of the points fill the box evenly, half lie where the teacher is steep.

    The second half is drawn with a density w / mean w, w = min(|grad u|, 16 mean|grad u|), out of
    16 n Sobol points; with the first half the density is q = 1/2 + w / (2 mean w), and 1/q weighs
    the points back to uniform.

    Args:
        teacher: |grad u| is taken in normalized coordinates and outputs.
    Returns:
        n points.
    """
    even = interior(box, max(n - n // 2, 2), seed=seed)
    pool = interior(box, POOL_FACTOR * n, seed=seed + 1)
    slope = _slope(box, teacher, pool)
    steepest = STEEPEST * slope.mean()
    weights = slope.clamp(max=steepest)
    unit = weights.mean()
    if unit == 0:
        return MatchingPoints(interior(box, n, seed=seed), torch.ones(n, dtype=slope.dtype))
    drawn = pool[_systematic(weights, n // 2, torch.Generator().manual_seed(seed + 2))]
    points = torch.cat([even, drawn])
    density = 0.5 + 0.5 * _slope(box, teacher, points).clamp(max=steepest) / unit
    return MatchingPoints(points, 1 / density)


def value_term(
    teacher: Field, at: MatchingPoints, sigma: float, spec: JetSpec | None = None
) -> Term:
    """The Kullback-Leibler term: mean of sum over outputs of (u_T - u_S)^2 / (2 sigma^2).

    Args:
        sigma: in units of each output's root mean square.
        spec: of the other terms on these points, to share their pass; values alone if None.
    """
    values = JetSpec(at.points.shape[1], 0)
    target = _jets(teacher, at.points, values)[0]
    scale = math.sqrt(2) * sigma * _rms(target)
    return _term("values", at, spec or values, lambda c, _: (c[0] - target) / scale, 1.0)


def matching_terms(
    problem: Problem, teacher: Field, at: MatchingPoints, distillation: Distillation
) -> list[Term]:
    """Values, and derivatives and the equation's residual where the recipe gives them weight.

    All derivatives are in units of the teacher's own root mean square of that derivative, so that
    the weights compare relative errors; the residual is in units of the root mean square of the
    teacher's largest first derivative.
    """
    d = at.points.shape[1]
    pairs = tuple((i, i) for i in range(d)) if distillation.second_weight else ()
    spec = JetSpec(d, 2 if pairs else 1 if distillation.first_weight else 0, pairs)
    with_residual = distillation.residual_weight > 0 and problem.residual is not None
    if with_residual and not pairs and problem.spec().order >= spec.order:
        spec = problem.spec()  # one pass through the network serves all terms
    terms = [value_term(teacher, at, distillation.sigma, spec)]
    if distillation.first_weight:
        residual = _difference(teacher, at.points, spec, slice(1, 1 + d))
        terms.append(_term("first derivatives", at, spec, residual, distillation.first_weight))
    if distillation.second_weight:
        residual = _difference(teacher, at.points, spec, slice(1 + d, None))
        terms.append(_term("second derivatives", at, spec, residual, distillation.second_weight))
    if with_residual:
        terms.append(_residual_term(problem, teacher, at, distillation.residual_weight))
    return terms


def _residual_term(problem: Problem, teacher: Field, at: MatchingPoints, weight: float) -> Term:
    equation = equation_term(problem, at.points)
    first = _jets(teacher, at.points, JetSpec(at.points.shape[1], 1))[1:]
    scale = float(first.square().mean(1).max().sqrt())
    with torch.no_grad():
        unknown = teacher.split(teacher.theta)[1]
        target = equation.residual(teacher.jets(at.points, equation.spec), unknown)

    def residual(channels: Tensor, _: Tensor) -> Tensor:
        return (equation.residual(channels, unknown) - target) / scale

    return _term("residual", at, equation.spec, residual, weight)


def _difference(
    teacher: Field, points: Tensor, spec: JetSpec, channels: slice
) -> Callable[[Tensor, Tensor], Tensor]:
    """Student minus teacher in some channels, each over the teacher's root mean square."""
    target = _jets(teacher, points, spec)[channels]
    scale = math.sqrt(2) * target.square().mean(1, keepdim=True).sqrt().clamp_min(1e-300)

    def residual(student: Tensor, _: Tensor) -> Tensor:
        return ((student[channels] - target) / scale).transpose(0, 1).flatten(1)

    return residual


def _term(
    name: str,
    at: MatchingPoints,
    spec: JetSpec,
    residual: Callable[[Tensor, Tensor], Tensor],
    weight: float,
) -> Term:
    return Term(
        name=name,
        points=at.points,
        spec=spec,
        residual=residual,
        weight=weight,
        importance=at.importance,
    )


def _jets(field: Field, points: Tensor, spec: JetSpec) -> Tensor:
    with torch.no_grad():
        return field.jets(points, spec)


def _rms(values: Tensor) -> Tensor:
    """Root mean square of each column of (N, m), (m,); 1 for a field that is zero."""
    rms = values.square().mean(0).sqrt()
    return torch.where(rms > 0, rms, torch.ones_like(rms))


def _slope(box: Box, field: Field, points: Tensor) -> Tensor:
    """|grad u| in normalized coordinates, all outputs together, (N,)."""
    jets = _jets(field, points, JetSpec(points.shape[1], 1))
    gradient = jets[1:] / torch.from_numpy(box.scale)[:, None, None] / field.output_scale
    return gradient.square().sum((0, 2)).sqrt()


def _systematic(weights: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Indices (n,) drawn in proportion to weights (k,), at equal steps of their running sum.

    Neighbors in a Sobol sequence lie far apart, so that the equal steps keep its evenness; an
    index repeats only where a weight exceeds sum / n.
    """
    running = weights.cumsum(0)
    start = torch.rand((), generator=generator, dtype=weights.dtype)
    steps = (torch.arange(n, dtype=weights.dtype) + start) * (running[-1] / n)
    return torch.searchsorted(running, steps).clamp_max(len(weights) - 1)
