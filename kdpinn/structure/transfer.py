"""A structure that was found on one problem, for another: which maps fit, and with which signs.

A map fits if it takes the new domain, and the places of every condition, onto themselves, and if
the equation and the conditions cannot tell a field from its image: for a field v with
v(g x) = c v(x), whatever else it is, the residuals at x and at g x have the same size. That, on a
random network with the symmetry, also decides the characters c, where the fields are others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from kdpinn.field import Field
from kdpinn.geometry import Box, FloatArray
from kdpinn.places import Place, Points
from kdpinn.problems.condition import Condition
from kdpinn.problems.problem import Problem
from kdpinn.sampling import interior, on_places
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.relation import Structure
from kdpinn.structure.tied import tied_like
from kdpinn.teacher import new_field

PROBES = 40
AGREEMENT = 1e-8
"""Largest difference of the residuals' sizes, by the largest one."""


def transferred(structure: Structure, problem: Problem, *, partly: bool = False) -> Group:
    """The structure's group on another problem's coordinates and fields.

    Maps are carried over by the names of the coordinates, as they move the box scaled to [-1, 1].

    Args:
        partly: drop generators that do not fit, rather than refuse the structure.
    Raises:
        ValueError: a generator does not fit, and why; with `partly`: none fits.
    """
    kept, reasons = [], []
    for generator in structure.group.generators:
        try:
            kept.append(_fitted(generator, structure, problem))
        except ValueError as error:
            text = generator.describe(structure.domain.names, structure.outputs)
            reasons.append(f"{text}: {error}")
    if reasons and not (partly and kept):
        hint = "" if partly or not kept else " --partly keeps the generators that fit."
        raise ValueError(
            f"The structure does not fit problem '{problem.name}'. {' '.join(reasons)}{hint}"
        )
    return Group.generated_by(kept)


def _fitted(generator: InputMap, structure: Structure, problem: Problem) -> InputMap:
    """The generator on the problem's domain, with characters that its equation allows."""
    moved = carried(generator, structure.domain, problem.domain, len(problem.fields))
    reason = moved.preserves(problem.domain)
    if reason is not None:
        raise ValueError(f"{reason}.")
    known = structure.outputs == problem.fields
    own = [tuple(generator.characters)] if known else []
    others = itertools.product((1.0, -1.0), repeat=len(problem.fields))
    reasons: dict[tuple[float, ...], str] = {}
    for characters in dict.fromkeys([*own, *others]):
        candidate = replace(moved, characters=np.array(characters))
        reason = told_apart(problem, candidate)
        if reason is None:
            return candidate
        reasons[characters] = reason
    raise ValueError(f"{next(iter(reasons.values()))}, with any signs of the fields.")


def carried(generator: InputMap, source: Box, target: Box, outputs: int) -> InputMap:
    """The map on another box, by the names of the coordinates; all characters 1.

    Raises:
        ValueError: it moves a coordinate that the other box does not have.
    """
    scaled = source.scale[:, None] * generator.matrix / source.scale
    matrix = np.eye(target.dim)
    identity = np.eye(source.dim)
    for i, name in enumerate(source.names):
        if np.array_equal(scaled[i], identity[i]) and np.array_equal(scaled[:, i], identity[i]):
            continue
        if name not in target.names:
            raise ValueError(f"it moves '{name}', which the problem does not have.")
        row = target.index(name)
        for j, other in enumerate(source.names):
            if other in target.names:
                matrix[row, target.index(other)] = scaled[i, j]
    matrix = matrix * target.scale / target.scale[:, None]
    return InputMap.about(target.shift, np.round(matrix, 12) + 0.0, np.ones(outputs))


def told_apart(problem: Problem, g: InputMap) -> str | None:
    """What tells a field from its image under g: a condition's place, or a residual's size.

    None: nothing does. Given points, such as samples, are not asked: they are what is known, not
    where the problem lives.
    """
    try:
        field = _random_field(problem, g)
    except ValueError as error:
        return str(error)
    inside = interior(problem.domain, PROBES, seed=1).numpy()
    if problem.residual is not None and _differ(problem, field, g, inside, None):
        return "the equation differs at a point and its image"
    for condition in problem.conditions:
        places = [place for place in condition.on if not isinstance(place, Points)]
        for place in places:
            x = on_places(problem.domain, [place], PROBES, seed=2).numpy()
            if not _on_any(problem.domain, places, g(x)):
                return f"condition '{condition.name}' holds at a place, but not at its image"
            if _differ(problem, field, g, x, condition):
                return f"condition '{condition.name}' differs at a point and its image"
    return None


def _random_field(problem: Problem, g: InputMap) -> Field:
    """A network with the symmetry and no other."""
    group = Group.generated_by([g])
    generator = torch.Generator().manual_seed(0)
    plain = new_field(problem, (4 * group.order,), "tanh", 0)
    field = tied_like(plain, group, problem.domain, generator)
    noise = torch.randn(len(field.theta), generator=generator, dtype=torch.float64)
    unknowns = torch.zeros(len(field.unknown), dtype=torch.float64)
    noise[len(noise) - len(unknowns) :] = unknowns
    return field.with_theta(field.theta + 0.5 * noise)


def _differ(
    problem: Problem, field: Field, g: InputMap, x: FloatArray, condition: Condition | None
) -> bool:
    here, there = (_sizes(problem, field, points, condition) for points in (x, g(x)))
    return bool(np.abs(here - there).max() > AGREEMENT * max(float(np.abs(here).max()), 1e-12))


def _sizes(
    problem: Problem, field: Field, x: FloatArray, condition: Condition | None
) -> FloatArray:
    """Sum of squares of the residuals at points (N, d), (N,)."""
    points, spec = torch.from_numpy(x), problem.spec(condition)
    data = {name: torch.from_numpy(v) for name, v in problem.data_at(x, condition).items()}
    with torch.no_grad():
        jet = problem.jet(points, field.jets(points, spec), spec, data)
        residuals = problem.residuals(jet, condition).values()
        squares = sum(torch.as_tensor(r).square() for r in residuals)
    return np.asarray(squares.numpy())  # type: ignore[union-attr]


def _on_any(domain: Box, places: Sequence[Place], x: FloatArray) -> bool:
    """Whether every point (N, d) lies on one of the places."""
    distance = np.full(len(x), np.inf)
    for place in places:
        distance = np.minimum(distance, np.max(list(_distances(domain, place, x)), axis=0))
    return bool(distance.max() <= 1e-9)


def _distances(domain: Box, place: Place, x: FloatArray) -> Iterator[FloatArray]:
    """How far points are from a place, relative to the domain, per number that it fixes."""
    if isinstance(place, Points):
        yield np.full(len(x), np.inf)
    elif isinstance(place, dict):
        for name, value in place.items():
            column = domain.index(name)
            yield np.abs(x[:, column] - value) * domain.scale[column]
    else:
        columns = domain.columns(x)
        offsets = [columns[n] - c for n, c in zip(place.names, place.center, strict=True)]  # type: ignore[union-attr]
        yield np.abs(np.hypot(*offsets) / place.radius - 1)  # type: ignore[union-attr]
