"""What a run was asked for, and all that decides its results."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdpinn.assembly import versions
from kdpinn.problems import Problem
from kdpinn.recipe import Distillation, Recipe, Training
from kdpinn.steps import digest_of

DEFAULT_RECIPES = {
    "quick": Recipe(),
    "best": Recipe(
        training=Training(points=4000, iterations=8000, last_iterations=2000, last_points=6000),
        distillation=Distillation(points=5000, iterations=12_000, tune_iterations=1000),
        students=((10, 10, 10), (20, 20, 20)),
    ),
}
"""Presets of a problem that brings none."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a run was asked for.

    Attributes:
        spec: name of a problem, or `FILE.py:NAME`.
        preset: key of the problem's recipes.
        seed: of the first trial.
        resume, overwrite: what may happen to an earlier run in the folder.
        last: stage after which to stop, "teacher" or "student"; "" goes the whole way.
        teacher: a model file to distil from, None to train the teacher.
        scratch: whether the selected student is also trained from scratch.
    """

    spec: str
    preset: str = "quick"
    seed: int = 0
    resume: bool = False
    overwrite: bool = False
    last: str = ""
    teacher: Path | None = None
    scratch: bool = True


def recipe_of(problem: Problem, preset: str, seed: int) -> Recipe:
    """The problem's recipe for a preset, or the default one of a problem without recipes.

    Raises:
        ValueError: the problem has no such preset.
    """
    recipes = problem.recipes or DEFAULT_RECIPES
    if preset not in recipes:
        raise ValueError(f"{problem.owner} has no preset '{preset}', it has {', '.join(recipes)}.")
    return dataclasses.replace(recipes[preset], seed=seed)


def plan_of(problem: Problem, recipe: Recipe, order: Order) -> dict[str, Any]:
    """All that decides the results of a run; a run is resumed only under the same plan."""
    path, _, name = order.spec.rpartition(":") if ".py:" in order.spec else (order.spec, "", "")
    spec, own = order.spec, ""
    if path.endswith(".py"):  # absolute, so that `kdpinn report` finds it from anywhere
        spec = ":".join(filter(None, (str(Path(path).resolve()), name)))
        own = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return {
        "problem": problem.name,
        "spec": spec,
        "problem_file_sha256": own,
        "preset": order.preset,
        "seed": order.seed,
        "scratch": order.scratch,
        "teacher": "" if order.teacher is None else digest_of(order.teacher),
        "recipe": dataclasses.asdict(recipe),
        "version": versions()["kdpinn"],
    }
