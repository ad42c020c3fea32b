"""The whole way: teacher, students, files, latency, verdict, report; each stage resumable."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console

import kdpinn_bench
from kdpinn import steps
from kdpinn.assembly import assemble
from kdpinn.course import HELD_OUT, Clock, Course
from kdpinn.latency import kept
from kdpinn.metrics import POINT_COUNTS, RunResult
from kdpinn.plan import Order, plan_of, recipe_of
from kdpinn.problems import Problem, load_problem
from kdpinn.run_folder import RunFolder, read_plan
from kdpinn.steps import Site
from kdpinn.stored import read_arrays
from kdpinn.structure.group import Group
from kdpinn.structure.relation_file import read_relation
from kdpinn.structure.transfer import transferred
from kdpinn.teacher import help_train
from kdpinn.teachers.lesson import lesson_of
from kdpinn.teachers.taught import rebuilt
from kdpinn.team import joined
from kdpinn_bench import speedups
from kdpinn_runtime import read

Facts = dict[str, Any]

LATENCY_SECONDS = {"quick": 1.0}


def run(
    order: Order, out: Path, console: Console | None = None, started: float | None = None
) -> RunResult:
    """Make everything that `out` is to hold, or what is missing of it.

    Args:
        console: where progress is drawn; None for none.
        started: `time.perf_counter()` when the user's clock began to run; now, if None.
    Raises:
        RunFolderError: the folder cannot take the run; nothing was started.
        ValueError: unknown problem or preset.
        Interrupted, TrainingDiverged: from the training; finished stages stay.
    """
    given = load_problem(order.spec) if order.spec or order.request is None else None
    lesson = lesson_of(order.request, given) if order.request is not None else None
    problem = lesson.problem if lesson is not None else load_problem(order.spec)
    recipe = recipe_of(problem, order.preset, order.seed, order.students)
    structure = structure_of(order, problem, console)
    plan = plan_of(problem, recipe, order)
    with (
        RunFolder.open(out, plan, resume=order.resume, overwrite=order.overwrite) as folder,
        joined() as team,
    ):
        points = problem.evaluation_points()
        reference = problem.reference_at(points) if problem.reference is not None else None
        site = Site(
            problem,
            recipe,
            order.preset,
            order.seed,
            folder,
            points,
            reference,
            plan["teachers"],
            structure,
        )
        clock = Clock(
            seconds=LATENCY_SECONDS.get(order.preset, 3.0), engines=measure, teacher=measure_teacher
        )
        started = started or time.perf_counter()
        Course(site, order, plan, lesson, console, started, team, clock).all()
        return assemble(folder, problem, plan)


def structure_of(order: Order, problem: Problem, console: Console | None = None) -> Group | None:
    """The group that the order's relation file says, on this problem; None if there is no file.

    Raises:
        ValueError: the file is none, or its structure does not fit the problem, and why.
        OSError: the file cannot be read.
    """
    if order.structure is None:
        return None
    group = transferred(read_relation(order.structure), problem, partly=order.partly)
    if console is not None:
        maps = "; ".join(g.describe(problem.coordinates, problem.fields) for g in group.generators)
        console.print(f"structure: {maps}", markup=False, highlight=False)
    return group


def help_run(spec: str) -> None:
    """What the processes of a `torchrun` do beside the first, which goes the way of `run`."""
    problem = load_problem(spec)
    with joined() as team:
        help_train(problem, team)


def render_again(out: Path) -> RunResult:
    """Write metrics.json and report.html anew from the finished stages in `out`.

    Raises:
        RunFolderError: there is no run, or another process is at work in it.
    """
    plan = read_plan(out)
    problem = load_problem(plan["spec"]) if plan["spec"] else _taught(out, plan["taught"])
    with RunFolder.open(out, plan, resume=True, overwrite=False) as folder:
        result = assemble(folder, problem, plan)
        steps.write_report(out, result)
        return result


def _taught(out: Path, record: Facts) -> Problem:
    """The problem of a run that had nothing but its teacher, without the teacher."""
    samples = out / "run" / HELD_OUT
    return rebuilt(record, read_arrays(samples) if samples.exists() else None)


def measure(model: Path, seconds: float, *, compile_too: bool = False) -> Facts:
    """Time every engine that is installed on a model file, ours first.

    Args:
        seconds: longest time for each number of points, without preparation.
        compile_too: whether torch.compile takes part; it compiles for half a minute.
    Returns:
        See `kdpinn.latency.kept`.
    """
    table = kdpinn_bench.measure(
        read(model),
        points=POINT_COUNTS,
        engines=kdpinn_bench.default_engines(compile_too),
        schedule=kdpinn_bench.Schedule(budget_s=seconds),
    )
    return kept(table)


def measure_teacher(teacher: Path, student: Path, seconds: float) -> dict[str, dict[str, float]]:
    """The teacher in torch, in float32 and in float64, and the student in our runtime.

    All in the same rounds, so that a busy machine slows all of them.

    Returns:
        Engine, or "student", -> number of points as text -> median in ms.
    """
    schedule = kdpinn_bench.Schedule(budget_s=seconds)
    samples = speedups.side_by_side(read(teacher), {"student": read(student)}, schedule)
    names = (speedups.SINGLE, speedups.DOUBLE, "student")
    points = str(speedups.POINTS)
    return {name: {points: 1e3 * samples[name].summary().median} for name in names}
