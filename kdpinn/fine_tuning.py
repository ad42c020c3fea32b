"""Stage 3 of a distillation: the student learns from the physics, and is judged for harm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from kdpinn.drawing import CONDITION_SEED, DRAW_SEED
from kdpinn.field import Field
from kdpinn.held_out import held_out
from kdpinn.losses import LeastSquares, Term
from kdpinn.matching import matching_points, on_slices, value_term
from kdpinn.optimizers import SSBroyden
from kdpinn.physics import adaptive_points, condition_terms, equation_term
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe
from kdpinn.stages import Stage
from kdpinn.teacher import HELD_OUT_SEED, error_against_reference
from kdpinn.teachers.protocol import Scattered, Sliced, Teacher
from kdpinn.train import Judge, Settings, Trained, train


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A student before or after the fine-tuning.

    Attributes:
        residual: judgment by equation and conditions on held-out points; None if the problem has
            no equation.
        distance: relative L2 distance from the teacher.
        error: relative L2 error against the reference, or against the teacher without one; it is
            told, but decides nothing.
    """

    residual: float | None
    distance: float
    error: float

    def no_worse_than(self, other: Judged) -> bool:
        """Whether neither residual nor distance is larger than the other's."""
        pairs = [(self.distance, other.distance)]
        if self.residual is not None and other.residual is not None:
            pairs.append((self.residual, other.residual))
        return all(mine <= theirs for mine, theirs in pairs)

    def describe(self, after: Judged) -> str:
        """'distance from the teacher 1.8e-04 -> 1.7e-04, held-out residual 1.0e-03 -> 8.0e-04'."""
        distance = f"distance from the teacher {self.distance:.2e} -> {after.distance:.2e}"
        if self.residual is None or after.residual is None:
            return distance
        return f"{distance}, held-out residual {self.residual:.2e} -> {after.residual:.2e}"


def tune(
    problem: Problem, recipe: Recipe, teacher: Teacher, student: Field, settings: Settings
) -> Trained:
    """Stage 3: equation, conditions and the teacher's values together, each worth 1 at first."""
    budget, training, seed = recipe.distillation, recipe.training, settings.seed
    points = adaptive_points(problem, student, budget.tune_points, seed + DRAW_SEED)
    physics = [
        equation_term(problem, points, training.residual_weight),
        *condition_terms(problem, training.condition_points, seed + CONDITION_SEED),
    ]
    at = matching_points(problem.domain, teacher, budget.points, seed)
    objective = LeastSquares(
        student,
        _balanced(student, physics, value_term(teacher, at, 1.0), budget.tune_teacher_weight),
    )
    judge = Judge(
        held_out=held_out(problem, student, training, seed + HELD_OUT_SEED),
        error=error_against(problem, teacher),
    )
    stage = Stage(
        name="tune",
        optimizer=SSBroyden(),
        iterations=budget.tune_iterations,
        points=budget.tune_points,
        until=budget.seconds,
    )
    return train(student, [stage], lambda field, stage, draw: objective, judge, settings)


def error_against(problem: Problem, teacher: Teacher) -> Callable[[Field], float]:
    """Relative L2 error on the evaluation grid: against the reference, or else the teacher."""
    known = error_against_reference(problem)
    return distance_from(problem, teacher) if known is None else known


def distance_from(problem: Problem, teacher: Teacher) -> Callable[[Field], float]:
    """Relative L2 distance from the teacher on the evaluation grid.

    A teacher that knows its fields at some points only judges there.
    """
    points = problem.evaluation_points()
    if isinstance(teacher, Scattered):
        points = teacher.part(held_out=True)[0]
    elif isinstance(teacher, Sliced):
        points = on_slices(problem.domain, torch.tensor(points), teacher.slices).numpy()
    values = teacher.values(points)
    norm = float(np.linalg.norm(values))
    return lambda field: float(np.linalg.norm(field.values(points) - values)) / (norm or 1.0)


def _balanced(student: Field, physics: list[Term], teacher: Term, share: float) -> list[Term]:
    """The terms with weights that make the physics 1 and the teacher's term `share` now."""

    def scaled(terms: list[Term], total: float) -> list[Term]:
        values = LeastSquares(student, terms).term_values(student.theta)
        factor = total / max(sum(values.values()), 1e-300)
        return [replace(term, weight=term.weight * factor) for term in terms]

    return scaled(physics, 1.0) + (scaled([teacher], share) if share else [])


def judge_of_harm(
    problem: Problem, recipe: Recipe, teacher: Teacher, seed: int
) -> Callable[[Field], Judged]:
    """Judges students by held-out residual and distance from the teacher."""
    error, distance = error_against(problem, teacher), distance_from(problem, teacher)

    def judge(field: Field) -> Judged:
        if problem.residual is None:
            return Judged(residual=None, distance=distance(field), error=error(field))
        judgment = held_out(problem, field, recipe.training, seed + HELD_OUT_SEED)
        residual = judgment.value(field.theta)
        return Judged(residual=residual, distance=distance(field), error=error(field))

    return judge
