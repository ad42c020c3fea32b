"""A problem in words and formulas, for the report and the command line."""

from __future__ import annotations

import inspect
import math
import re
from itertools import groupby
from typing import Any

import numpy as np
import sympy

from kdpinn.metrics import Axis, ProblemFacts
from kdpinn.places import Disk, Place, Points
from kdpinn.problems import Condition, Problem, available, trace
from kdpinn.problems.point_jet import PointJet
from kdpinn.rasterize import raster
from kdpinn_runtime.format import Factor, Term

_GREEK = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "delta": "δ",
    "epsilon": "ε",
    "kappa": "κ",
    "lam": "λ",
    "mu": "μ",
    "nu": "ν",
    "rho": "ρ",
    "sigma": "σ",
    "theta": "θ",
    "omega": "ω",
}
_DISPLAY_ORDER = ("parameter", "coordinate", "data", "value", "first", "second")
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def listing() -> list[dict[str, Any]]:
    """The shipped problems as JSON objects."""
    return [
        {
            "name": problem.name,
            "title": problem.title,
            "equations": list(equation_texts(problem)),
            "domain": domain_text(problem),
            "fields": list(problem.fields),
            "parameters": dict(problem.parameters),
            "presets": list(problem.recipes) or ["quick", "best"],
            "has_reference": problem.reference is not None,
        }
        for problem in available()
    ]


def domain_text(problem: Problem) -> str:
    """`x in [-1, 1], t in [0, 1]`."""
    bounds = [(name, *problem.domain.bounds(name)) for name in problem.coordinates]
    return ", ".join(f"{name} in [{lower:g}, {upper:g}]" for name, lower, upper in bounds)


def problem_facts(problem: Problem) -> ProblemFacts:
    """What the report says about the problem."""
    return ProblemFacts(
        name=problem.name,
        title=problem.title,
        equations=equation_texts(problem),
        conditions=(*form_texts(problem), *map(condition_text, problem.conditions)),
        fields=tuple((name, problem.unit(name)) for name in problem.fields),
        parameters={_spelled(name): v for name, v in problem.parameters.items()},
        source=problem.source or "given in Python by the problem's author",
        has_reference=problem.reference is not None,
        scattered=len(problem.evaluation_points()) if problem.scattered else 0,
    )


def _spelled(name: str) -> str:
    """`ν (nu)`: the letter of the formula beside the name in Python."""
    return f"{_GREEK[name]} ({name})" if name in _GREEK else name


def axes(problem: Problem) -> tuple[Axis, ...]:
    """The evaluation grid by coordinate; that of the pictures where the points are scattered."""
    lines = problem.domain.axes(raster(problem) if problem.scattered else problem.ticks)
    return tuple(
        Axis(name=name, unit=problem.unit(name), positions=line)
        for name, line in zip(problem.coordinates, lines, strict=True)
    )


def equation_texts(problem: Problem) -> tuple[str, ...]:
    """Each equation as `u_t + u u_x − ν u_xx = 0`, or what stands for it."""
    if problem.residual is None:
        return ("no equation: the network learns the reference",)
    traced, _ = trace(problem)
    if traced is None:
        doc = inspect.getdoc(problem.residual) if inspect.isfunction(problem.residual) else None
        return ((doc or "an equation in Python that is no sum of products").splitlines()[0],)
    return tuple(f"{_sum(problem, e.terms)} = 0" for e in traced.equations)


def form_texts(problem: Problem) -> tuple[str, ...]:
    """What the form of the solution settles: exact conditions, and what the network sees."""
    symbols = {name: sympy.Symbol(name, real=True) for name in problem.coordinates}
    c = PointJet({}, {**symbols, **problem.parameters})
    texts = []
    if problem.exact is not None:
        for name, (base, factor) in problem.exact(c).items():
            whole = sympy.sympify(base) + sympy.sympify(factor) * sympy.Symbol("network")
            texts.append(f"exactly: {name} = {_expression(whole)}")
    if problem.features is not None:
        texts.append(f"network of: {', '.join(map(_expression, problem.features(c)))}")
    return tuple(texts)


