"""Stage 3 of a distillation: the student learns from the physics; kept if it does no harm."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kdpinn.drawing import CONDITION_SEED, DRAW_SEED
from kdpinn.field import Field
from kdpinn.harm import Judged, error_against, judge_of_harm
from kdpinn.held_out import held_out
from kdpinn.losses import LeastSquares, Term
from kdpinn.matching import matching_points, value_term
from kdpinn.optimizers import SSBroyden
from kdpinn.physics import adaptive_points, condition_terms, equation_term
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe
from kdpinn.stages import Stage
from kdpinn.starts import renamed
from kdpinn.teacher import HELD_OUT_SEED
from kdpinn.teachers.protocol import Teacher
from kdpinn.train import Judge, Settings, Trained, train


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


def _balanced(student: Field, physics: list[Term], teacher: Term, share: float) -> list[Term]:
    """The terms with weights that make the physics 1 and the teacher's term `share` now."""

    def scaled(terms: list[Term], total: float) -> list[Term]:
        values = LeastSquares(student, terms).term_values(student.theta)
        factor = total / max(sum(values.values()), 1e-300)
        return [replace(term, weight=term.weight * factor) for term in terms]

    return scaled(physics, 1.0) + (scaled([teacher], share) if share else [])
