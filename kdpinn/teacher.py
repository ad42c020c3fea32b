"""Training a network on a problem's equation and conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from kdpinn.drawing import Drawing
from kdpinn.field import Field
from kdpinn.held_out import held_out
from kdpinn.methods.fourier import fourier_features
from kdpinn.problems.coordinate_maps import feature_bounds
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Fourier, Recipe, Training
from kdpinn.stages import stages
from kdpinn.team import ALONE, Team, help_with, shared
from kdpinn.train import Judge, Settings, Trained, train

# Offsets that keep the random numbers of different uses of one seed apart.
HELD_OUT_SEED = 500_009


def train_teacher(
    problem: Problem,
    recipe: Recipe,
    out_dir: Path | None = None,
    seed: int | None = None,
    *,
    resume: bool = False,
    console: Console | None = None,
    team: Team = ALONE,
    start: Field | None = None,
) -> Trained:
    """Train the recipe's teacher on the problem.

    Args:
        out_dir: takes teacher.checkpoint, teacher.jsonl and teacher.safetensors; None for none.
        seed: of the initialization and the points; the recipe's if None.
        resume: continue from teacher.checkpoint if it is there.
        console: where the progress bar is drawn; None draws none.
        team: the processes that share the work.
        start: an untrained field in place of the recipe's own network, such as a tied one.
    Raises:
        TrainingDiverged, Interrupted, ValueError: see `kdpinn.train.train`.
    """
    seed = recipe.seed if seed is None else seed
    field = start or new_field(problem, recipe.teacher, recipe.activation, seed, recipe.fourier)
    settings = settings_for(
        "teacher", recipe, out_dir, seed, resume=resume, console=console, team=team
    )
    return train_on_equation(problem, field, recipe.training, settings)


def train_on_equation(
    problem: Problem, field: Field, training: Training, settings: Settings
) -> Trained:
    """Train any field on the problem's equation and conditions; stores the result if asked."""
    settings = replace(settings, check_every=training.check_every)
    judge = judge_for(problem, field, training, settings.seed)
    drawing = Drawing(problem, training, settings.seed)
    with shared(settings.team, field, drawing, training, settings.seed) as sample:
        trained = train(field, stages(training), sample, judge, settings, drawing.memory)
    save(trained, settings)
    return trained


def help_train(problem: Problem, team: Team) -> None:
    """Share the work of the trainings on this problem that the team's leader runs, to its end."""
    while (task := team.tell()) is not None:
        field, training, seed = task
        help_with(team, field, Drawing(problem, training, seed))


def new_field(
    problem: Problem,
    hidden: tuple[int, ...],
    activation: str,
    seed: int,
    fourier: Fourier | None = None,
) -> Field:
    """Untrained field on the problem's domain.

    Raises:
        ValueError: relu, which has no curvature, for a problem with second derivatives.
    """
    if activation == "relu":
        _check_no_curvature(problem)
    features, exact = problem.maps()
    lower, upper = problem.domain.lower, problem.domain.upper
    if fourier is not None:
        features, lower, upper = fourier_features(fourier, problem.domain, features)
    elif features is not None:
        lower, upper = feature_bounds(features, problem.domain)
    return Field.create(
        inputs=problem.coordinates,
        outputs=problem.fields,
        lower=lower,
        upper=upper,
        hidden=hidden,
        activation=activation,
        generator=torch.Generator().manual_seed(seed),
        problem=problem.name,
        features=features,
        exact=exact,
        unknown={name: problem.parameters[name] for name in problem.unknown},
    )


def _check_no_curvature(problem: Problem) -> None:
    wanted = [problem.spec(condition) for condition in problem.conditions]
    if problem.residual is not None:
        wanted.append(problem.spec())
    if any(spec.pairs for spec in wanted):
        raise ValueError(
            f"{problem.owner} has second derivatives, and those of a relu network are zero: it "
            "would learn nothing of them. Choose an activation that bends, such as tanh or gelu."
        )


def settings_for(
    title: str,
    recipe: Recipe,
    out_dir: Path | None,
    seed: int,
    *,
    resume: bool = False,
    console: Console | None = None,
    team: Team = ALONE,
) -> Settings:
    """Files and intervals of a training called `title`."""
    if out_dir is not None:
        out_dir.mkdir(parents=True, exist_ok=True)
    return Settings(
        title=title,
        seed=seed,
        checkpoint=None if out_dir is None else out_dir / f"{title}.checkpoint",
        checkpoint_seconds=recipe.checkpoint_seconds,
        log=None if out_dir is None else out_dir / f"{title}.jsonl",
        resume=resume,
        console=console,
        team=team,
    )


def judge_for(problem: Problem, field: Field, training: Training, seed: int) -> Judge:
    """Held-out judgment, and the error on the evaluation grid where there is a reference."""
    judgment = held_out(problem, field, training, seed + HELD_OUT_SEED)
    return Judge(held_out=judgment, error=error_against_reference(problem))


def error_against_reference(problem: Problem) -> Callable[[Field], float] | None:
    """Relative L2 error over the evaluation grid and all fields; None without a reference."""
    if problem.reference is None:
        return None
    points = problem.evaluation_points()
    reference = problem.reference_at(points)
    norm = float(np.linalg.norm(reference))

    def error(field: Field) -> float:
        difference = float(np.linalg.norm(field.values(points) - reference))
        return difference / norm if norm else difference

    return error


def save(trained: Trained, settings: Settings) -> None:
    """Write the field beside the checkpoint, if there is one."""
    if settings.checkpoint is not None:
        trained.field.save(settings.checkpoint.with_suffix(".safetensors"))
