"""Squares through the native kernels against automatic differentiation of the same residuals."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from kdpinn.geometry import Box
from kdpinn.losses import LeastSquares
from kdpinn.matching import MatchingPoints, matching_terms
from kdpinn.physics import collocation, condition_terms, equation_term
from kdpinn.problems import Condition, Problem, available, dirichlet
from kdpinn.recipe import Distillation
from kdpinn.teacher import new_field

POINTS = 301  # whole tiles and a rest, whatever the instruction set
HIDDEN = (9, 7)


def flow(**changes) -> Problem:
    """Two fields, two equations of unequal length, a source, all kinds of factors."""
    given = {
        "name": "flow",
        "domain": Box(x=(-1, 2), t=(0, 1)),
        "fields": ("u", "v"),
        "parameters": {"nu": 0.3, "c": -1.7},
        "sources": {"f": lambda x, t: np.sin(3 * x) * t},
        "residual": lambda j: {
            "momentum": j.u.t + j.c * j.u * j.u.x * j.v - j.nu**2 * j.v.xt + j.x * j.t * j.f,
            "mass": j.u**3 - 2 * j.v.xx + 0.5,
        },
        "conditions": (
            dirichlet("start", on=[{"t": 0}], u=lambda x: np.cos(x), v=0.5),
            dirichlet("walls", on=[{"x": -1}, {"x": 2}], u=0.25, v=lambda t: t),
            Condition(
                "outflow",
                on=[{"x": 2}],
                residual=lambda j: j.nu * j.u.x - j.g * j.v,
                data={"g": 2.0},
            ),
        ),
    }
    return Problem(**(given | changes))


def both(problem, field, terms):
    """(value, gradient) by the kernels and by torch alone."""
    objective = LeastSquares(field, terms)
    generator = torch.Generator().manual_seed(7)
    theta = field.theta + 0.3 * torch.randn(len(field.theta), generator=generator).double()
    return [objective.value_and_gradient(theta, backend) for backend in ("native", "torch")]


def agree(native, reference, rows):
    """Sums of `rows` squares, each of some hundred roundings: 1e-16 * sqrt(rows) * 100, tenfold."""
    slack = 1e-13 * math.sqrt(rows)
    assert abs(native[0] - reference[0]) <= slack * abs(reference[0])
    assert (native[1] - reference[1]).norm() <= slack * reference[1].norm()
    assert reference[1].norm() > 0


def terms_of(problem):
    points = collocation(problem, POINTS, 0)
    importance = torch.linspace(0.5, 1.5, POINTS, dtype=torch.float64)
    return [equation_term(problem, points, 0.7, importance), *condition_terms(problem, 37, 1)]


CASES = {
    "plain": flow(),
    "features": flow(features=lambda c: (c.x, c.t, c.x * c.t)),
    "exact": flow(exact=lambda c: {"u": (c.x * c.t, c.t * (c.x + 1)), "v": (0, c.x**2 - c.x)}),
    "unknown": flow(unknown=("c", "nu")),
}


@pytest.mark.parametrize("name", CASES)
def test_value_and_gradient_are_those_of_torch(name):
    problem = CASES[name]
    field = new_field(problem, HIDDEN, "tanh", 0)
    agree(*both(problem, field, terms_of(problem)), rows=2 * POINTS)


def test_outputs_may_be_scaled_and_shifted():
    problem = CASES["exact"]
    field = replace(
        new_field(problem, HIDDEN, "sin", 0),
        output_scale=torch.tensor([0.4, 3.0], dtype=torch.float64),
        output_shift=torch.tensor([0.0, -0.7], dtype=torch.float64),
    )
    agree(*both(problem, field, terms_of(problem)), rows=2 * POINTS)


@pytest.mark.parametrize("problem", available(), ids=lambda problem: problem.name)
def test_shipped_problems_need_no_automatic_differentiation(problem):
    field = new_field(problem, HIDDEN, "tanh", 0)
    agree(*both(problem, field, terms_of(problem)), rows=2 * POINTS)


def test_distillation_needs_none():
    problem = flow(unknown=("nu",))
    teacher = new_field(problem, HIDDEN, "tanh", 1)
    student = teacher.like((5,), torch.Generator().manual_seed(2))
    points = collocation(problem, POINTS, 0)
    at = MatchingPoints(points, torch.linspace(0.5, 1.5, POINTS, dtype=torch.float64))
    budget = Distillation(first_weight=0.3, second_weight=0.2, residual_weight=0.0)
    agree(*both(problem, student, matching_terms(problem, teacher, at, budget)), rows=7 * POINTS)
    budget = Distillation(first_weight=0.0, second_weight=0.0, residual_weight=0.4)
    agree(*both(problem, student, matching_terms(problem, teacher, at, budget)), rows=3 * POINTS)


def test_other_terms_go_through_torch_and_are_added():
    """cosh is no polynomial; the conditions still are."""
    problem = flow(residual=lambda j: torch.cosh(j.u.value) + j.v.xx)
    field = new_field(problem, HIDDEN, "tanh", 0)
    terms = terms_of(problem)
    assert terms[0].polynomial is None
    objective = LeastSquares(field, terms)
    with pytest.raises(ValueError, match="no polynomial is known of term 'equation'"):
        objective.value_and_gradient(field.theta, "native")
    auto, reference = (objective.value_and_gradient(field.theta, b) for b in ("auto", "torch"))
    agree(auto, reference, rows=2 * POINTS)


def test_a_parameter_that_is_found_is_never_folded_into_a_coefficient():
    problem = flow(residual=lambda j: j.u.t - j.v / j.c)
    assert equation_term(problem, collocation(problem, 9, 0)).polynomial is not None
    unknown = problem.replace(unknown=("c",))
    assert equation_term(unknown, collocation(unknown, 9, 0)).polynomial is None


def test_single_precision_is_for_torch():
    problem = flow()
    field = new_field(problem, HIDDEN, "tanh", 0)
    objective = LeastSquares(field, terms_of(problem))
    with pytest.raises(ValueError, match=r"float64.*float32"):
        objective.value_and_gradient(field.theta.float(), "native")


def test_threads_repeat_and_agree():
    problem = flow()
    field = new_field(problem, HIDDEN, "tanh", 0)
    objective = LeastSquares(field, terms_of(problem))
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 2, 3):
            torch.set_num_threads(threads)
            found.append(objective.value_and_gradient(field.theta))
    finally:
        torch.set_num_threads(before)
    assert found[1][0] == found[2][0]
    assert torch.equal(found[1][1], found[2][1])
    for other in (found[1], found[3]):
        agree(found[0], other, rows=2 * POINTS)
