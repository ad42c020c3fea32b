"""Trace a problem's equations with symbols into the sum of products that travels in the file."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy
import torch

from kdpinn.problems.condition import Condition
from kdpinn.problems.field_jet import FieldJet
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.sampling import sobol
from kdpinn_runtime.format import Equation, Factor, FactorKind, Term

# Caps of the file format, docs/format.md.
MAX_EQUATIONS, MAX_TERMS, MAX_FACTORS, MAX_DATA = 16, 256, 10, 16
CHECK_POINTS = 16
# Rounding of either form: expanding a power of a sum may add tens of roundings per term.
CHECK_ULPS = 256


@dataclass(frozen=True)
class TracedEquation:
    """name: residual = sum of the terms."""

    name: str
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class SumOfProducts:
    """The equations of a problem, each a sum of coefficient times factors.

    Attributes:
        equations: in the order of the residual.
        pairs: coordinate indices (i, j), i <= j, that factors of kind "second" index.
        parameters: names that factors of kind "parameter" index: those of the problem.
        data: names that factors of kind "data" index: the sources of the problem.
        folded: parameters whose values are part of the coefficients.
    """

    equations: tuple[TracedEquation, ...]
    pairs: tuple[tuple[int, int], ...]
    parameters: tuple[str, ...]
    data: tuple[str, ...]
    folded: tuple[str, ...] = ()

    def limited(self, limits: Mapping[str, float]) -> tuple[Equation, ...]:
        """The equations with their permitted RMS, by name, as a file takes them."""
        return tuple(
            Equation(name=e.name, terms=e.terms, limit=limits[e.name]) for e in self.equations
        )

    def evaluate(self, values: Mapping[Factor, Any]) -> dict[str, tuple[Any, Any]]:
        """Residual and sum of the terms' magnitudes, per equation, from the factors' values."""
        result: dict[str, tuple[Any, Any]] = {}
        for equation in self.equations:
            terms = [_product(term, values) for term in equation.terms]
            result[equation.name] = (sum(terms), sum(abs(t) for t in terms))
        return result


class _NoSumOfProducts(Exception):
    """Carries the reason."""


def trace(problem: Problem, condition: Condition | None = None) -> tuple[SumOfProducts | None, str]:
    """The problem's equations as sums of products, or None and the reason why they are none.

    Those of a condition, if one is given; factors of kind "data" then index its data, too.

    Parameters stay named factors, except those that enter otherwise than as a factor (1 / Re,
    sqrt(nu)): their value is folded into the coefficients, everywhere. The result is checked
    against the residual itself at random values before it is returned.
    """
    if problem.residual is None and condition is None:
        return None, f"{problem.owner} has no residual"
    factors = _Factors(problem, condition)
    try:
        traced = _traced(factors)
        _check_caps(traced)
        _check_values(traced, factors)
    except _NoSumOfProducts as reason:
        return None, f"{problem.owner}: {reason}"
    return traced, ""


class _Factors:
    """A factor for everything that a residual can read."""

    def __init__(self, problem: Problem, condition: Condition | None) -> None:
        self.problem, self.condition = problem, condition
        self.pairs = problem.spec(condition).pairs
        self.data = (*problem.sources, *(condition.data if condition else ()))
        kinds: tuple[tuple[FactorKind, Iterable[str]], ...] = (
            ("coordinate", problem.coordinates),
            ("parameter", problem.parameters),
            ("data", self.data),
        )
        self.others = {
            name: Factor(kind=kind, a=k) for kind, names in kinds for k, name in enumerate(names)
        }
        self.derivatives = {name: self._derivatives(k) for k, name in enumerate(problem.fields)}

    def _derivatives(self, k: int) -> dict[tuple[int, ...], Factor]:
        """Of field k, by sorted coordinate indices; () is the value."""
        known: dict[tuple[int, ...], Factor] = {(): Factor(kind="value", a=k)}
        known |= {(i,): Factor(kind="first", a=k, b=i) for i in range(self.problem.domain.dim)}
        known |= {ij: Factor(kind="second", a=k, b=b) for b, ij in enumerate(self.pairs)}
        return known

    def spellings(self) -> dict[Factor, str]:
        """Each factor as a residual writes it."""
        names = self.problem.coordinates
        spelled = {
            factor: ".".join((field, "".join(names[i] for i in indices))).rstrip(".")
            for field, factors in self.derivatives.items()
            for indices, factor in factors.items()
        }
        return {**spelled, **{factor: name for name, factor in self.others.items()}}

    def jet(self, values: Mapping[Factor, Any]) -> PointJet:
        """The `j` that reads `values`."""
        fields = {}
        for name, factors in self.derivatives.items():
            known = {indices: values[factor] for indices, factor in factors.items()}
            fields[name] = FieldJet(name, known[()], self.problem.coordinates, known.__getitem__)
        return PointJet(fields, {name: values[f] for name, f in self.others.items()})


def _traced(factors: _Factors) -> SumOfProducts:
    problem = factors.problem
    symbols = {f: sympy.Symbol(name, real=True) for f, name in factors.spellings().items()}
    try:
        residuals = problem.residuals(factors.jet(symbols), factors.condition)
        expressions = {name: sympy.expand(sympy.sympify(r)) for name, r in residuals.items()}
    except (TypeError, AttributeError, ValueError, sympy.SympifyError) as error:
        raise _NoSumOfProducts(f"the residual does not run on symbols ({error})") from error
    folded = {
        symbols[factors.others[name]]: value
        for name, value in problem.parameters.items()
        if any(_is_folded(symbols[factors.others[name]], e) for e in expressions.values())
    }
    named = {symbol: factor for factor, symbol in symbols.items()}
    return SumOfProducts(
        equations=tuple(
            TracedEquation(name, _terms(name, sympy.expand(e.subs(folded)), named))
            for name, e in expressions.items()
        ),
        pairs=factors.pairs,
        parameters=tuple(problem.parameters),
        data=factors.data,
        folded=tuple(symbol.name for symbol in folded),
    )


def _powers(term: sympy.Expr) -> Iterator[tuple[sympy.Expr, sympy.Expr]]:
    for factor in sympy.Mul.make_args(term):
        yield factor.as_base_exp()


def _is_folded(parameter: sympy.Symbol, expression: sympy.Expr) -> bool:
    """Whether the parameter enters some term otherwise than as a positive whole power."""
    return any(
        parameter in (base.free_symbols | exponent.free_symbols)
        and not (base == parameter and exponent.is_Integer and exponent.is_positive)
        for term in sympy.Add.make_args(expression)
        for base, exponent in _powers(term)
    )


def _terms(
    name: str, expression: sympy.Expr, factors: Mapping[sympy.Symbol, Factor]
) -> tuple[Term, ...]:
    terms = [_term(name, term, factors) for term in sympy.Add.make_args(expression)]
    # sympy's order is its own; this one depends on the factors alone.
    kept = [term for term in terms if term.coefficient != 0.0]
    if not kept:
        raise _NoSumOfProducts(f"equation '{name}' vanishes whatever the fields are")
    return tuple(sorted(kept, key=lambda t: [(f.kind, f.a, f.b) for f in t.factors]))


def _term(name: str, term: sympy.Expr, factors: Mapping[sympy.Symbol, Factor]) -> Term:
    coefficient, product = 1.0, []
    for base, exponent in _powers(term):
        if not (base.free_symbols or exponent.free_symbols):
            coefficient *= _number(name, base**exponent)
        elif base in factors and exponent.is_Integer and exponent.is_positive:
            product += [factors[base]] * int(exponent)
        else:
            raise _NoSumOfProducts(
                f"equation '{name}' has the factor {base**exponent}, which is no power of a "
                "field, derivative, coordinate, parameter or source. If it depends on the "
                "coordinates alone, give it as one of `sources`"
            )
    if len(product) > MAX_FACTORS:
        raise _NoSumOfProducts(
            f"equation '{name}' has {len(product)} factors in a term, and a file has room for "
            f"{MAX_FACTORS}"
        )
    return Term(
        coefficient=coefficient,
        factors=tuple(sorted(product, key=lambda f: (f.kind, f.a, f.b))),
    )


def _number(name: str, value: sympy.Expr) -> float:
    number = complex(value)
    if number.imag != 0.0 or not np.isfinite(number.real):
        raise _NoSumOfProducts(f"equation '{name}' has the coefficient {value}")
    return number.real


def _check_caps(traced: SumOfProducts) -> None:
    for what, count, cap in (
        ("equations", len(traced.equations), MAX_EQUATIONS),
        ("terms", sum(len(equation.terms) for equation in traced.equations), MAX_TERMS),
        ("sources", len(traced.data), MAX_DATA),
    ):
        if count > cap:
            raise _NoSumOfProducts(f"{count} {what}, and a file has room for {cap}")


def _check_values(traced: SumOfProducts, factors: _Factors) -> None:
    """Compare with the residual itself: a choice made by type or value is invisible to symbols."""
    values = _random_values(factors)
    wanted = factors.problem.residuals(factors.jet(values), factors.condition)
    for name, (got, scale) in traced.evaluate(values).items():
        tolerance = CHECK_ULPS * torch.finfo(torch.float64).eps * scale
        if not bool(torch.all(abs(got - wanted[name]) <= tolerance)):
            raise _NoSumOfProducts(
                f"equation '{name}' does not equal its traced form at random values: "
                "does it choose by a type or a value?"
            )


def _random_values(factors: _Factors) -> dict[Factor, Any]:
    """Fields and derivatives in [-2, 2]; points, data and parameters as they are.

    A condition's data may only be known where it holds: they are random, too.
    """
    problem = factors.problem
    x = problem.domain.from_unit(sobol(CHECK_POINTS, problem.domain.dim, seed=0))
    columns = {**problem.domain.columns(x), **problem.data_at(x)}
    given = factors.data[len(problem.sources) :]
    random = 4 * sobol(CHECK_POINTS, len(given) + 1, seed=2) - 2
    columns |= dict(zip(given, random.T, strict=False))
    real: dict[str, Any] = {k: torch.tensor(v) for k, v in columns.items()}
    unknowns = [f for known in factors.derivatives.values() for f in known.values()]
    jets = torch.from_numpy(4 * sobol(CHECK_POINTS, len(unknowns), seed=1) - 2)
    return {
        **{factors.others[name]: v for name, v in (real | dict(problem.parameters)).items()},
        **dict(zip(unknowns, jets.T, strict=True)),
    }


def _product(term: Term, values: Mapping[Factor, Any]) -> Any:
    parts = [term.coefficient, *(values[factor] for factor in term.factors)]
    return list(itertools.accumulate(parts, lambda a, b: a * b))[-1]
