"""Input features and exact conditions, traced from Python into programs that travel in the file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import sympy

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.point_jet import PointJet
from kdpinn_runtime.format import CoordinateMap, Operation

Features: TypeAlias = Callable[[PointJet], Sequence[Any]]
"""`lambda c: (cos(pi * c.x), sin(pi * c.x), c.t)`: what the network sees."""
Exact: TypeAlias = Callable[[PointJet], Mapping[str, tuple[Any, Any]]]
"""`lambda c: {"u": (base, factor)}`: field = base + factor * output of the network."""

RANGE_POINTS = 65
"""Points per coordinate at which the ranges of features are read off."""


def trace_features(
    owner: str, features: Features, domain: Box, parameters: Mapping[str, float]
) -> CoordinateMap:
    """The program of the input features.

    Raises:
        ValueError: they are no functions of the coordinates, or not of the kinds a file can hold.
    """
    results = features(_symbols(domain, parameters))
    if isinstance(results, (str, Mapping)) or not isinstance(results, Sequence) or not results:
        raise ValueError(
            f"{owner}: `features` returns a tuple of functions of the coordinates, such as "
            f"`(cos(pi * c.x), sin(pi * c.x), c.t)`, got {results!r}."
        )
    return _program(f"{owner}, `features`", list(results), domain)


def trace_exact(
    owner: str,
    exact: Exact,
    fields: Sequence[str],
    domain: Box,
    parameters: Mapping[str, float],
) -> CoordinateMap:
    """The program of base_1..base_m, factor_1..factor_m; a field that is not named is left alone.

    Raises:
        ValueError: an unknown field, no pair, or functions that a file cannot hold.
    """
    pairs = exact(_symbols(domain, parameters))
    if not isinstance(pairs, Mapping) or not set(pairs) <= set(fields):
        raise ValueError(
            f"{owner}: `exact` returns a dict of field -> (base, factor) with fields out of "
            f"{', '.join(fields)}, got {pairs!r}."
        )
    for name, pair in pairs.items():
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise ValueError(
                f"{owner}: `exact` has (base, factor) for a field, '{name}': {pair!r}."
            )
    both = [pairs.get(name, (0.0, 1.0)) for name in fields]
    values = [base for base, _ in both] + [factor for _, factor in both]
    return _program(f"{owner}, `exact`", values, domain)


def feature_bounds(features: CoordinateMap, domain: Box) -> tuple[FloatArray, FloatArray]:
    """Least and greatest value of each feature in the domain, (F,) each, on a grid."""
    per_axis = max(3, min(RANGE_POINTS, int(1e6 ** (1 / domain.dim))))
    values = features(domain.grid((per_axis,) * domain.dim))
    lower, upper = values.min(axis=0), values.max(axis=0)
    flat = np.flatnonzero(~(upper > lower))
    if flat.size:
        raise ValueError(f"Feature {flat[0]} is the constant {lower[flat[0]]:g} in {domain!r}.")
    return lower, upper


def _symbols(domain: Box, parameters: Mapping[str, float]) -> PointJet:
    symbols = {name: sympy.Symbol(name, real=True) for name in domain.names}
    return PointJet({}, {**symbols, **parameters})


def _program(owner: str, values: Sequence[Any], domain: Box) -> CoordinateMap:
    builder = _Builder(owner, domain.names)
    results = tuple(builder.add(sympy.sympify(value)) for value in values)
    return CoordinateMap(tuple(builder.operations), results)


class _Builder:
    """Writes expressions as operations, each different value once."""

    def __init__(self, owner: str, names: Sequence[str]) -> None:
        self.owner = owner
        self.columns = {name: i for i, name in enumerate(names)}
        self.operations: dict[Operation, int] = {}

    def add(self, e: sympy.Expr) -> int:
        """Index of the operation whose value is the expression."""
        if e.is_number:
            if not (e.is_real and e.is_finite):
                raise ValueError(f"{self.owner} has the number {e}, expected a finite one.")
            return self.put(Operation("constant", value=float(e)))
        if isinstance(e, sympy.Symbol) and e.name in self.columns:
            return self.put(Operation("coordinate", a=self.columns[e.name]))
        if isinstance(e, (sympy.Add, sympy.Mul)):
            kind = "add" if isinstance(e, sympy.Add) else "multiply"
            # A number comes last, so that a scaled coordinate is one product.
            first, *rest = sorted(e.args, key=lambda a: bool(a.is_number))
            index = self.add(first)
            for other in rest:
                index = self.put(Operation(kind, a=index, b=self.add(other)))
            return index
        if isinstance(e, sympy.Pow) and e.exp.is_Integer:
            return self.power(self.add(e.base), int(e.exp))
        if isinstance(e, sympy.cos):
            return self.add(sympy.sin(e.args[0] + math.pi / 2, evaluate=False))
        if isinstance(e, (sympy.sin, sympy.exp, sympy.tanh)):
            return self.put(Operation(type(e).__name__, a=self.add(e.args[0])))
        raise ValueError(
            f"{self.owner}: {e} is not made of sums, products, whole powers, sin, cos, exp and "
            f"tanh of {', '.join(self.columns)}."
        )

    def power(self, base: int, exponent: int) -> int:
        """base ** exponent by repeated squaring."""
        if exponent < 0:
            return self.put(Operation("reciprocal", a=self.power(base, -exponent)))
        if exponent == 1:
            return base
        half = self.power(base, exponent // 2)
        square = self.put(Operation("multiply", a=half, b=half))
        return square if exponent % 2 == 0 else self.put(Operation("multiply", a=square, b=base))

    def put(self, operation: Operation) -> int:
        """Index of the operation; a new one if it is not there yet."""
        return self.operations.setdefault(operation, len(self.operations))
