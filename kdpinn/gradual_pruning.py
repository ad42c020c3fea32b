"""A student made from the teacher itself: neurons are removed step by step, with refits between."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from rich.console import Console

from kdpinn.field import Field
from kdpinn.fine_tuning import Distilled, fine_tuned
from kdpinn.matching import matching_points
from kdpinn.outcome import joined
from kdpinn.problems.problem import Problem
from kdpinn.pruning import pruned_to
from kdpinn.recipe import Pruning, Recipe
from kdpinn.starts import match, renamed
from kdpinn.structure.projection import by_mean, projected
from kdpinn.teacher import settings_for
from kdpinn.teachers.protocol import Teacher
from kdpinn.train import Settings, Trained

# The pruned student's points are not those of the other students.
PRUNING_SEED = 900_007


def prune(
    problem: Problem,
    recipe: Recipe,
    teacher: Field,
    parameters: int,
    out_dir: Path | None = None,
    seed: int | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
) -> Distilled:
    """Prune the teacher to a student, with the iterations and points of a distillation.

    Each round removes `Pruning.share` of the parameters, neuron by neuron (`kdpinn.pruning`), and
    refits what is left to the teacher; then the rest of the iterations, and the fine-tuning on the
    physics that every student gets.

    Args:
        parameters: of the student, at most.
        out_dir: takes `pruned-<parameters>.*`, and a checkpoint for each round; None for none.
        seed: of the points; the recipe's if None.
        resume, console: see `kdpinn.teacher.train_teacher`.
    Raises:
        ValueError: the teacher is no plain network, or cannot become so small.
        TrainingDiverged, Interrupted: see `kdpinn.train.train`.
    """
    if not isinstance(teacher, Field):
        raise ValueError(
            f"`prune` removes neurons of a network (`Field`), the teacher is a "
            f"{type(teacher).__name__}: distill it instead."
        )
    seed = (recipe.seed if seed is None else seed) + PRUNING_SEED
    title = f"pruned-{parameters}"
    settings = settings_for(title, recipe, out_dir, seed, resume=resume, console=console)
    settings = replace(settings, check_every=recipe.distillation.check_every)
    taught, group = projected(problem, recipe, teacher, seed)
    matched = in_rounds(problem, recipe, teacher, taught, parameters, settings)
    distilled = fine_tuned(problem, recipe, taught, matched, settings)
    return replace(distilled, decision=distilled.decision + by_mean(problem, group))


def rounds(pruning: Pruning, first: int, last: int) -> tuple[int, ...]:
    """Greatest number of parameters after each round, from `first` down to `last`."""
    sizes: list[int] = []
    size = float(first)
    while size > last:
        size = max(size * (1 - pruning.share), last)
        sizes.append(int(size))
    return tuple(sizes)


def can_become(teacher: Teacher, problem: Problem, hidden: tuple[int, ...]) -> bool:
    """Whether removing neurons makes a student of these widths of the teacher."""
    if not isinstance(teacher, Field) or teacher.problem != problem.name:
        return False
    widths = teacher.network.sizes[1:-1]
    if teacher.network.symmetry is not None or len(hidden) != len(widths) or hidden == widths:
        return False
    return all(mine <= theirs for mine, theirs in zip(hidden, widths, strict=True))


def in_rounds(
    problem: Problem,
    recipe: Recipe,
    teacher: Field,
    taught: Teacher,
    parameters: int,
    settings: Settings,
    least: tuple[int, ...] = (),
) -> Trained:
    """Remove neurons and refit, all rounds as one training.

    Args:
        teacher: whose neurons are removed; taught: what is matched.
        least: neurons that each hidden layer keeps; one each if empty.
    """
    pruning = recipe.pruning or Pruning()
    budget = recipe.distillation
    sizes = rounds(pruning, teacher.network.parameters, parameters)
    between = int(budget.iterations * pruning.between) // max(len(sizes), 1)
    last = budget.iterations - between * max(len(sizes) - 1, 0)
    at = matching_points(problem.domain, taught, budget.points, settings.seed)
    # Removed and refitted within the teacher's function: exact conditions and features stay.
    student = replace(teacher, theta=teacher.weights, unknown=(), start=teacher.start[:0])
    done: list[Trained] = []
    for number, size in enumerate(sizes or (parameters,), 1):
        student = pruned_to(student, size, at.points, at.importance, least)
        ends = number >= len(sizes)
        short = replace(recipe, distillation=replace(budget, iterations=last if ends else between))
        name = settings.title if ends else f"{settings.title}-round{number}"
        done.append(match(problem, short, taught, student, renamed(settings, name)))
        student = done[-1].field
    return _as_one(done)


def _as_one(parts: list[Trained]) -> Trained:
    history = parts[0].history
    for part in parts[1:]:
        history = joined(history, part.history)
    return replace(
        parts[-1],
        history=history,
        iterations=sum(part.iterations for part in parts),
        seconds=sum(part.seconds for part in parts),
    )
