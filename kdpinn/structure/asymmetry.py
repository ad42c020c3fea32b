"""Where a function breaks a symmetry: |u(g x) - c(g) u(x)| over a plane of the domain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kdpinn.metrics import Axis
from kdpinn.structure.fits import Array
from kdpinn.structure.group import InputMap
from kdpinn.structure.subject import Subject

POINTS = {1: 401, 2: 121}
ASIDE = 0.31
"""Share of its range at which a coordinate stays that is not drawn: not the middle, where maps of
it could not be seen."""


@dataclass(frozen=True, eq=False)
class Plane:
    """A grid over one or two coordinates of a domain, the others fixed.

    Attributes:
        axes: one or two.
        points: (N, d), the first axis outermost.
        inside: (N,), whether they belong to the domain.
        fixed: coordinate -> value.
    """

    axes: tuple[Axis, ...]
    points: Array
    inside: np.ndarray
    fixed: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Asymmetry:
    """How much functions break one map.

    Attributes:
        map: on physical coordinates.
        plane: where.
        values: name of the function -> on the plane's axes; the largest of the fields, each over
            its standard deviation; NaN outside of the domain.
    """

    map: InputMap
    plane: Plane
    values: Mapping[str, Array]


def plane_of(subject: Subject, g: InputMap) -> Plane:
    """The plane of the coordinates that the map moves, filled up with the first others."""
    domain = subject.domain
    moved = [
        i
        for i in range(domain.dim)
        if g.offset[i] != 0 or (g.matrix[i] != np.eye(domain.dim)[i]).any()
    ]
    others = [i for i in range(domain.dim) if i not in moved and i not in subject.fixed]
    chosen = sorted([*moved, *others, *subject.fixed][:2])
    fixed = {}
    columns = []
    for i, name in enumerate(domain.names):
        lower, upper = domain.bounds(name)
        if i in chosen:
            columns.append(np.linspace(lower, upper, POINTS[len(chosen)]))
            continue
        value = lower + ASIDE * (upper - lower)
        if name in subject.ticks:
            value = min(subject.ticks[name], key=lambda tick: abs(tick - value))
        fixed[name] = float(value)
        columns.append(np.array([value]))
    points = np.stack([c.ravel() for c in np.meshgrid(*columns, indexing="ij")], axis=1)
    axes = tuple(
        Axis(name=domain.names[i], unit=domain.unit(domain.names[i]), positions=columns[i])
        for i in chosen
    )
    return Plane(axes, points, np.asarray(domain.contains(points)), fixed)


def asymmetry(
    subject: Subject,
    g: InputMap,
    functions: Mapping[str, Callable[[Array], Array]],
    spread: Array,
) -> Asymmetry:
    """Evaluate each function at the plane's points and at their images.

    Args:
        g: on physical coordinates, preserving the domain.
        functions: name -> physical points (N, d) to fields (N, m).
        spread: (m,), standard deviations of the fields.
    """
    plane = plane_of(subject, g)
    here = plane.points[plane.inside]
    low, high = subject.domain.lower, subject.domain.upper
    there = np.clip(g(here), low, high)
    shape = tuple(axis.positions.size for axis in plane.axes)
    values = {}
    for name, function in functions.items():
        missed = np.abs(function(there) - g.characters * function(here)) / spread
        full = np.full(len(plane.points), np.nan)
        full[plane.inside] = missed.max(axis=1)
        values[name] = full.reshape(shape)
    return Asymmetry(g, plane, values)


def asymmetries(
    subject: Subject,
    maps: Sequence[InputMap],
    functions: Mapping[str, Callable[[Array], Array]],
    spread: Array,
) -> tuple[Asymmetry, ...]:
    """`asymmetry` of each map, in their order."""
    return tuple(asymmetry(subject, g, functions, spread) for g in maps)
