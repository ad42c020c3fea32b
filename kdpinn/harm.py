"""Whether a stage did a student harm: its held-out residual and its distance from the teacher."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from kdpinn.field import Field
from kdpinn.held_out import held_out
from kdpinn.matching import on_slices
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe
from kdpinn.teacher import HELD_OUT_SEED, error_against_reference
from kdpinn.teachers.protocol import Scattered, Sliced, Teacher


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
        """Whether neither residual nor distance is larger than the other's.

        A residual alone does not decide, not even one below the teacher's: between networks of one
        size errors differ by several times at the same residual (docs/training.md).
        """
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
