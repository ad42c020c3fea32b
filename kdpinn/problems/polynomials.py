"""Equations and conditions of a problem as polynomials at points, where they are such."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from kdpinn.jets import JetSpec
from kdpinn.polynomial import Column, Factor, Jet, Polynomial, Product, Unknown
from kdpinn.problems.condition import Condition
from kdpinn.problems.problem import Problem
from kdpinn.problems.trace import SumOfProducts, trace
from kdpinn_runtime import format as stored


def polynomial_of(
    problem: Problem,
    points: Tensor,
    spec: JetSpec,
    data: Mapping[str, Tensor],
    condition: Condition | None = None,
) -> Polynomial | None:
    """The problem's equations, or a condition's, at points (N, d); None where they are no such sum.

    Args:
        spec: `problem.spec(condition)`.
        data: sources and the condition's data at the points, name -> (N,).
    """
    traced = _traced(problem, condition)
    if traced is None:
        return None
    translated = _Translation(problem, spec, traced)
    equations = tuple(
        tuple(translated.product(term) for term in equation.terms) for equation in traced.equations
    )
    columns = [_column(key, points, data) for key in translated.columns]
    return Polynomial(
        equations, torch.stack(columns) if columns else points.new_zeros(0, len(points))
    )


class _Key(NamedTuple):
    """A column: coordinate number, or name of the data."""

    coordinate: int
    name: str = ""


def _column(key: _Key, points: Tensor, data: Mapping[str, Tensor]) -> Tensor:
    return data[key.name] if key.name else points[:, key.coordinate]


class _Translation:
    """From the factors of a file to those of a polynomial; `columns` grows as they are met."""

    def __init__(self, problem: Problem, spec: JetSpec, traced: SumOfProducts) -> None:
        self.problem, self.spec, self.traced = problem, spec, traced
        self.columns: dict[_Key, int] = {}

    def product(self, term: stored.Term) -> Product:
        """The term with its known parameters multiplied in."""
        coefficient, factors = term.coefficient, list[Factor]()
        for factor in term.factors:
            name = self.traced.parameters[factor.a] if factor.kind == "parameter" else ""
            if name and name not in self.problem.unknown:
                coefficient *= self.problem.parameters[name]
            else:
                factors.append(self._factor(factor))
        return Product(coefficient, tuple(factors))

    def _factor(self, factor: stored.Factor) -> Factor:
        if factor.kind == "parameter":
            name = self.traced.parameters[factor.a]
            number = self.problem.unknown.index(name)
            return Unknown(number, self.problem.parameters[name])
        if factor.kind == "coordinate":
            return self._column_of(_Key(factor.a))
        if factor.kind == "data":
            return self._column_of(_Key(-1, self.traced.data[factor.a]))
        if factor.kind == "second":
            pair = self.spec.pair_index(*self.traced.pairs[factor.b])
            return Jet(1 + self.spec.d + pair, factor.a)
        return Jet(1 + factor.b if factor.kind == "first" else 0, factor.a)

    def _column_of(self, key: _Key) -> Column:
        return Column(self.columns.setdefault(key, len(self.columns)))


# id of a problem -> condition's name -> its traced form. Tracing takes tens of milliseconds, and a
# training makes a term for every draw of points; a problem cannot be hashed, but referred to.
_known: dict[int, dict[str, SumOfProducts | None]] = {}


def _traced(problem: Problem, condition: Condition | None) -> SumOfProducts | None:
    """The traced form, from memory; None also where a parameter to be found was folded into it."""
    if id(problem) not in _known:
        _known[id(problem)] = {}
        weakref.finalize(problem, _known.pop, id(problem), None)
    forms = _known[id(problem)]
    name = condition.name if condition else ""
    if name not in forms:
        traced = trace(problem, condition)[0]
        unfit = traced is None or set(traced.folded) & set(problem.unknown)
        forms[name] = None if unfit else traced
    return forms[name]
