"""KD-PINN: a small student learns from a trained teacher, then from the physics.

Stage 1, the teacher, is `kdpinn.teacher`. Stage 2 matches the teacher by least squares, which is
the Kullback-Leibler divergence between Gaussian fields (docs/derivations/kullback_leibler.md).
Stage 3 fine-tunes on the equation and is kept only if it does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console

from kdpinn.field import Field
from kdpinn.fine_tuning import Judged, error_against, judge_of_harm, tune
from kdpinn.losses import LeastSquares
from kdpinn.matching import matching_points, matching_terms, value_term
from kdpinn.optimizers import SSBroyden
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe, Training
from kdpinn.stages import Stage
from kdpinn.teacher import (
    HELD_OUT_SEED,
    new_field,
    settings_for,
    train_on_equation,
)
from kdpinn.teachers.protocol import Teacher
from kdpinn.team import ALONE, Team
from kdpinn.train import Judge, Settings, Trained, train

# A student starts from other random numbers than the teacher of the same seed.
STUDENT_SEED = 700_001
START_SEED = 1009


@dataclass(frozen=True, kw_only=True)
class Distilled:
    """Outcome of a distillation.

    Attributes:
        field: the student: the tuned one if that was kept, else the matched one.
        matched, tuned: outcomes of stages 2 and 3; `tuned` is None if there was no stage 3.
        before, after: what decided, before and after stage 3.
        kept: whether stage 3 was kept.
        decision: the same in one sentence.
    """

    field: Field
    matched: Trained
    tuned: Trained | None
    before: Judged
    after: Judged | None
    kept: bool
    decision: str

    @property
    def iterations(self) -> int:
        """Over both stages."""
        return self.matched.iterations + (self.tuned.iterations if self.tuned else 0)

    @property
    def seconds(self) -> float:
        """Wall time of both stages, in s."""
        return self.matched.seconds + (self.tuned.seconds if self.tuned else 0.0)


def distill(
    problem: Problem,
    recipe: Recipe,
    teacher: Teacher,
    hidden: tuple[int, ...],
    out_dir: Path | None = None,
    seed: int | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
) -> Distilled:
    """Distill the teacher into a student.

    Args:
        teacher: anything that teaches (`kdpinn.teachers`), not only a field of this package.
        hidden: widths of the student's hidden layers.
        out_dir: takes `student-<hidden>.*`: checkpoints, logs and fields; None for none.
        seed: of initialization and points; the recipe's if None.
        resume, console: see `kdpinn.teacher.train_teacher`.
    Raises:
        TrainingDiverged, Interrupted, ValueError: see `kdpinn.train.train`.
    """
    seed = (recipe.seed if seed is None else seed) + STUDENT_SEED
    title = f"student-{'-'.join(map(str, hidden))}"
    settings = settings_for(title, recipe, out_dir, seed, resume=resume, console=console)
    settings = replace(settings, check_every=recipe.distillation.check_every)
    if isinstance(teacher, Field):
        problem = problem.with_found(teacher.found)

    def start(k: int) -> Trained:
        student = new_student(problem, recipe, teacher, hidden, seed + START_SEED * k)
        return match(problem, recipe, teacher, student, started(settings, k))

    matched = best_of(recipe.distillation.starts, start)
    return fine_tuned(problem, recipe, teacher, matched, settings)


def fine_tuned(
    problem: Problem, recipe: Recipe, teacher: Teacher, matched: Trained, settings: Settings
) -> Distilled:
    """Stage 3 for a student that was matched under `settings`, and the files of the outcome."""
    judge = judge_of_harm(problem, recipe, teacher, settings.seed)
    before = judge(matched.field)
    if problem.residual is None or not recipe.distillation.tune_iterations:
        distilled = _untuned(matched, before, problem)
    else:
        tuning = renamed(settings, f"{settings.title}-tuned")
        tuned = tune(problem, recipe, teacher, matched.field, tuning)
        distilled = _decide(matched, tuned, before, judge(tuned.field))
    if settings.checkpoint is not None:
        distilled.field.save(settings.checkpoint.with_suffix(".safetensors"))
    return distilled


def scratch(
    problem: Problem,
    recipe: Recipe,
    hidden: tuple[int, ...],
    out_dir: Path | None = None,
    seed: int | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
    team: Team = ALONE,
) -> Trained:
    """The same student trained on the equation alone, with the student's optimizer and budget.

    It gets the same number of starts, iterations and points as the distillation's two stages,
    from the same first parameters.
    """
    seed = (recipe.seed if seed is None else seed) + STUDENT_SEED
    title = f"scratch-{'-'.join(map(str, hidden))}"
    settings = settings_for(title, recipe, out_dir, seed, resume=resume, console=console, team=team)

    def start(k: int) -> Trained:
        field = new_field(problem, hidden, recipe.activation, seed + START_SEED * k, recipe.fourier)
        return train_on_equation(problem, field, scratch_training(recipe), started(settings, k))

    return best_of(recipe.distillation.starts, start)


def scratch_training(recipe: Recipe) -> Training:
    """The student's budget as a training on the equation, its last fifth on fixed points."""
    budget = recipe.distillation
    iterations = budget.iterations + budget.tune_iterations
    last = iterations // 5
    return replace(
        recipe.training,
        curriculum=(),
        adam=0,
        levenberg_marquardt=0,
        iterations=iterations - last,
        last_iterations=last,
        points=budget.points,
        last_points=budget.points,
        check_every=budget.check_every,
        seconds=2 * budget.seconds,
    )


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


def _untuned(matched: Trained, before: Judged, problem: Problem) -> Distilled:
    why = "the problem has no equation" if problem.residual is None else "none was asked for"
    return Distilled(
        field=matched.field,
        matched=matched,
        tuned=None,
        before=before,
        after=None,
        kept=False,
        decision=f"No fine-tuning: {why}.",
    )


def _decide(matched: Trained, tuned: Trained, before: Judged, after: Judged) -> Distilled:
    """Keep the fine-tuned student only if neither its residual nor its distance rose."""
    kept = after.no_worse_than(before)
    return Distilled(
        field=tuned.field if kept else matched.field,
        matched=matched,
        tuned=tuned,
        before=before,
        after=after,
        kept=kept,
        decision=f"Fine-tuning on the physics was {'kept' if kept else 'dropped'}: "
        f"{before.describe(after)}.",
    )


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
