"""Residuals of closed-form solutions in forty digits, with derivatives by sympy."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
import sympy as sp

from kdpinn.problems import PointJet, Problem

DIGITS = 40


def parameters(problem: Problem) -> dict[str, sp.Symbol]:
    """Symbols for the problem's parameters: a float in a residual would round their values."""
    return {name: sp.Symbol(name, positive=True) for name in problem.parameters}


def symbols(problem: Problem) -> list[sp.Symbol]:
    return [sp.Symbol(name, real=True) for name in problem.coordinates]


def residuals(problem: Problem, solution: Mapping[str, sp.Expr]) -> dict[str, sp.Expr]:
    """The equations with the solution put in."""
    names = problem.coordinates
    jets = {}
    for field, u in solution.items():
        values = {"": u}
        for c in names:
            values[c] = sp.diff(u, sp.Symbol(c, real=True))
        for a, b in itertools.combinations_with_replacement(names, 2):
            values[a + b] = sp.diff(values[a], sp.Symbol(b, real=True))
        jets[field] = values
    coordinates = dict(zip(names, symbols(problem), strict=True))
    return problem.residuals(
        PointJet.from_values(jets, coordinates=coordinates, others=parameters(problem))
    )


def at(problem: Problem, expression: sp.Expr, x: np.ndarray) -> np.ndarray:
    """Values at points (n, d) of float64, computed with forty digits."""
    known = {s: sp.Rational(problem.parameters[name]) for name, s in parameters(problem).items()}
    names = symbols(problem)
    rows = [dict(zip(names, map(sp.Rational, row), strict=True)) | known for row in x.tolist()]
    return np.array([float(expression.evalf(DIGITS, subs=row)) for row in rows])


def largest_residual(problem: Problem, solution: Mapping[str, sp.Expr], x: np.ndarray) -> float:
    """Over the equations and the points."""
    found = residuals(problem, solution).values()
    return max(float(abs(at(problem, r, x)).max()) for r in found)