def _expression(value: Any) -> str:
    expression = sympy.sympify(value)
    numbers = {number: _spelled_number(float(number)) for number in expression.atoms(sympy.Float)}
    text = str(expression.xreplace(numbers))
    return text.replace("**", "^").replace("*", " ").replace("-", "−")


def _spelled_number(value: float) -> sympy.Expr:
    """Whole multiples of pi as such, other numbers to four digits."""
    multiple = round(value / math.pi)
    if multiple and abs(value - multiple * math.pi) < 1e-12 * abs(value):
        return multiple * sympy.Symbol("π")
    return sympy.Integer(value) if value.is_integer() else sympy.Symbol(f"{value:.4g}")


def condition_text(condition: Condition) -> str:
    """`initial: u = sine(x) on t = 0`, one line."""
    places = " and ".join(map(_place_text, condition.on))
    suffix = "_target"
    values = [
        f"{name.removesuffix(suffix)} = {_datum(value)}"
        for name, value in condition.data.items()
        if name.endswith(suffix)
    ]
    what = ", ".join(values) or "a residual in Python vanishes"
    return f"{condition.name}: {what} on {places}".replace("-", "−")


def _place_text(place: Place) -> str:
    if isinstance(place, (Disk, Points)):
        return str(place)
    return ", ".join(f"{name} = {value:g}" for name, value in place.items())


def _datum(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return "given values"
    if not callable(value):
        return f"{value:g}"
    name = getattr(value, "__name__", "a function")
    arguments = ", ".join(inspect.signature(value).parameters)
    if name == "<lambda>":
        return f"a function of {arguments}"
    doc = (inspect.getdoc(value) or "").partition("\n")[0]
    said = re.split(r"[,;] \(n", doc)[0].rstrip(".")  # without the array's shape
    return f"{name}({arguments})" + (f" ({said[0].lower()}{said[1:]})" if said else "")


def _sum(problem: Problem, terms: tuple[Term, ...]) -> str:
    ordered = sorted(terms, key=lambda t: _rank(problem, t))
    text = ""
    for term in ordered:
        sign = "−" if term.coefficient < 0 else "+"
        text += (
            f" {sign} {_product(problem, term)}" if text or sign == "−" else _product(problem, term)
        )
    return text.strip()


def _rank(problem: Problem, term: Term) -> tuple[int, int]:
    """Time derivatives first, bare sources last, the others as they stand."""
    kinds = [factor.kind for factor in term.factors]
    first = (
        any(f.kind == "first" and problem.coordinates[f.b] == "t" for f in term.factors)
        and len(kinds) == 1
    )
    return (0 if first else 2 if "data" in kinds else 1, len(kinds))


def _product(problem: Problem, term: Term) -> str:
    factors = sorted(term.factors, key=lambda f: _DISPLAY_ORDER.index(f.kind))
    size = abs(term.coefficient)
    parts = [f"{size:g}"] if size != 1 or not factors else []
    for name, repeated in groupby(_name(problem, f) for f in factors):
        times = len(list(repeated))
        parts.append(name + (str(times).translate(_SUPERSCRIPT) if times > 1 else ""))
    return " ".join(parts)


def _name(problem: Problem, factor: Factor) -> str:
    names = problem.coordinates
    match factor.kind:
        case "coordinate":
            return names[factor.a]
        case "value":
            return problem.fields[factor.a]
        case "first":
            return f"{problem.fields[factor.a]}_{names[factor.b]}"
        case "second":
            i, j = problem.spec().pairs[factor.b]
            return f"{problem.fields[factor.a]}_{names[i]}{names[j]}"
        case "parameter":
            name = tuple(problem.parameters)[factor.a]
            return _GREEK.get(name, name)
        case _:
            return tuple(problem.sources)[factor.a]
