"""What is trained: problems, networks and points, the same for everybody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdpinn.field import Field
from kdpinn.losses import Term
from kdpinn.physics import collocation, condition_terms, equation_term
from kdpinn.problems import Problem, load_problem
from kdpinn.problems.condition import DirichletResidual, target_name
from kdpinn.problems.field_jet import Derivative, FieldJet, Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.teacher import new_field

Array = NDArray[np.float64]
Derivatives = Mapping[str, tuple[Value, Derivative]]


@dataclass(frozen=True)
class Given:
    """Values of some fields at points: targets (n, k) of the fields numbered `fields` (k,)."""

    name: str
    points: Array
    fields: tuple[int, ...]
    targets: Array
    weight: float


@dataclass(frozen=True, kw_only=True)
class Case:
    """A problem, a network, numbers of points.

    f = mean over the points of the sum over the equations of r^2, plus for each condition its
    weight times the mean over its points of the sum over its fields of the squared misfit.

    Attributes:
        problem: a shipped problem whose conditions are all given values.
        hidden: widths.
        points: of the equation.
        condition_points: for each condition that is not given at points of its own.
    """

    problem: str
    hidden: tuple[int, ...]
    points: int
    condition_points: int = 250

    @property
    def name(self) -> str:
        """burgers/2-20x4-1/2500."""
        sizes = self.field.network.sizes
        middle = f"{self.hidden[0]}x{len(self.hidden)}"
        return f"{self.problem}/{sizes[0]}-{middle}-{sizes[-1]}/{self.points}"

    @cached_property
    def pde(self) -> Problem:
        """The problem, with neither features nor exact conditions: not all could have them."""
        return load_problem(self.problem).replace(features=None, exact=None)

    @cached_property
    def field(self) -> Field:
        """The network at the parameters that all are compared at.

        It sees the coordinates as they are: the other libraries do not normalize them, and so the
        parameters mean the same everywhere.
        """
        field = new_field(self.pde, self.hidden, "tanh", 0)
        plain = torch.zeros_like(field.input_shift)
        return replace(field, input_shift=plain, input_scale=plain + 1)

    @cached_property
    def terms(self) -> list[Term]:
        """Our own form of it."""
        points = collocation(self.pde, self.points, 0)
        return [equation_term(self.pde, points), *condition_terms(self.pde, self.each, 1)]

    @property
    def each(self) -> int:
        """Points of a face: the conditions' points are shared by their faces."""
        return max(
            1, self.condition_points // max((len(c.on) for c in self.pde.conditions), default=1)
        )

    @property
    def interior(self) -> Array:
        """Points of the equation, (N, d)."""
        return np.asarray(self.terms[0].points.numpy())

    @cached_property
    def given(self) -> list[Given]:
        """The conditions. Raises ValueError for one that is not made of given values."""
        return [self._given(term) for term in self.terms[1:]]

    def _given(self, term: Term) -> Given:
        condition = self.pde.condition(term.name)
        if not isinstance(condition.residual, DirichletResidual):
            raise ValueError(f"{self.problem}: condition '{term.name}' does not give values.")
        names, points = condition.residual.fields, np.asarray(term.points.numpy())
        data = self.pde.data_at(points, condition)
        return Given(
            name=term.name,
            points=points,
            fields=tuple(self.pde.fields.index(name) for name in names),
            targets=np.stack([data[target_name(name)] for name in names], axis=1),
            weight=condition.weight,
        )

    def residuals(
        self, x: Tensor, sources: Mapping[str, Value], fields: Derivatives
    ) -> list[Value]:
        """The problem's own equations on another library's values and derivatives.

        Args:
            x: (N, d).
            sources: name -> (N,) at the points.
            fields: name -> (value (N,), sorted coordinate numbers -> that derivative (N,)).
        """
        names = self.pde.coordinates
        jets = {
            name: FieldJet(name, value, names, derivative)
            for name, (value, derivative) in fields.items()
        }
        others = dict(zip(names, x.unbind(1), strict=True))
        jet = PointJet(jets, {**others, **self.pde.parameters, **sources})
        return list(self.pde.residuals(jet).values())


CASES = (
    Case(problem="burgers", hidden=(20,) * 4, points=2500),
    Case(problem="burgers", hidden=(50,) * 4, points=10_000),
    Case(problem="navier_stokes", hidden=(50,) * 4, points=10_000),
    Case(problem="cylinder_flow", hidden=(50,) * 4, points=10_000),
)
