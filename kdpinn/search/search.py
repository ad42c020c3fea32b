"""A search from its order to its front, resumable at any point."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

import kdpinn_runtime
from kdpinn import atomic
from kdpinn.evaluation import check_names
from kdpinn.field import Field
from kdpinn.outcome import Outcome
from kdpinn.plan import Order, plan_of, recipe_of
from kdpinn.problems import Problem, load_problem
from kdpinn.recipe import Recipe
from kdpinn.run_folder import RunFolder
from kdpinn.search.front import Row, pareto
from kdpinn.search.space import Space
from kdpinn.search.study import Study
from kdpinn.search.trial import Architecture, Found, Job
from kdpinn.search.workers import Workers
from kdpinn.shipping import field_of, model_file
from kdpinn.steps import digest_of
from kdpinn.teacher import train_teacher
from kdpinn_runtime.latency import call_times, one_core

LATENCY_REPEATS = 7
LATENCY_SECONDS = 0.05


@dataclass(frozen=True, kw_only=True)
class SearchOrder:
    """What a search was asked for.

    Attributes:
        order: problem, preset, seed, resume and overwrite.
        trials: that go to their end, earlier sessions' included.
        iterations: of the matching in each trial; None for the recipe's.
        teacher: a model file of this problem; None to train one.
    """

    order: Order
    trials: int
    space: Space = dataclasses.field(default_factory=Space)
    iterations: int | None = None
    teacher: Path | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "iterations"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"A search needs {name} >= 1, got {value}.")


@dataclass(frozen=True, kw_only=True)
class Searched:
    """All students found, those on the front, and what failed."""

    rows: tuple[Row, ...]
    front: tuple[Row, ...]
    failures: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)


def search(
    wanted: SearchOrder, out: Path, workers: Callable[[], Workers], console: Console | None = None
) -> Searched:
    """Distil students of many architectures, and find those that no other beats.

    Leaves search.json, teacher.kdp and students/*.kdp in `out`.

    Args:
        workers: makes the place where trials run, once the folder is known to be good.
        console: where progress is told; None for nowhere.
    Raises:
        RunFolderError, ValueError: wrong use; nothing was started.
        Interrupted: while the teacher trains.
        KeyboardInterrupt: later; what has ended is kept.
    """
    order = wanted.order
    problem = load_problem(order.spec)
    recipe = recipe_of(problem, order.preset, order.seed)
    plan = {**plan_of(problem, recipe, order), "search": dataclasses.asdict(wanted.space)}
    plan["search"]["iterations"] = wanted.iterations
    plan["search"]["teacher"] = "" if wanted.teacher is None else digest_of(wanted.teacher)
    with RunFolder.open(out, plan, resume=order.resume, overwrite=order.overwrite) as folder:
        # A process that was killed while it wrote leaves the journal's lock; the folder is ours.
        for lock in folder.state.glob("study.journal.*"):
            lock.unlink()
        study = Study(folder.state / "study.journal", wanted.space, order.seed)
        place = workers()  # before the teacher: a cluster that does not answer costs no training
        try:
            teacher = _teacher(problem, recipe, wanted, folder, console)
            _trials(wanted, plan["spec"], teacher, study, place, out / "students", console)
        finally:
            place.close()
        return _result(study, problem, out)


def _trials(
    wanted: SearchOrder,
    spec: str,
    teacher: Field,
    study: Study,
    workers: Workers,
    students: Path,
    console: Console | None,
) -> None:
    """Keep all workers busy until enough trials have gone to their end."""
    students.mkdir(exist_ok=True)
    order = wanted.order
    running: dict[int, Architecture] = {}
    job = Job(
        spec=spec,
        preset=order.preset,
        seed=order.seed,
        teacher=teacher,
        architecture=(1, 1),
        iterations=wanted.iterations,
    )
    done = len(study.finished())
    while True:
        while done + len(running) < wanted.trials and len(running) < workers.capacity:
            asked = study.ask()
            if asked is None:
                break
            number, architecture = asked
            running[number] = architecture
            workers.submit(number, replace(job, architecture=architecture))
        if not running:
            return
        ended = workers.next()
        depth, width = running.pop(ended.number)
        if ended.found is not None:
            done += 1
            text = _keep(study, ended.number, ended.found, students)
        elif ended.lost:
            study.lost(ended.number)
            text = "its worker was lost; it will be tried again"
        else:
            study.failed(ended.number, ended.failure)
            text = f"failed: {ended.failure}"
        if console is not None:
            head = f"{done}/{wanted.trials}  trial {ended.number}, {depth} x {width}: "
            console.print(head + text, markup=False, highlight=False)


def _keep(study: Study, number: int, found: Found, students: Path) -> str:
    """Store the student, then tell the study: a trial that is told has its file."""
    path = students / f"{number}.kdp"
    atomic.write_bytes(path, found.file)
    latency = latency_us(path)
    values = {"error": found.error, "latency_us": latency, "bytes": float(len(found.file))}
    study.told(number, values, {"parameters": found.parameters})
    return f"rel L2 {found.error:.2e}, {latency:.2f} us, {len(found.file)} bytes"


def latency_us(path: Path) -> float:
    """Median over repeats of the median time of a call with one point, in us, on one thread."""
    model = kdpinn_runtime.load(path)
    x = np.array([[0.5 * (v.lower + v.upper) for v in model.inputs]], dtype=model.file.dtype)
    out = np.empty((1, len(model.outputs)), dtype=model.file.dtype)
    with one_core():
        call = model.bind(x, out)
        return statistics.median(
            float(np.median(call_times(call, budget_s=LATENCY_SECONDS))) / 1e3
            for _ in range(LATENCY_REPEATS)
        )


def _teacher(
    problem: Problem,
    recipe: Recipe,
    wanted: SearchOrder,
    folder: RunFolder,
    console: Console | None,
) -> Field:
    """The teacher, from a file or trained once; kept as teacher.kdp."""
    kept = folder.state / "teacher.safetensors"
    if folder.finished("teacher") is None:
        if wanted.teacher is not None:
            model = kdpinn_runtime.load(wanted.teacher)
            check_names(problem, model)
            field = field_of(model.file, problem.name)
            outcome = Outcome.given(field, f"Taken from {wanted.teacher.name}.")
        else:
            seed, resume = wanted.order.seed, wanted.order.resume
            trained = train_teacher(
                problem, recipe, folder.state, seed, resume=resume, console=console
            )
            outcome = Outcome.of_training(trained)
        facts, files = outcome.store(kept)
        file = folder.path / "teacher.kdp"
        kdpinn_runtime.write(file, model_file(problem, outcome.field))
        folder.finish("teacher", facts, [*files, file])
    return Field.load(kept)


def _result(study: Study, problem: Problem, out: Path) -> Searched:
    """Latencies once more, one file after the other now that no training disturbs them."""
    rows = []
    for number, (depth, width), values, facts in study.finished():
        path = out / "students" / f"{number}.kdp"
        row = {"trial": number, "depth": depth, "width": width, "file": f"students/{number}.kdp"}
        row |= {"parameters": facts["parameters"], "error": values["error"]}
        row |= {"latency_us": latency_us(path), "bytes": path.stat().st_size}
        rows.append(row)
    failures = tuple(
        {"trial": number, "depth": depth, "width": width, "why": why}
        for number, (depth, width), why in study.failures()
    )
    searched = Searched(rows=tuple(rows), front=tuple(pareto(rows)), failures=failures)
    content = {"problem": problem.name, **searched.to_dict()}
    atomic.write_text(out / "search.json", json.dumps(content, indent=1, allow_nan=False) + "\n")
    return searched
