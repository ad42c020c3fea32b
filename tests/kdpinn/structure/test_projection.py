"""A teacher's mean over the symmetries that the physics shows is nearer to the solution."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch

from kdpinn.distill import distill
from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Recipe, Training
from kdpinn.structure.projection import by_mean, projected
from kdpinn.structure.tied import symmetry_error
from kdpinn.teacher import train_teacher

RECIPE = Recipe(
    teacher=(8, 8),
    students=((5,),),
    training=Training(
        points=100,
        condition_points=20,
        iterations=200,
        resample_every=100,
        last_iterations=50,
        last_points=150,
        held_out_points=1024,  # of 128, chance decides: 4 in each of the judge's groups
    ),
    distillation=Distillation(points=128, iterations=30, tune_iterations=5, tune_points=50),
)


def diffusion(second: float = 0.0, **changes) -> Problem:
    """u_t = u_xx / pi^2 from sin(pi x) + second sin(2 pi x), which breaks the mirror about 1/2."""
    arguments = {
        "name": "diffusion",
        "domain": Box(x=(0, 1), t=(0, 1)),
        "fields": ("u",),
        "residual": lambda j: j.u.t - j.u.xx / math.pi**2,
        "conditions": (
            dirichlet("start", on=[{"t": 0}], u=lambda x: solution(second)(x, 0 * x)),
            dirichlet("walls", on=[{"x": 0}, {"x": 1}], u=0.0),
        ),
        "reference": solution(second),
        "grid": (33, 17),
        **changes,
    }
    return Problem(**arguments)


def solution(second: float):
    return lambda x, t: (
        np.exp(-t) * np.sin(math.pi * x) + second * np.exp(-4 * t) * np.sin(2 * math.pi * x)
    )


@cache
def taught(second: float) -> Field:
    return train_teacher(diffusion(second), RECIPE, seed=0).field


def error(problem: Problem, field: Field) -> float:
    x = problem.evaluation_points()
    return float(np.linalg.norm(field.values(x) - problem.reference_at(x)))


def test_the_mean_is_nearer_by_all_that_the_teacher_breaks():
    problem, teacher = diffusion(), taught(0.0)
    mean, group = projected(problem, RECIPE, teacher, 0)
    assert group is not None
    assert by_mean(problem, group).endswith("symmetries: x -> 1 - x, u -> u.")
    x = problem.evaluation_points()
    assert symmetry_error(mean, group, x) < 1e-13
    broken = np.linalg.norm(teacher.values(x) - mean.values(x))
    assert broken > 0.05 * error(problem, teacher)
    # Pythagoras, on a grid that the mirror takes onto itself.
    expected = math.sqrt(error(problem, teacher) ** 2 - broken**2)
    assert error(problem, mean) == pytest.approx(expected, rel=1e-9)


def test_a_symmetry_that_the_problem_breaks_a_little_is_refused():
    problem, teacher = diffusion(0.02), taught(0.02)
    x = problem.evaluation_points()
    mirrored = teacher.values(np.column_stack([1 - x[:, 0], x[:, 1]]))
    asymmetry = np.sqrt(((mirrored - teacher.values(x)) ** 2).mean()) / teacher.values(x).std()
    assert asymmetry < 0.1  # the map is tried; only the physics can tell
    assert projected(problem, RECIPE, teacher, 0) == (teacher, None)
    assert by_mean(problem, None) == ""


def test_the_reference_decides_nothing():
    seeing, blind = (
        projected(diffusion(reference=reference), RECIPE, taught(0.0), 0)[0]
        for reference in (solution(0.0), None)
    )
    assert torch.equal(seeing.theta, blind.theta)


def test_what_cannot_be_made_symmetric_stays_as_it_is():
    teacher = taught(0.0)
    plain = replace(RECIPE, distillation=replace(RECIPE.distillation, symmetric=False))
    no_equation = diffusion(residual=None, conditions=())

    class Function:
        inputs, outputs = ("x", "t"), ("u",)

        def values(self, x):
            return solution(0.0)(*x.T)[:, None]

    function = Function()
    assert projected(diffusion(), plain, teacher, 0) == (teacher, None)
    assert projected(no_equation, RECIPE, teacher, 0) == (teacher, None)
    assert projected(diffusion(), RECIPE, function, 0) == (function, None)


def test_a_student_is_told_who_taught_it():
    student = distill(diffusion(), RECIPE, taught(0.0), (5,), seed=0)
    assert "mean over the problem's symmetries: x -> 1 - x, u -> u" in student.decision
    # Its distance is taken from that mean.
    mean, _ = projected(diffusion(), RECIPE, taught(0.0), 0)
    x = diffusion().evaluation_points()
    u = mean.values(x)
    expected = np.linalg.norm(student.matched.field.values(x) - u) / np.linalg.norm(u)
    assert student.before.distance == pytest.approx(expected, rel=1e-9)
