"""Initial, boundary and other conditions: on faces of the domain, on rims, at given points."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TypeAlias

from kdpinn.places import Disk, Place, Points
from kdpinn.problems.field_jet import Value
from kdpinn.problems.names import check_name
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.tables import Data

Residual: TypeAlias = Callable[[PointJet], Value]


@dataclass(frozen=True)
class Condition:
    """A residual that vanishes somewhere, e.g. `Condition("rest", on=[{"t": 0}], residual=...)`.

    Args:
        name: an identifier; names the term in losses and messages.
        on: faces as fixed coordinates: `[{"x": -1.0}, {"x": 1.0}]`; two fixed coordinates make an
            edge or a corner. A `Disk` among the holes of the domain stands for its rim, `Points`
            for themselves.
        residual: `lambda j: j.u.t` or `lambda j: j.u.x - j.flux`; returns a value or a dict of
            values, as the equation of a problem does.
        data: names for `j`, each a number, a numpy function of coordinates and parameters, or,
            where `on` is one `Points`, an array with a value for each.
        weight: of the mean square of this residual, relative to the equation's 1.
    Raises:
        ValueError: naming the condition and what is wrong with it.
    """

    name: str
    _: KW_ONLY
    on: Sequence[Place]
    residual: Residual
    data: Mapping[str, Data] = field(default_factory=dict)
    weight: float = 100.0

    def __post_init__(self) -> None:
        check_name("`Condition`", "condition", self.name)
        if isinstance(self.on, Mapping) or not all(
            isinstance(place, (Mapping, Disk, Points)) for place in self.on
        ):
            raise ValueError(
                f'{self.owner}: `on` is a list of faces such as [{{"x": -1.0}}], got {self.on!r}.'
            )
        if not self.on:
            raise ValueError(f'{self.owner}: `on` needs at least one face, e.g. [{{"x": -1.0}}].')
        if not callable(self.residual):
            raise ValueError(
                f"{self.owner}: `residual` must be a function of `j`, got {self.residual!r}."
            )
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise ValueError(f"{self.owner}: `weight` must be finite and > 0, got {self.weight}.")
        object.__setattr__(
            self, "on", tuple(dict(p) if isinstance(p, Mapping) else p for p in self.on)
        )
        object.__setattr__(self, "data", dict(self.data))

    @property
    def owner(self) -> str:
        """The condition as messages name it."""
        return f"Condition '{self.name}'"


@dataclass(frozen=True)
class DirichletResidual:
    """field - target for each of `fields`; the target of `u` is the datum `u_target`."""

    fields: tuple[str, ...]

    def __call__(self, j: PointJet) -> dict[str, Value]:
        """Field name -> difference, (N,)."""
        return {name: getattr(j, name) - getattr(j, target_name(name)) for name in self.fields}


def dirichlet(
    name: str, *, on: Sequence[Place], weight: float = 100.0, **values: Data
) -> Condition:
    """Given values: `dirichlet("walls", on=[{"x": 0}, {"x": 1}], u=0.0)`.

    Measurements too: `dirichlet("sensors", on=[Points(x)], u=values)`.

    Args:
        name, on, weight: as in `Condition`.
        values: field=number, or field=numpy function of coordinates and parameters by keyword,
            `u=lambda x: -np.sin(np.pi * x)`; at given points also field=array (n,).
    Raises:
        ValueError: no field is given.
    """
    if not values:
        raise ValueError(f"`dirichlet('{name}', ...)` needs a value for a field, e.g. `u=0.0`.")
    data = {target_name(k): v for k, v in values.items()}
    residual = DirichletResidual(tuple(values))
    return Condition(name, on=on, residual=residual, data=data, weight=weight)


def target_name(name: str) -> str:
    """Name of the datum that holds a field's prescribed value."""
    return f"{name}_target"
