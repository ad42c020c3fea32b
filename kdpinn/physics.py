"""A problem's equation and conditions as terms of a least-squares objective."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypedDict

import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.geometry import Box, FloatArray
from kdpinn.jets import JetSpec
from kdpinn.losses import Residual, Term
from kdpinn.methods.horizon import reached
from kdpinn.polynomial import Polynomial, jets_less
from kdpinn.problems.condition import Condition
from kdpinn.problems.polynomials import polynomial_of
from kdpinn.problems.problem import Problem
from kdpinn.problems.samples import Samples
from kdpinn.sampling import interior, on_places, residual_adaptive

EQUATION_TERM = "equation"
DATA_TERM = "reference"


def equation_term(
    problem: Problem, points: Tensor, weight: float = 1.0, importance: Tensor | None = None
) -> Term:
    """Mean square of the equation at points (N, d); of the misfit to the reference without one."""
    if problem.residual is None:
        return _reference_term(problem, points, weight, importance)
    spec = problem.spec()
    return Term(
        name=EQUATION_TERM,
        points=points,
        spec=spec,
        weight=weight,
        importance=importance,
        **_residual(problem, points, spec, None),
    )


def condition_terms(
    problem: Problem, points_per_face: int, seed: int, box: Box | None = None
) -> list[Term]:
    """One term per condition, with its own weight, on points that cover its faces.

    Args:
        box: the part of the domain's time that counts; a condition beyond it has no term.
    """
    box = problem.domain if box is None else box
    terms: list[Term] = []
    for k, condition in enumerate(problem.conditions):
        places = reached(condition.on, box)
        if not places:
            continue
        points = on_places(box, places, points_per_face * len(places), seed=seed + 1000 * k)
        spec = problem.spec(condition)
        terms.append(
            Term(
                name=condition.name,
                points=points,
                spec=spec,
                weight=condition.weight,
                **_residual(problem, points, spec, condition),
            )
        )
    return terms


def residual_magnitude(problem: Problem, field: Field) -> Callable[[Tensor], Tensor]:
    """|r| of the equation as a function of points (n, d) -> (n,), over all equations."""

    def magnitude(points: Tensor) -> Tensor:
        term = equation_term(problem, points)
        with torch.no_grad():
            unknown = field.split(field.theta)[1]
            residual = term.residual(field.jets(points, term.spec), unknown)
        return residual.abs() if residual.dim() == 1 else residual.norm(dim=1)

    return magnitude


def adaptive_points(
    problem: Problem, field: Field, n: int, seed: int, box: Box | None = None
) -> Tensor:
    """Collocation points (n, d): half uniform, half where the field's residual is large.

    Args:
        box: the part of the domain that they fill; all of it if None.
    """
    if _only_samples(problem):
        return collocation(problem, n, seed)
    generator = torch.Generator().manual_seed(seed)
    magnitude = residual_magnitude(problem, field)
    return residual_adaptive(box or problem.domain, n, magnitude, generator=generator)


def collocation(problem: Problem, n: int, seed: int, box: Box | None = None) -> Tensor:
    """Points (n, d) that fill the domain; at most n sample points where those are all there is."""
    if not _only_samples(problem):
        return interior(box or problem.domain, n, seed=seed)
    points = torch.from_numpy(problem.evaluation_points())
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(seed))
    return points[order[:n]]


def _only_samples(problem: Problem) -> bool:
    """Whether a table of samples is all that is known of the solution."""
    return problem.residual is None and isinstance(problem.reference, Samples)


class _Parts(TypedDict):
    """Arguments of `Term`."""

    residual: Residual
    part: Callable[[Tensor], Residual]
    polynomial: Polynomial | None


def _residual(
    problem: Problem, points: Tensor, spec: JetSpec, condition: Condition | None
) -> _Parts:
    """Residuals at all points (N, d), at some of them, and, where they are such, as polynomials."""
    table = problem.data_at(points.numpy(), condition)
    data = {name: torch.from_numpy(values) for name, values in table.items()}

    def part(rows: Tensor) -> Residual:
        some = {name: values[rows] for name, values in data.items()}
        return _bound(problem, points[rows], some, spec, condition)

    return {
        "residual": _bound(problem, points, data, spec, condition),
        "part": part,
        "polynomial": polynomial_of(problem, points, spec, data, condition),
    }


def _bound(
    problem: Problem,
    points: Tensor,
    data: Mapping[str, Tensor],
    spec: JetSpec,
    condition: Condition | None,
) -> Residual:
    """Channels (K, N, m) and unknowns (q,) -> residuals (N,) or, for more equations, (N, k)."""
    names = problem.unknown

    def residual(channels: Tensor, unknown: Tensor) -> Tensor:
        # A student's field knows no unknowns, and once they are found the problem has none either.
        both = names and len(unknown)
        given = dict(zip(names, unknown.unbind(), strict=True)) if both else {}
        jet = problem.jet(points, _Columns(channels), spec, {**data, **given})
        values = list(problem.residuals(jet, condition).values())
        return values[0] if len(values) == 1 else torch.stack(values, 1)

    return residual


class _Columns:
    """Channels (K, N, m) that are cut into columns (N,) once.

    A residual reads columns, some of them several times. The reverse pass of each
    `channels[k, :, m]` would fill a whole array with zeros, that of one `unbind` joins the columns:
    half of the time outside the kernels for a small network.
    """

    def __init__(self, channels: Tensor) -> None:
        self.shape = channels.shape
        self._columns = channels.transpose(1, 2).flatten(0, 1).unbind(0)

    def __getitem__(self, index: tuple[int, slice, int]) -> Tensor:
        channel, _, output = index
        return self._columns[channel * self.shape[2] + output]


def _reference_term(
    problem: Problem, points: Tensor, weight: float, importance: Tensor | None
) -> Term:
    array: FloatArray = points.numpy()
    target = torch.from_numpy(problem.reference_at(array))
    misfit = jets_less([0], target[None], torch.ones_like(target)[None])
    return Term(
        name=DATA_TERM,
        points=points,
        spec=JetSpec(points.shape[1], 0),
        residual=misfit,
        weight=weight,
        importance=importance,
        part=misfit.take,
        polynomial=misfit,
    )
