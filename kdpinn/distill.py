"""KD-PINN: a small student learns from a trained teacher, then from the physics.

Stage 1, the teacher, is `kdpinn.teacher`. Stage 2 matches the teacher by least squares, which is
the Kullback-Leibler divergence between Gaussian fields (docs/derivations/kullback_leibler.md).
Stage 3 fine-tunes on the equation and is kept only if it does no harm.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from kdpinn.field import Field
from kdpinn.fine_tuning import Distilled, fine_tuned
from kdpinn.gradual_pruning import can_become, in_rounds
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe, Training
from kdpinn.starts import best_of, match, new_student, started
from kdpinn.structure.projection import by_mean, projected
from kdpinn.teacher import new_field, settings_for, train_on_equation
from kdpinn.teachers.protocol import Teacher
from kdpinn.team import ALONE, Team
from kdpinn.train import Trained

# A student starts from other random numbers than the teacher of the same seed.
STUDENT_SEED = 700_001
START_SEED = 1009


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

    taught, group = projected(problem, recipe, teacher, seed)
    pruned = recipe.distillation.pruned_start and can_become(teacher, problem, hidden)

    def start(k: int) -> Trained:
        at = started(settings, k)
        student = new_student(problem, recipe, taught, hidden, seed + START_SEED * k)
        if k == 0 and pruned and isinstance(teacher, Field):
            size = student.network.parameters
            return in_rounds(problem, recipe, teacher, taught, size, at, hidden)
        return match(problem, recipe, taught, student, at)

    matched = best_of(recipe.distillation.starts, start)
    distilled = fine_tuned(problem, recipe, taught, matched, settings)
    return replace(distilled, decision=distilled.decision + by_mean(problem, group))


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
