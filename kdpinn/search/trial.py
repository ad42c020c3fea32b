"""One trial: distil a student of one architecture. A function of its job alone, in any process."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

import kdpinn_runtime
from kdpinn.distill import distill
from kdpinn.evaluation import on_grid
from kdpinn.field import Field
from kdpinn.plan import recipe_of
from kdpinn.problems import load_problem
from kdpinn.shipping import model_file, stored_dtype

Architecture: TypeAlias = tuple[int, int]
"""Depth and width."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """All that a trial depends on; it travels to other processes and machines.

    Attributes:
        spec: name of a problem, or `FILE.py:NAME` with a path that the worker can read.
        iterations: of the matching; None for the recipe's.
    """

    spec: str
    preset: str
    seed: int
    teacher: Field
    architecture: Architecture
    iterations: int | None = None


@dataclass(frozen=True, kw_only=True)
class Found:
    """The student of a trial.

    Attributes:
        error: relative L2 error of the file on the evaluation grid, by the runtime: against the
            reference, or the teacher without one.
        parameters: of the network.
        file: content of its model file.
    """

    error: float
    parameters: int
    file: bytes


def evaluate(job: Job) -> Found:
    """Distil the student and write its model file.

    Raises:
        ValueError: the problem cannot be loaded.
        TrainingDiverged: see `kdpinn.train.train`.
    """
    problem = load_problem(job.spec)
    recipe = recipe_of(problem, job.preset, job.seed)
    if job.iterations is not None:
        budget = replace(recipe.distillation, iterations=job.iterations)
        recipe = replace(recipe, distillation=budget)
    problem = problem.with_found(job.teacher.found)
    depth, width = job.architecture
    field = distill(problem, recipe, job.teacher, (width,) * depth, None, job.seed).field
    points = problem.evaluation_points()
    truth = problem.reference_at(points) if problem.reference else job.teacher.values(points)
    dtype = stored_dtype(field, points, truth)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "student.kdp"
        kdpinn_runtime.write(path, model_file(problem, field, teacher=job.teacher, dtype=dtype))
        accuracy = on_grid(problem, kdpinn_runtime.load(path), points, np.asarray(truth)).accuracy
        assert accuracy is not None
        return Found(
            error=accuracy.rel_l2, parameters=field.network.parameters, file=path.read_bytes()
        )
