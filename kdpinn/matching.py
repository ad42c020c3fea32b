"""Student against teacher: the points, and what is matched there, as least-squares terms."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.losses import Term
from kdpinn.physics import equation_term
from kdpinn.polynomial import Polynomial, jets_less
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation
from kdpinn.sampling import interior
from kdpinn.teachers.protocol import Scattered, Sliced, Smooth, Teacher, Uncertain
from kdpinn.teachers.steepness import gradients

POOL_FACTOR = 16
STEEPEST = 16.0
"""Points concentrate at most this many times more than uniform: beyond, they would only repeat."""


@dataclass(frozen=True)
class MatchingPoints:
    """points (N, d); importance (N,), the uniform density over theirs, with mean about 1."""

    points: Tensor
    importance: Tensor


def gaussian_kl(
    teacher: Tensor,
    student: Tensor,
    sigma_teacher: float | Tensor,
    sigma_student: float | Tensor,
) -> Tensor:
    r"""Kullback-Leibler divergence of N(student, sigma_S^2) from N(teacher, sigma_T^2), pointwise.

    KL = \ln(\sigma_S / \sigma_T) + (\sigma_T^2 + (u_T - u_S)^2) / (2 \sigma_S^2) - 1/2;
    with equal variances (u_T - u_S)^2 / (2 \sigma^2). Derivation, and why the divergence between
    continuous fields becomes least squares: docs/derivations/kullback_leibler.md.

    Args:
        teacher, student: means, of one shape.
        sigma_teacher, sigma_student: standard deviations > 0, in the unit of the means: numbers,
            or a tensor of the means' shape.
    Source: Kullback & Leibler, Ann. Math. Stat. 22 (1951) 79-86, DOI 10.1214/aoms/1177729694.
    """
    ratio = sigma_student / sigma_teacher
    spread = (sigma_teacher**2 + (teacher - student) ** 2) / (2 * sigma_student**2)
    return spread + torch.log(torch.as_tensor(ratio, dtype=teacher.dtype)) - 0.5


def matching_points(
    box: Box, teacher: Teacher, n: int, seed: int, *, held_out: bool = False
) -> MatchingPoints:
    """Half of the points fill the box evenly, half lie where the teacher is steep.

    The second half is drawn with a density w / mean w, w = min(|grad u|, 16 mean|grad u|), out of
    16 n Sobol points; with the first half the density is q = 1/2 + w / (2 mean w), and 1/q weighs
    the points back to uniform.

    Args:
        teacher: |grad u| is taken in normalized coordinates and outputs. One that knows its fields
            at some values of a coordinate gets points there; one that knows them at points of its
            own, those.
        held_out: whether the points are for judging: samples are split once and for all.
    Returns:
        n points, or the teacher's own.
    """
    if isinstance(teacher, Scattered):
        own, weights = teacher.part(held_out)
        return MatchingPoints(torch.tensor(own), torch.tensor(weights))
    slices = teacher.slices if isinstance(teacher, Sliced) else {}
    even = on_slices(box, interior(box, max(n - n // 2, 2), seed=seed), slices)
    pool = on_slices(box, interior(box, POOL_FACTOR * n, seed=seed + 1), slices)
    size = _sizes(teacher, pool)
    slope = _slope(box, teacher, pool, size)
    steepest = STEEPEST * slope.mean()
    weight = slope.clamp(max=steepest)
    unit = weight.mean()
    if unit == 0:
        uniform = on_slices(box, interior(box, n, seed=seed), slices)
        return MatchingPoints(uniform, torch.ones(n, dtype=slope.dtype))
    drawn = pool[_systematic(weight, n // 2, torch.Generator().manual_seed(seed + 2))]
    points = torch.cat([even, drawn])
    density = 0.5 + 0.5 * _slope(box, teacher, points, size).clamp(max=steepest) / unit
    return MatchingPoints(points, 1 / density)


def on_slices(box: Box, points: Tensor, slices: Mapping[str, tuple[float, ...]]) -> Tensor:
    """The points with the coordinates in `slices` moved to its values, each as often as others."""
    if not slices:
        return points
    moved = points.clone()
    unit = box.to_unit(points.numpy())
    for name, values in slices.items():
        column = box.index(name)
        turn = np.minimum((unit[:, column] * len(values)).astype(int), len(values) - 1)
        moved[:, column] = torch.from_numpy(np.array(values)[turn])
    return moved


def value_term(
    teacher: Teacher, at: MatchingPoints, sigma: float, spec: JetSpec | None = None
) -> Term:
    """The Kullback-Leibler term: mean of sum over outputs of (u_T - u_S)^2 / (2 sigma_S^2).

    sigma_S is `sigma`, times `relative_sigma` of the teacher's spread where it knows one.

    Args:
        sigma: in units of each output's root mean square.
        spec: of the other terms on these points, to share their pass; values alone if None.
    """
    values = JetSpec(at.points.shape[1], 0)
    target = _values(teacher, at.points)
    scale = math.sqrt(2) * sigma * _rms(target)
    if isinstance(teacher, Uncertain):
        scale = scale * relative_sigma(torch.from_numpy(teacher.spread(at.points.numpy())))
    misfit = jets_less([0], target[None], scale.expand_as(target)[None])
    return _term("values", at, spec or values, misfit, 1.0, misfit)


def relative_sigma(spread: Tensor) -> Tensor:
    """sigma_S of the student, relative: sqrt((1 + s^2 / mean s^2) / 2) with s the teacher's spread.

    Where the teacher is as unsure as on average, 1; where it is certain, no less than 1 / sqrt 2:
    members that agree by chance do not decide alone. See docs/derivations/kullback_leibler.md.

    Args:
        spread: (N, m), >= 0.
    Returns:
        (N, m); 1 for an output without any spread.
    """
    mean = spread.square().mean(0)
    share = spread.square() / torch.where(mean > 0, mean, torch.ones_like(mean))
    return torch.where(mean > 0, ((1 + share) / 2).sqrt(), torch.ones_like(share))


def matching_terms(
    problem: Problem, teacher: Teacher, at: MatchingPoints, distillation: Distillation
) -> list[Term]:
    """Values, and derivatives and the equation's residual where the recipe gives them weight.

    All derivatives are in units of the teacher's own root mean square of that derivative, so that
    the weights compare relative errors; the residual is in units of the root mean square of the
    teacher's largest first derivative. A teacher without derivatives teaches by its values alone.
    """
    if not isinstance(teacher, Smooth):
        return [value_term(teacher, at, distillation.sigma)]
    d = at.points.shape[1]
    pairs = tuple((i, i) for i in range(d)) if distillation.second_weight else ()
    spec = JetSpec(d, 2 if pairs else 1 if distillation.first_weight else 0, pairs)
    with_residual = distillation.residual_weight > 0 and problem.residual is not None
    if with_residual and not pairs and problem.spec().order >= spec.order:
        spec = problem.spec()  # one pass through the network serves all terms
    terms = [value_term(teacher, at, distillation.sigma, spec)]
    if distillation.first_weight:
        misfit = _difference(teacher, at.points, spec, slice(1, 1 + d))
        terms.append(
            _term("first derivatives", at, spec, misfit, distillation.first_weight, misfit)
        )
    if distillation.second_weight:
        misfit = _difference(teacher, at.points, spec, slice(1 + d, None))
        terms.append(
            _term("second derivatives", at, spec, misfit, distillation.second_weight, misfit)
        )
    if with_residual:
        terms.append(_residual_term(problem, teacher, at, distillation.residual_weight))
    return terms


def _residual_term(problem: Problem, teacher: Smooth, at: MatchingPoints, weight: float) -> Term:
    equation = equation_term(problem, at.points)
    first = _jets(teacher, at.points, JetSpec(at.points.shape[1], 1))[1:]
    scale = float(first.square().mean(1).max().sqrt())
    with torch.no_grad():
        none = torch.zeros(0, dtype=torch.float64)
        unknown = teacher.split(teacher.theta)[1] if isinstance(teacher, Field) else none
        target = equation.residual(teacher.jets(at.points, equation.spec), unknown)

    def residual(channels: Tensor, _: Tensor) -> Tensor:
        return (equation.residual(channels, unknown) - target) / scale

    polynomial = equation.polynomial
    if polynomial is not None:
        rows = target if target.dim() == 2 else target[:, None]
        polynomial = polynomial.known(unknown.tolist()).minus(rows).over(scale)
    return _term("residual", at, equation.spec, residual, weight, polynomial)


def _difference(teacher: Smooth, points: Tensor, spec: JetSpec, channels: slice) -> Polynomial:
    """Student minus teacher in some channels, each over the teacher's root mean square."""
    target = _jets(teacher, points, spec)[channels]
    scale = math.sqrt(2) * target.square().mean(1, keepdim=True).sqrt().clamp_min(1e-300)
    return jets_less(range(spec.channels)[channels], target, scale.expand_as(target))


