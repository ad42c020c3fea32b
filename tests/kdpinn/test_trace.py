import re

import numpy as np
import pytest
import torch

from kdpinn.geometry import Box
from kdpinn.problems import Problem, available, functions, load_problem, trace
from kdpinn_runtime.format import Equation, Factor, Term


def problem(residual, **changes) -> Problem:
    given = {
        "name": "test",
        "domain": Box(x=(0, 1), t=(0, 1)),
        "fields": ("u", "v"),
        "parameters": {"nu": 0.25, "Re": 4.0},
        "sources": {"f": lambda x: x**2, "g": 1.0},
        "residual": residual,
    }
    return Problem(**(given | changes))


def terms_of(residual, **changes) -> dict[tuple[Factor, ...], float]:
    traced, reason = trace(problem(residual, **changes))
    assert traced is not None, reason
    (equation,) = traced.equations
    assert equation.name == "pde"
    return {term.factors: term.coefficient for term in equation.terms}


def value(a: int) -> Factor:
    return Factor(kind="value", a=a)


def first(a: int, b: int) -> Factor:
    return Factor(kind="first", a=a, b=b)


def second(a: int, b: int) -> Factor:
    return Factor(kind="second", a=a, b=b)


NU, RE = Factor(kind="parameter", a=0), Factor(kind="parameter", a=1)
X, T = Factor(kind="coordinate", a=0), Factor(kind="coordinate", a=1)
F, G = Factor(kind="data", a=0), Factor(kind="data", a=1)


def test_every_kind_of_factor_is_found():
    got = terms_of(
        lambda j: 2 * j.u * j.v.x - j.nu * j.v.tx + j.x * j.t**2 * j.u.xx - j.f / 2 + j.g * j.u + 3
    )
    assert got == {
        (first(1, 0), value(0)): 2.0,
        (NU, second(1, 1)): -1.0,
        (X, T, T, second(0, 0)): 1.0,
        (F,): -0.5,
        (G, value(0)): 1.0,
        (): 3.0,
    }


def test_products_of_sums_are_expanded_and_powers_repeated():
    got = terms_of(lambda j: (j.u - 1) * (j.u + 1) * j.u**2)
    assert got == {(value(0),) * 4: 1.0, (value(0),) * 2: -1.0}


def test_terms_that_cancel_leave_no_trace():
    assert terms_of(lambda j: j.u.t + j.u.xx - j.u.xx) == {(first(0, 1),): 1.0}


def test_numpy_and_constant_coefficients_are_numbers():
    got = terms_of(lambda j: np.float64(0.1) * j.u + np.pi * j.v / 3 + j.u.x * np.sqrt(2))
    assert got == {(value(0),): 0.1, (value(1),): np.pi / 3, (first(0, 0),): np.sqrt(2)}


def test_parameters_that_are_no_factors_are_folded_everywhere():
    got = terms_of(lambda j: j.u.t - j.u.xx / j.Re + j.Re * j.u * j.nu)
    assert got == {
        (first(0, 1),): 1.0,
        (second(0, 0),): -0.25,
        (NU, value(0)): 4.0,
    }
    assert terms_of(lambda j: functions.sqrt(j.nu) * j.u.x) == {(first(0, 0),): 0.5}


def test_several_equations_keep_their_order_and_take_limits():
    traced, _ = trace(problem(lambda j: {"second": j.u.xx, "first": j.v.t + j.u.tt}))
    assert traced is not None
    assert traced.pairs == ((0, 0), (1, 1))
    assert traced.parameters == ("nu", "Re")
    assert traced.data == ("f", "g")
    assert [e.name for e in traced.equations] == ["second", "first"]
    limited = traced.limited({"first": 0.1, "second": 0.2})
    assert limited[0] == Equation(
        name="second", terms=(Term(coefficient=1.0, factors=(second(0, 0),)),), limit=0.2
    )


