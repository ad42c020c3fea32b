"""Where a student starts, and the matching of its teacher from there (stage 2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from kdpinn.field import Field
from kdpinn.harm import error_against
from kdpinn.losses import LeastSquares
from kdpinn.matching import matching_points, matching_terms, value_term
from kdpinn.optimizers import SSBroyden
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe
from kdpinn.stages import Stage
from kdpinn.teacher import HELD_OUT_SEED, new_field
from kdpinn.teachers.protocol import Teacher
from kdpinn.train import Judge, Settings, Trained, train


def new_student(
    problem: Problem, recipe: Recipe, teacher: Teacher, hidden: tuple[int, ...], seed: int
) -> Field:
    """An untrained student, its outputs in units of the teacher's values.

    Of a field of this very problem it takes over activation and normalization. Exact conditions
    leave the outputs as they are: the network is only a part of the field there.
    """
    if isinstance(teacher, Field) and teacher.problem == problem.name:
        return teacher.like(hidden, torch.Generator().manual_seed(seed))
    field = new_field(problem, hidden, recipe.activation, seed, recipe.fourier)
    if field.exact is not None:
        return field
    at = matching_points(problem.domain, teacher, recipe.distillation.points, seed)
    values = torch.from_numpy(teacher.values(at.points.numpy()))
    deviation = values.std(0)
    scale = torch.where(deviation > 0, deviation, torch.ones_like(deviation))
    return replace(field, output_shift=values.mean(0), output_scale=scale)


def match(
    problem: Problem, recipe: Recipe, teacher: Teacher, student: Field, settings: Settings
) -> Trained:
    """Stage 2: fit the student to the teacher on fixed, importance-weighted points."""
    budget = recipe.distillation
    at = matching_points(problem.domain, teacher, budget.points, settings.seed)
    objective = LeastSquares(student, matching_terms(problem, teacher, at, budget))
    seed = settings.seed + HELD_OUT_SEED
    aside = matching_points(problem.domain, teacher, budget.points, seed, held_out=True)
    judge = Judge(
        held_out=LeastSquares(student, [value_term(teacher, aside, budget.sigma)]),
        error=error_against(problem, teacher),
    )
    stage = Stage(
        name="match",
        optimizer=SSBroyden(),
        iterations=budget.iterations,
        points=budget.points,
        until=budget.seconds,
    )
    return train(student, [stage], lambda field, stage, draw: objective, judge, settings)


def best_of(starts: int, train_one: Callable[[int], Trained]) -> Trained:
    """The training with the least held-out value, its seconds those of all together."""
    tried = [train_one(k) for k in range(starts)]
    best = min(tried, key=lambda trained: trained.held_out)
    return replace(best, seconds=sum(trained.seconds for trained in tried))


def started(settings: Settings, k: int) -> Settings:
    """The settings of the k-th start; those of the first keep their names."""
    return renamed(settings, f"{settings.title}-start{k + 1}") if k else settings


def renamed(settings: Settings, title: str) -> Settings:
    """The same settings with files of another name."""
    checkpoint, log = settings.checkpoint, settings.log
    return replace(
        settings,
        title=title,
        checkpoint=checkpoint and checkpoint.with_name(f"{title}.checkpoint"),
        log=log and log.with_name(f"{title}.jsonl"),
    )
