"""What must hold for a `Problem`: names, numbers, places, and functions that run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from kdpinn.geometry import Box
from kdpinn.places import Disk, Place, Points
from kdpinn.problems.names import check_names, derivative_names
from kdpinn.problems.samples import Samples
from kdpinn.problems.tables import check_signature

if TYPE_CHECKING:
    from kdpinn.problems.problem import Problem


def check_problem(problem: Problem) -> None:
    """Raise ValueError or AttributeError, naming the problem, unless it can be trained."""
    _check_names(problem)
    _check_values(problem)
    _check_places(problem)
    _check_functions(problem)


def _check_names(problem: Problem) -> None:
    if not problem.fields:
        raise ValueError(f"{problem.owner} needs at least one field, e.g. `fields=('u',)`.")
    kinds = {
        "coordinate": problem.coordinates,
        "field": problem.fields,
        "parameter": problem.parameters,
        "source": problem.sources,
    }
    check_names(problem.owner, {"problem": [problem.name]})
    check_names(problem.owner, {"condition": [c.name for c in problem.conditions]})
    check_names(problem.owner, kinds)
    for condition in problem.conditions:
        check_names(f"{problem.owner}, {condition.owner}", {**kinds, "datum": condition.data})
    derivative_names(problem.coordinates)
    for name in problem.units:
        if name not in problem.fields and name not in problem.parameters:
            raise ValueError(
                f"{problem.owner}: `units` has '{name}', which is no field or parameter. "
                "Units of coordinates belong to the `Box`."
            )


def _check_values(problem: Problem) -> None:
    for name in problem.unknown:
        if not problem.parameters.get(name):
            raise ValueError(
                f"{problem.owner}: the unknown '{name}' needs a first value other than 0 among "
                f"`parameters`, got {problem.parameters.get(name)}."
            )
    for name, value in problem.parameters.items():
        if not math.isfinite(value):
            raise ValueError(f"{problem.owner}: parameter '{name}' must be finite, got {value}.")
    if len(problem.grid) != problem.domain.dim or any(n < 2 for n in problem.grid):
        raise ValueError(
            f"{problem.owner}: `grid` needs a number of points >= 2 for each of "
            f"{', '.join(problem.coordinates)}, got {problem.grid}."
        )
    for name, positions in problem.positions.items():
        index = problem.domain.index(name)
        if len(positions) != problem.grid[index]:
            raise ValueError(
                f"{problem.owner}: `grid` has {problem.grid[index]} points along '{name}', "
                f"`positions` has {len(positions)}."
            )
    try:
        problem.domain.axes(problem.ticks)
    except ValueError as error:
        raise ValueError(f"{problem.owner}, `positions`: {error}") from None


def _check_places(problem: Problem) -> None:
    for condition in problem.conditions:
        for place in condition.on:
            try:
                _check_place(problem.domain, place)
            except ValueError as error:
                raise ValueError(f"{problem.owner}, {condition.owner}: {error}") from None


def _check_place(domain: Box, place: Place) -> None:
    if isinstance(place, Disk):
        domain.check_hole(place)
    elif isinstance(place, Points):
        domain.columns(place.x)
        outside = int(np.sum(~domain.contains(place.x)))
        if outside:
            raise ValueError(f"{outside} of {place} lie outside {domain!r}.")
    else:
        domain.check_face(place)


def _check_functions(problem: Problem) -> None:
    if problem.residual is None and problem.reference is None:
        raise ValueError(f"{problem.owner} needs a `residual`, or a `reference` to learn.")
    problem.maps()
    if problem.residual is not None:
        problem.spec()
    for condition in problem.conditions:
        problem.spec(condition)
    if isinstance(problem.reference, Samples):
        problem.reference.check(problem.owner, problem.domain, problem.fields)
    elif problem.reference is not None:
        names = {**dict.fromkeys(problem.coordinates), **problem.parameters}
        check_signature(f"{problem.owner}, `reference`", problem.reference, names)
