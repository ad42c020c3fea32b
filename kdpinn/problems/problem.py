"""A problem: domain, fields, equation, conditions, and a reference to be judged by."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from kdpinn.geometry import Box, FloatArray
from kdpinn.jets import JetSpec
from kdpinn.places import Disk, Place, Points
from kdpinn.problems.checks import check_problem
from kdpinn.problems.condition import Condition, Residual
from kdpinn.problems.coordinate_maps import Exact, Features, trace_exact, trace_features
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.record import equations, record
from kdpinn.problems.samples import Samples
from kdpinn.problems.tables import Data, call_by_name, checked, tabulate
from kdpinn.recipe import Recipe
from kdpinn_runtime.format import CoordinateMap

# Name of the equation where a residual returns a bare value, not a dict.
EQUATION = "pde"
DEFAULT_GRID_POINTS = 10_000


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A partial differential equation with its conditions and, if known, its solution.

    Checked as a whole when it is made: every function is called once, so a mistake is found before
    a training starts. See docs/problems.md for a complete example.

    Args:
        name: an identifier.
        title: one line for people; the name if empty.
        domain: the box of coordinates.
        fields: names of the unknowns, in the order of the network's outputs.
        residual: `lambda j: j.u.t + j.u * j.u.x - j.nu * j.u.xx`, or a function that returns a
            dict of equations; None if only the reference is to be learnt.
        conditions: initial and boundary conditions.
        parameters: name -> number, read in residuals as `j.nu`.
        sources: name -> numpy function of coordinates and parameters, read as `j.f`.
        reference: numpy function of coordinates and parameters, all float64 arrays (n,); returns
            an array, or a tuple with one array per field. Or `Samples`.
        features: `lambda c: (cos(pi * c.x), sin(pi * c.x), c.t)`, what the network sees in place
            of the coordinates; a field that sees only these is periodic in x. Made of sums,
            products, whole powers, sin, cos, exp and tanh; part of the model and of its file.
        exact: `lambda c: {"u": (base, factor)}`, u = base + factor * network, made of the same:
            conditions that hold whatever the network's parameters are.
        unknown: names of parameters that are found together with the solution; `parameters`
            holds their first values, whose signs they keep.
        truth: name -> true value of an unknown, where it is known; used for judging only.
        grid: points per coordinate of the evaluation grid, end points included; about 10,000 in
            all if empty.
        positions: name -> ascending positions of the grid along a coordinate, where they are not
            evenly spaced; as many as `grid` says.
        units: units of fields and parameters, "" where not given; the domain knows those of the
            coordinates.
        source: where the problem and its reference come from.
        recipes: sizes and budgets by preset.
    Raises:
        ValueError: naming the problem, what was expected, and what arrived.
        AttributeError: a residual reads a name or a derivative that does not exist.
    """

    name: str
    title: str = ""
    domain: Box
    fields: tuple[str, ...]
    residual: Residual | None = None
    conditions: tuple[Condition, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    sources: Mapping[str, Data] = field(default_factory=dict)
    reference: Callable[..., Any] | Samples | None = None
    features: Features | None = None
    exact: Exact | None = None
    unknown: tuple[str, ...] = ()
    truth: Mapping[str, float] = field(default_factory=dict)
    grid: tuple[int, ...] = ()
    positions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    recipes: Mapping[str, Recipe] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.fields, str):
            raise ValueError(f"{self.owner}: `fields` is a tuple, write ({self.fields!r},).")
        for key in ("parameters", "sources", "units", "recipes", "truth", "positions"):
            object.__setattr__(self, key, dict(getattr(self, key)))
        object.__setattr__(self, "title", self.title or self.name)
        object.__setattr__(self, "fields", tuple(self.fields))
        object.__setattr__(self, "conditions", tuple(self.conditions))
        object.__setattr__(self, "unknown", tuple(self.unknown))
        object.__setattr__(self, "grid", tuple(self.grid) or self._default_grid())
        check_problem(self)

    @property
    def owner(self) -> str:
        """The problem as messages name it."""
        return f"Problem '{self.name}'"

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the coordinates, in the order of the network's inputs."""
        return self.domain.names

    @property
    def equation_names(self) -> tuple[str, ...]:
        """Names of the equations of the residual, () if there is none."""
        return () if self.residual is None else self._record(None)[1]

    def unit(self, name: str) -> str:
        """Unit of a coordinate, field or parameter, "" if dimensionless."""
        return self.domain.unit(name) if name in self.coordinates else self.units.get(name, "")

    def condition(self, name: str) -> Condition:
        """The condition called `name`; ValueError if there is none."""
        for condition in self.conditions:
            if condition.name == name:
                return condition
        known = ", ".join(c.name for c in self.conditions) or "none"
        raise ValueError(f"{self.owner} has no condition '{name}'; it has {known}.")

    def spec(self, condition: Condition | None = None) -> JetSpec:
        """The derivatives that the equation (or the condition, if given) needs."""
        return self._record(condition)[0]

    def maps(self) -> tuple[CoordinateMap | None, CoordinateMap | None]:
        """The input features and the exact conditions as programs; None where there are none."""
        features = exact = None
        if self.features is not None:
            features = trace_features(self.owner, self.features, self.domain, self.parameters)
        if self.exact is not None:
            exact = trace_exact(self.owner, self.exact, self.fields, self.domain, self.parameters)
        return features, exact

    def data_at(self, x: FloatArray, condition: Condition | None = None) -> dict[str, FloatArray]:
        """Sources, and the condition's data if one is given, at points (n, d): name -> (n,)."""
        values = {**self.domain.columns(x), **self.parameters}
        named = [(self.owner, self.sources)]
        if condition is not None:
            named.append((f"{self.owner}, {condition.owner}", condition.data))
        return {
            name: tabulate(f"{owner}, '{name}'", data, len(x), values)
            for owner, group in named
            for name, data in group.items()
        }

    def jet(
        self, x: Value, channels: Value, spec: JetSpec, data: Mapping[str, Value] | None = None
    ) -> PointJet:
        """The `j` of the residuals, from the channels of a network.

        Args:
            x: (N, d), tensor or array.
            channels: (K, N, m), of the same kind, with respect to the physical coordinates.
            spec: the channels' meaning.
            data: what `data_at` returned for the same points, of the same kind.
        """
        return PointJet.from_channels(
            channels,
            spec,
            fields=self.fields,
            coordinates={name: x[:, i] for i, name in enumerate(self.coordinates)},
            others={**self.parameters, **(data or {})},
        )

    def residuals(self, j: PointJet, condition: Condition | None = None) -> dict[str, Value]:
        """Equation name -> residual (N,), of the equation or of the condition, if given."""
        residual, default = self._residual(condition)
        return equations(self.owner, residual(j), default)

    @property
    def scattered(self) -> bool:
        """Whether the evaluation points are no whole grid: a table's, or one with holes."""
        return isinstance(self.reference, Samples) or bool(self.domain.holes)

    @property
    def ticks(self) -> tuple[int | tuple[float, ...], ...]:
        """The evaluation grid as `Box.grid` takes it: positions where they are given."""
        pairs = zip(self.coordinates, self.grid, strict=True)
        return tuple(self.positions.get(name, count) for name, count in pairs)

    def evaluation_points(self) -> FloatArray:
        """The evaluation grid, (n, d) float64, the last coordinate varying fastest.

        Where the reference is a table of samples: its points.
        """
        if isinstance(self.reference, Samples):
            return self.reference.points.copy()  # the table itself is read-only
        points = self.domain.grid(self.ticks)
        return points[self.domain.contains(points)] if self.domain.holes else points

    def reference_at(self, x: FloatArray) -> FloatArray:
        """The reference solution at points (n, d), (n, m), at the parameters and the truth.

        Raises:
            ValueError: there is no reference, or it returns another number or shape of arrays.
        """
        if self.reference is None:
            raise ValueError(f"{self.owner} has no `reference`: give one, or skip the comparison.")
        if isinstance(self.reference, Samples):
            return self.reference.at(x)
        values = {**self.domain.columns(x), **self.parameters, **self.truth}
        owner = f"{self.owner}, `reference`"
        result = call_by_name(owner, self.reference, values)
        columns = result if isinstance(result, tuple) else (result,)
        if len(columns) != len(self.fields):
            raise ValueError(
                f"{owner}: expected an array for each of {', '.join(self.fields)}, "
                f"got {len(columns)}."
            )
        return np.stack([checked(owner, c, len(x)) for c in columns], axis=1)

    def replace(self, *, parameters: Mapping[str, float] | None = None, **changes: Any) -> Problem:
        """A changed copy; `parameters` are merged into the present ones.

        Raises:
            ValueError: a parameter that the problem does not have.
        """
        for name in parameters or {}:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise ValueError(f"{self.owner} has no parameter '{name}'; it has {known}.")
        merged = {**self.parameters, **(parameters or {})}
        return dataclasses.replace(self, parameters=merged, **changes)

    def with_found(self, found: Mapping[str, float]) -> Problem:
        """The problem with unknowns that a training found as known parameters."""
        return self.replace(parameters=found, unknown=()) if found else self

    def _residual(self, condition: Condition | None) -> tuple[Residual, str]:
        if condition is not None:
            return condition.residual, condition.name
        if self.residual is None:
            raise ValueError(f"{self.owner} has no `residual`: it can only learn its reference.")
        return self.residual, EQUATION

    def _record(self, condition: Condition | None) -> tuple[JetSpec, tuple[str, ...]]:
        residual, default = self._residual(condition)
        owner = self.owner if condition is None else f"{self.owner}, {condition.owner}"
        x = self._probe_points(condition)
        data = self.data_at(x, condition)
        return record(
            owner,
            residual,
            default,
            fields=self.fields,
            coordinates={k: torch.from_numpy(v) for k, v in self.domain.columns(x).items()},
            others={**self.parameters, **{k: torch.from_numpy(v) for k, v in data.items()}},
        )

    def _probe_points(self, condition: Condition | None) -> FloatArray:
        """Three points on the box's diagonal; for a condition, moved onto each of its places."""
        z = np.array([[0.25], [0.5], [0.75]])
        inside = self.domain.from_unit(np.repeat(z, self.domain.dim, axis=1))
        if condition is None:
            return inside
        return np.concatenate([self._moved(inside, place) for place in condition.on])

    def _moved(self, points: FloatArray, place: Place) -> FloatArray:
        if isinstance(place, Points):
            return place.x
        on = place.rim(np.arange(len(points)) / 3) if isinstance(place, Disk) else place
        moved = points.copy()
        for name, value in on.items():
            moved[:, self.domain.index(name)] = value
        return moved

    def _default_grid(self) -> tuple[int, ...]:
        n = math.floor(DEFAULT_GRID_POINTS ** (1.0 / self.domain.dim))
        return (min(max(n, 9), 1001),) * self.domain.dim