def test_tracing_is_deterministic():
    residual = problem(lambda j: (j.u + j.v + j.x) ** 3 * (j.u.x - j.v.t))
    assert trace(residual) == trace(residual)


REASONS = {
    "function of a field": (lambda j: j.u.t + torch.sin(j.u), r"sin\(u\)"),
    "function of a derivative": (lambda j: j.u.t + functions.exp(j.u.x), r"exp\(u\.x\)"),
    "torch on a derivative": (lambda j: torch.sin(j.u.x), "does not run on symbols"),
    "function of coordinates": (lambda j: j.u - functions.cos(j.x), r"cos\(x\).*`sources`"),
    "division by a field": (lambda j: j.u.t / (1 + j.u**2), r"1/\(u\*\*2 \+ 1\)"),
    "root": (lambda j: j.u**0.5, r"u\*\*0\.5"),
    "absolute value": (lambda j: abs(j.u), r"Abs\(u\)"),
    "branch on a value": (lambda j: torch.where(j.u > 1, j.u, j.v), "does not run on symbols"),
    "nothing": (lambda j: j.u - j.u, "'pde' vanishes whatever the fields are"),
    "long product": (lambda j: j.u**11, "11 factors in a term.*room for 10"),
    "many terms": (
        lambda j: (
            ((1 + j.u) * (1 + j.v) * (1 + j.x) * (1 + j.t) * (1 + j.nu))
            * ((1 + j.u.x) * (1 + j.v.x) * (1 + j.u.t) * (1 + j.v.t))
        ),
        "512 terms, and a file has room for 256",
    ),
    "choice by type": (
        lambda j: j.u * (2 if isinstance(j.u.value, torch.Tensor) else 3),
        "does not equal its traced form",
    ),
}


@pytest.mark.parametrize("case", REASONS)
def test_other_forms_are_left_out_with_the_reason(case):
    residual, reason = REASONS[case]
    traced, why = trace(problem(residual))
    assert traced is None
    assert why.startswith("Problem 'test': ")
    assert re.search(reason, why), why


def test_problem_without_residual_has_none():
    assert trace(problem(None, reference=lambda x: (x, x))) == (
        None,
        "Problem 'test' has no residual",
    )


def test_shipped_problems_travel():
    traced = {p.name: trace(p) for p in available()}
    assert {name: reason for name, (_, reason) in traced.items() if reason} == {}
    burgers, laplace, poisson = (traced[name][0] for name in ("burgers", "laplace", "poisson"))
    assert burgers is not None
    assert {t.factors: t.coefficient for t in burgers.equations[0].terms} == {
        (first(0, 1),): 1.0,
        (first(0, 0), value(0)): 1.0,
        (NU, second(0, 0)): -1.0,
    }
    assert laplace is not None
    assert laplace.pairs == ((0, 0), (1, 1))
    assert poisson is not None
    assert poisson.data == ("f",)


def test_traced_form_evaluates_to_the_residual():
    """On the values of a manufactured field; each form has fewer than 8 roundings a term."""
    shipped = load_problem("burgers")
    traced, _ = trace(shipped)
    assert traced is not None
    rng = np.random.default_rng(0)
    channels = rng.standard_normal((4, 50, 1))
    x = rng.random((50, 2))
    wanted = shipped.residuals(shipped.jet(x, channels, shipped.spec()))["pde"]
    factors = [value(0), first(0, 0), first(0, 1), second(0, 0)]
    values = dict(zip(factors, channels[:, :, 0], strict=True))
    got, scale = traced.evaluate({**values, NU: shipped.parameters["nu"]})["pde"]
    tolerance = 8 * np.finfo(np.float64).eps * scale
    assert np.all(abs(got - wanted) <= tolerance)
    off, _ = traced.evaluate({**values, NU: shipped.parameters["nu"] * (1 + 1e-9)})["pde"]
    assert not np.all(abs(off - wanted) <= tolerance)
