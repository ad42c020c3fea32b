"""`kdpinn discover`: from a teacher to its structure, and to a network that has it.

DIR/relation.json     the structure, if one was found and kept
DIR/psi.kdp           the rebuilt network
DIR/discovery.json    everything that was measured, in any case
DIR/report.html       the same as a page with pictures; DIR/figures/ has these
DIR/run/              the teacher, checkpoints, plain and rebuilt fields
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from kdpinn import atomic
from kdpinn.assembly import versions
from kdpinn.discovery_facts import Facts, facts_of_clusters, facts_of_groups, rules_of
from kdpinn.discovery_page import clusters_of, page_of_clusters, page_of_groups
from kdpinn.metrics import finite
from kdpinn.plan import Order, plan_of, recipe_of
from kdpinn.problems import Problem, load_problem
from kdpinn.recipe import Recipe
from kdpinn.report import discovery as report
from kdpinn.report.discovery import SearchPage
from kdpinn.run_folder import RunFolder
from kdpinn.shipping import model_file, stored_dtype
from kdpinn.structure.discovery import LADDER, DiscoverySettings, discover
from kdpinn.structure.examining import subject_of
from kdpinn.structure.outcome import Discovery
from kdpinn.structure.rebuild import Rebuilt, rebuild
from kdpinn.structure.relation import structure_of
from kdpinn.structure.relation_file import write_relation
from kdpinn.structure.students import train_student
from kdpinn.structure.subject import sampled
from kdpinn.structure.taught import Taught, rebuild_taught
from kdpinn.teacher import train_teacher
from kdpinn.teachers.lesson import lesson_of
from kdpinn.teachers.protocol import Teacher
from kdpinn_runtime import write

METHODS = ("group", "hac")


@dataclass(frozen=True, kw_only=True)
class Search:
    """What is asked for.

    Attributes:
        order: problem, preset, seed, teachers, and what may happen to an earlier run.
        hidden: widths of the rebuilt network; the recipe's last student's if empty.
        error: relative L2 error of the teacher, if the user knows it.
        students: good ones to search.
        method: "group", or "hac": the published clustering of single weights, of one student.
    """

    order: Order
    hidden: tuple[int, ...] = ()
    error: float | None = None
    students: int = 4
    method: str = "group"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"--method is {' or '.join(METHODS)}, got '{self.method}'.")


@dataclass(frozen=True, kw_only=True)
class _Taught:
    """A teacher, and what it teaches."""

    problem: Problem
    teacher: Teacher
    given: bool
    trained: bool


def search(wanted: Search, out: Path, console: Console | None = None) -> Facts:
    """Find the structure of a teacher and rebuild it; the facts that stand in discovery.json.

    Raises:
        RunFolderError, ValueError, Interrupted, TrainingDiverged: see `kdpinn.pipeline.run`.
    """
    order = wanted.order
    given = load_problem(order.spec) if order.spec else None
    lesson = lesson_of(order.request, given) if order.request is not None else None
    problem = lesson.problem if lesson is not None else load_problem(order.spec)
    recipe = recipe_of(problem, order.preset, order.seed)
    plan = plan_of(problem, recipe, order) | {
        "command": "discover",
        "hidden": wanted.hidden,
        "error": wanted.error,
        "structure_students": wanted.students,
        "method": wanted.method,
    }
    with RunFolder.open(out, plan, resume=order.resume, overwrite=order.overwrite) as folder:
        _clear(out)
        start = time.perf_counter()
        if lesson is not None:
            taught = _Taught(
                problem=problem, teacher=lesson.teacher, given=lesson.given, trained=False
            )
        else:
            trained = train_teacher(
                problem, recipe, folder.state, order.seed, resume=order.resume, console=console
            )
            taught = _Taught(problem=problem, teacher=trained.field, given=True, trained=True)
        seconds = {"teacher": time.perf_counter() - start}
        start = time.perf_counter()
        if wanted.method == "hac":
            return _clustered(wanted, taught, out, folder)
        found = _discovered(wanted, taught, console)
        seconds["discovery"] = time.perf_counter() - start
        start = time.perf_counter()
        rebuilt = _rebuilt(wanted, taught, found, recipe, folder, console)
        seconds["rebuilding"] = time.perf_counter() - start
        facts = facts_of_groups(order, found, rebuilt)
        facts["seconds"] = {name: round(value, 3) for name, value in seconds.items()}
        files = []
        if rebuilt is not None and facts["kept"]:
            files = _shipped(wanted, taught, found, rebuilt, out)
        start = time.perf_counter()
        page = page_of_groups(taught.problem, taught.teacher, found, rebuilt, facts)
        facts["seconds"]["report"] = round(time.perf_counter() - start, 3)
        if page.clusters is not None:
            facts["clusters"] = rules_of(page.clusters)
        return _told(facts, page, out, folder, files)


def _clear(out: Path) -> None:
    """Delete what an earlier search left in this folder: this one may find less."""
    for name in ("relation.json", "psi.kdp", "discovery.json", "report.html"):
        (out / name).unlink(missing_ok=True)
    for figure in (out / "figures").glob("*.svg"):
        figure.unlink()


def _clustered(wanted: Search, taught: _Taught, out: Path, folder: RunFolder) -> Facts:
    """The published method on one student."""
    subject = subject_of(taught.problem, taught.teacher, given=taught.given, error=wanted.error)
    data = sampled(subject)
    student = train_student(data.samples, LADDER[0], wanted.order.seed)
    clusters = clusters_of(subject, data, student, ())
    facts = facts_of_clusters(wanted.order, student, clusters)
    page = page_of_clusters(taught.problem, subject, student, clusters, facts)
    return _told(facts, page, out, folder, [])


def _told(facts: Facts, page: SearchPage, out: Path, folder: RunFolder, files: list[Path]) -> Facts:
    """Write the report and discovery.json, and mark the search as finished."""
    files = [*files, *report.write(out, page)]
    told = facts | {"files": [str(path.relative_to(out)) for path in files]}
    text = json.dumps(finite(told), indent=2, ensure_ascii=False, allow_nan=False)
    atomic.write_text(out / "discovery.json", text + "\n")
    folder.finish("discovery", {}, [*files, out / "discovery.json"])
    return told


def _discovered(wanted: Search, taught: _Taught, console: Console | None) -> Discovery:
    subject = subject_of(taught.problem, taught.teacher, given=taught.given, error=wanted.error)
    settings = DiscoverySettings(students=wanted.students, seed=wanted.order.seed)

    def say(text: str) -> None:
        if console is not None:
            console.print(text, markup=False, highlight=False, soft_wrap=True)

    found = discover(subject, settings, say)
    say(found.statement)
    return found


def _rebuilt(
    wanted: Search,
    taught: _Taught,
    found: Discovery,
    recipe: Recipe,
    folder: RunFolder,
    console: Console | None,
) -> Rebuilt | Taught | None:
    """The tied network beside the plain one, on the equation if there is one."""
    if found.group is None:
        return None
    hidden = wanted.hidden or recipe.students[-1]
    order = wanted.order
    options: Facts = {
        "seed": order.seed,
        "out_dir": folder.state,
        "resume": order.resume,
        "console": console,
    }
    problem = taught.problem
    if problem.residual is None:
        known = found.subject.error
        error = None if known is None else float(known.max())
        return rebuild_taught(
            problem, taught.teacher, found.group, hidden, recipe, error=error, **options
        )
    return rebuild(problem, found.group, hidden, recipe, **options)


def _shipped(
    wanted: Search, taught: _Taught, found: Discovery, rebuilt: Rebuilt | Taught, out: Path
) -> list[Path]:
    """relation.json and psi.kdp."""
    relation, model = out / "relation.json", out / "psi.kdp"
    seed = wanted.order.seed if taught.trained else None
    name = taught.problem.name if taught.given else ""
    write_relation(relation, structure_of(found, name, seed))
    field, problem = rebuilt.field, taught.problem.with_found(rebuilt.field.found)
    points = problem.evaluation_points()
    reference = problem.reference_at(points) if problem.reference is not None else None
    card = {
        "problem": problem.name,
        "title": problem.title,
        "source": problem.source,
        "role": "rebuilt",
        "preset": wanted.order.preset,
        "seed": wanted.order.seed,
        "structure": found.statement,
        "parameters": field.network.parameters,
        "versions": versions(),
    }
    dtype = stored_dtype(field, points, reference)
    write(model, model_file(problem, field, dtype=dtype, card=card))
    return [relation, model]
