import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.losses import LeastSquares
from kdpinn.matching import gaussian_kl, matching_points, matching_terms, value_term
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation

BOX = Box(x=(-1, 1), t=(0, 2))
EVERYTHING = Distillation(points=64, first_weight=0.1, second_weight=0.01, residual_weight=0.3)


def problem() -> Problem:
    return Problem(
        name="heat",
        domain=BOX,
        fields=("u",),
        residual=lambda j: j.u.t - 0.1 * j.u.xx,
        conditions=(dirichlet("start", on=[{"t": 0}], u=lambda x: np.sin(np.pi * x)),),
    )


def make_field(seed: int = 0, steepness: float = 1.0, hidden: tuple[int, ...] = (6, 5)) -> Field:
    field = Field.create(
        inputs=("x", "t"),
        outputs=("u",),
        lower=BOX.lower,
        upper=BOX.upper,
        hidden=hidden,
        generator=torch.Generator().manual_seed(seed),
    )
    return field.with_theta(field.theta * steepness)


def layer(width: float) -> Field:
    """tanh(x / width): steep at x = 0."""
    field = make_field(hidden=(1,))
    return field.with_theta(torch.tensor([1 / width, 0, 0, 1, 0], dtype=torch.float64))


def density(mean: float, sigma: float):
    return lambda z: (
        math.exp(-((z - mean) ** 2) / (2 * sigma**2)) / (sigma * math.sqrt(2 * math.pi))
    )


@pytest.mark.parametrize(
    ("teacher", "student", "sigma_t", "sigma_s"),
    [(0.3, 0.3, 1.0, 1.0), (0.0, 0.5, 1.0, 1.0), (0.2, -0.4, 0.5, 1.5), (1.0, 0.0, 2.0, 0.8)],
)
def test_divergence_is_its_defining_integral(teacher, student, sigma_t, sigma_s):
    p, q = density(teacher, sigma_t), density(student, sigma_s)
    low, high = teacher - 12 * sigma_t, teacher + 12 * sigma_t
    expected, bound = quad(lambda z: p(z) * math.log(p(z) / q(z)), low, high, epsabs=1e-11)
    means = torch.tensor([teacher, student], dtype=torch.float64)
    # 12 standard deviations leave out 1e-31 of the mass.
    assert gaussian_kl(means[0], means[1], sigma_t, sigma_s).item() == pytest.approx(
        expected, abs=bound + 1e-12
    )


def test_value_term_is_the_mean_divergence_of_equal_variances():
    teacher, student = make_field(0), make_field(1)
    at = matching_points(BOX, teacher, 64, seed=0)
    got = LeastSquares(student, [value_term(teacher, at, 0.3)]).value_and_gradient(student.theta)[0]
    u_t, u_s = teacher(at.points), student(at.points)
    sigma = 0.3 * float(u_t.square().mean().sqrt())
    expected = (at.importance * gaussian_kl(u_t, u_s, sigma, sigma)[:, 0]).mean()
    assert got == pytest.approx(float(expected), rel=1e-12)


def test_teacher_as_its_own_student_has_no_loss_and_no_gradient():
    teacher = make_field()
    at = matching_points(BOX, teacher, 64, seed=0)
    objective = LeastSquares(teacher, matching_terms(problem(), teacher, at, EVERYTHING))
    assert [t.name for t in objective.terms] == [
        "values",
        "first derivatives",
        "second derivatives",
        "residual",
    ]
    value, gradient = objective.value_and_gradient(teacher.theta)
    # Rounding of batches of other sizes, squared, is all that may remain.
    assert value < 1e-25
    assert gradient.abs().max() < 1e-11


def test_each_term_sees_a_student_that_differs():
    teacher, student = make_field(0), make_field(1)
    at = matching_points(BOX, teacher, 64, seed=0)
    objective = LeastSquares(student, matching_terms(problem(), teacher, at, EVERYTHING))
    assert all(value > 1e-6 for value in objective.term_values(student.theta).values())


def test_points_gather_where_the_teacher_is_steep_and_weights_undo_it():
    width = 0.05
    at = matching_points(BOX, layer(width), 4000, seed=0)
    x = at.points[:, 0]
    inside = (x.abs() < 2 * width).double()
    # Half of the points, tanh(2) = 96 % of their slope, beside the even half's own 10 %.
    assert inside.mean().item() == pytest.approx(0.5 * math.tanh(2.0) + 0.5 * 0.1, abs=0.03)
    for g, mean in ((torch.ones_like(x), 1.0), (x**2, 1 / 3), (inside, 0.1)):
        # Even points and equal steps: an error of some 1 / n; 1 % is far above it, and far below
        # what wrong weights would do (a factor of 5 in the last).
        assert (at.importance * g).mean().item() == pytest.approx(mean, rel=0.01)


def test_points_of_a_flat_teacher_are_uniform():
    flat = make_field(steepness=0.0)
    at = matching_points(BOX, flat, 33, seed=0)
    assert at.points.shape == (33, 2)
    assert (at.importance == 1).all()


def test_points_are_decided_by_the_seed():
    teacher = make_field()
    one, two = (matching_points(BOX, teacher, 50, seed=s).points for s in (1, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, matching_points(BOX, teacher, 50, seed=2).points)
