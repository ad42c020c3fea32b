"""KD-PINN: a small student learns from a trained teacher, then from the physics.

Stage 1, the teacher, is `kdpinn.teacher`. Stage 2 matches the teacher by least squares, which is
the Kullback-Leibler divergence between Gaussian fields (docs/derivations/kullback_leibler.md).
Stage 3 fine-tunes on the equation and is kept only if it does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from kdpinn.field import Field
from kdpinn.losses import LeastSquares, Term
from kdpinn.matching import matching_points, matching_terms, value_term
from kdpinn.optimizers import SSBroyden
from kdpinn.physics import adaptive_points, condition_terms, equation_term, held_out
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe, Training
from kdpinn.stages import Stage
from kdpinn.teacher import (
    CONDITION_SEED,
    DRAW_SEED,
    HELD_OUT_SEED,
    error_against_reference,
    new_field,
    settings_for,
    train_on_equation,
)
from kdpinn.train import Judge, Settings, Trained, train

# A student starts from other random numbers than the teacher of the same seed.
STUDENT_SEED = 700_001


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A student before or after the fine-tuning.

    Attributes:
        residual: weighted mean square of equation and conditions on held-out points; None if the
            problem has no equation.
        error: relative L2 error against the reference, or against the teacher without one.
    """

    residual: float | None
    error: float


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
    teacher: Field,
    hidden: tuple[int, ...],
    out_dir: Path | None = None,
    seed: int | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
) -> Distilled:
    """Distill the teacher into a student.

    Args:
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
    student = teacher.like(hidden, torch.Generator().manual_seed(seed))
    matched = match(problem, recipe, teacher, student, settings)
    judge = _harm(problem, recipe, teacher, seed)
    before = judge(matched.field)
    if problem.residual is None or not recipe.distillation.tune_iterations:
        distilled = _untuned(matched, before, problem)
    else:
        tuning = _renamed(settings, f"{title}-tuned")
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
) -> Trained:
    """The same student trained on the equation alone, with the student's optimizer and budget.

    It gets the same number of iterations and points as the distillation's two stages, from the
    same first parameters.
    """
    seed = (recipe.seed if seed is None else seed) + STUDENT_SEED
    title = f"scratch-{'-'.join(map(str, hidden))}"
    settings = settings_for(title, recipe, out_dir, seed, resume=resume, console=console)
    field = new_field(problem, hidden, recipe.activation, seed)
    return train_on_equation(problem, field, scratch_training(recipe), settings)


def scratch_training(recipe: Recipe) -> Training:
    """The student's budget as a training on the equation, its last fifth on fixed points."""
    budget = recipe.distillation
    iterations = budget.iterations + budget.tune_iterations
    last = iterations // 5
    return replace(
        recipe.training,
        adam=0,
        levenberg_marquardt=0,
        iterations=iterations - last,
        last_iterations=last,
        points=budget.points,
        last_points=budget.points,
        check_every=budget.check_every,
        seconds=2 * budget.seconds,
    )


def match(
    problem: Problem, recipe: Recipe, teacher: Field, student: Field, settings: Settings
) -> Trained:
    """Stage 2: fit the student to the teacher on fixed, importance-weighted points."""
    budget = recipe.distillation
    at = matching_points(problem.domain, teacher, budget.points, settings.seed)
    objective = LeastSquares(student, matching_terms(problem, teacher, at, budget))
    aside = matching_points(problem.domain, teacher, budget.points, settings.seed + HELD_OUT_SEED)
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


def tune(
    problem: Problem, recipe: Recipe, teacher: Field, student: Field, settings: Settings
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
        held_out=_held_out(problem, recipe, student, seed),
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


def error_against(problem: Problem, teacher: Field) -> Callable[[Field], float]:
    """Relative L2 error on the evaluation grid: against the reference, or else the teacher."""
    known = error_against_reference(problem)
    if known is not None:
        return known
    points = problem.evaluation_points()
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


def _held_out(problem: Problem, recipe: Recipe, field: Field, seed: int) -> LeastSquares:
    training = recipe.training
    return held_out(
        problem,
        field,
        training.held_out_points,
        training.condition_points,
        training.residual_weight,
        seed + HELD_OUT_SEED,
    )


def _harm(problem: Problem, recipe: Recipe, teacher: Field, seed: int) -> Callable[[Field], Judged]:
    """Judges students by held-out residual and error."""
    error = error_against(problem, teacher)

    def judge(field: Field) -> Judged:
        if problem.residual is None:
            return Judged(residual=None, error=error(field))
        residuals = _held_out(problem, recipe, field, seed).residuals(field.theta)
        return Judged(residual=float(residuals @ residuals), error=error(field))

    return judge


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
    """Keep the fine-tuned student only if neither its residual nor its error rose."""
    assert before.residual is not None
    assert after.residual is not None
    kept = after.residual <= before.residual and after.error <= before.error
    figures = (
        f"held-out residual {before.residual:.2e} -> {after.residual:.2e}, "
        f"error {before.error:.2e} -> {after.error:.2e}"
    )
    return Distilled(
        field=tuned.field if kept else matched.field,
        matched=matched,
        tuned=tuned,
        before=before,
        after=after,
        kept=kept,
        decision=f"Fine-tuning on the physics was {'kept' if kept else 'dropped'}: {figures}.",
    )


def _renamed(settings: Settings, title: str) -> Settings:
    """The same settings with files of another name."""
    checkpoint, log = settings.checkpoint, settings.log
    return replace(
        settings,
        title=title,
        checkpoint=checkpoint and checkpoint.with_name(f"{title}.checkpoint"),
        log=log and log.with_name(f"{title}.jsonl"),
    )