def _term(
    name: str,
    at: MatchingPoints,
    spec: JetSpec,
    residual: Callable[[Tensor, Tensor], Tensor],
    weight: float,
    polynomial: Polynomial | None,
) -> Term:
    return Term(
        name=name,
        points=at.points,
        spec=spec,
        residual=residual,
        weight=weight,
        importance=at.importance,
        polynomial=polynomial,
    )


def _jets(teacher: Smooth, points: Tensor, spec: JetSpec) -> Tensor:
    with torch.no_grad():
        return teacher.jets(points, spec)


def _values(teacher: Teacher, points: Tensor) -> Tensor:
    return torch.from_numpy(teacher.values(points.numpy()))


def _rms(values: Tensor) -> Tensor:
    """Root mean square of each column of (N, m), (m,); 1 for a field that is zero."""
    rms = values.square().mean(0).sqrt()
    return torch.where(rms > 0, rms, torch.ones_like(rms))


def _sizes(teacher: Teacher, points: Tensor) -> Tensor:
    """What each output is measured in, (m,): its own scale, or its standard deviation."""
    if isinstance(teacher, Field):
        return teacher.output_scale
    deviation = _values(teacher, points).std(0)
    return torch.where(deviation > 0, deviation, torch.ones_like(deviation))


def _slope(box: Box, teacher: Teacher, points: Tensor, sizes: Tensor) -> Tensor:
    """|grad u| in normalized coordinates, all outputs together, each in its size, (N,)."""
    gradient = gradients(box, teacher, points) / torch.from_numpy(box.scale)[:, None, None] / sizes
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
