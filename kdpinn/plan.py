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
from kdpinn.teachers.request import Request
from kdpinn.teachers.taught import recorded

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
        spec: name of a problem, or `FILE.py:NAME`; "" if the teachers are all there is.
        preset: key of the problem's recipes.
        seed: of the first trial.
        resume, overwrite: what may happen to an earlier run in the folder.
        last: stage after which to stop, "teacher" or "student"; "" goes the whole way.
        request: teachers to distil from, None to train one.
        students: widths of the hidden layers of each student; the recipe's if empty.
        scratch: whether the selected student is also trained from scratch.
        structure: relation file of the structure that the teacher is to have; None for none.
        partly: whether generators of it that do not fit may be dropped.
    """

    spec: str
    preset: str = "quick"
    seed: int = 0
    resume: bool = False
    overwrite: bool = False
    last: str = ""
    request: Request | None = None
    students: tuple[tuple[int, ...], ...] = ()
    scratch: bool = True
    structure: Path | None = None
    partly: bool = False


def recipe_of(
    problem: Problem, preset: str, seed: int, students: tuple[tuple[int, ...], ...] = ()
) -> Recipe:
    """The problem's recipe for a preset, or the default one of a problem without recipes.

    Raises:
        ValueError: the problem has no such preset.
    """
    recipes = problem.recipes or DEFAULT_RECIPES
    if preset not in recipes:
        raise ValueError(f"{problem.owner} has no preset '{preset}', it has {', '.join(recipes)}.")
    recipe = recipes[preset]
    return dataclasses.replace(recipe, seed=seed, students=students or recipe.students)


def plan_of(problem: Problem, recipe: Recipe, order: Order) -> dict[str, Any]:
    """All that decides the results of a run; a run is resumed only under the same plan."""
    path, _, name = order.spec.rpartition(":") if ".py:" in order.spec else (order.spec, "", "")
    spec, own = order.spec, ""
    if path.endswith(".py"):  # absolute, so that `kdpinn report` finds it from anywhere
        spec = ":".join(filter(None, (str(Path(path).resolve()), name)))
        own = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    tied = {}
    if order.structure is not None:
        digest = hashlib.sha256(order.structure.read_bytes()).hexdigest()
        tied = {"structure_sha256": digest, "partly": order.partly}
    return {
        "problem": problem.name,
        **tied,
        "spec": spec,
        "problem_file_sha256": own,
        "preset": order.preset,
        "seed": order.seed,
        "scratch": order.scratch,
        "teachers": [s.record() for s in order.request.sources] if order.request else [],
        "taught": "" if order.spec else recorded(problem),
        "recipe": dataclasses.asdict(recipe),
        "version": versions()["kdpinn"],
    }
