"""The stages of a run, in order: trainings, files, evaluation, latency, verdict, report."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from kdpinn import steps
from kdpinn.assembly import assemble, stage_seconds
from kdpinn.choice import best_by_samples
from kdpinn.distill import distill, scratch
from kdpinn.field import Field
from kdpinn.gradual_pruning import prune
from kdpinn.networks import MLP
from kdpinn.outcome import Outcome
from kdpinn.plan import Order
from kdpinn.steps import Site
from kdpinn.stored import write_arrays
from kdpinn.structure.rebuild import fitted_widths, new_tied_field
from kdpinn.teacher import train_teacher
from kdpinn.teachers.lesson import Lesson
from kdpinn.teachers.protocol import Scattered, Sliced, Teacher
from kdpinn.teachers.table import Table
from kdpinn.team import Team
from kdpinn.train import Trained

Facts = dict[str, Any]

HELD_OUT = "held-out.npz"
"""The samples that judge, where samples are all that is known."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """How model files are timed; the benchmarks, which this module must not import, do it.

    Attributes:
        seconds: longest time for one latency target or number of points.
        engines: model file and seconds -> what the report tells of every engine.
        teacher: files of the teacher and the student, seconds -> engine, or "student", -> number
            of points as text -> ms.
    """

    seconds: float
    engines: Callable[[Path, float], Facts]
    teacher: Callable[[Path, Path, float], dict[str, dict[str, float]]]


class Course:
    """One run in one folder: the stages in order, each skipped if it is finished."""

    def __init__(
        self,
        site: Site,
        order: Order,
        plan: Facts,
        lesson: Lesson | None,
        console: Console | None,
        started: float,
        team: Team,
        clock: Clock,
    ) -> None:
        self.site, self.order, self.plan, self.console = site, order, plan, console
        self.lesson = lesson
        self.problem, self.recipe, self.folder = site.problem, site.recipe, site.folder
        self.solved, self.team, self.clock = site.problem, team, clock
        # Of a run that ended before, its whole time counts, not that of its stages alone.
        before = (site.folder.finished("clock") or {}).get("total")
        self.started, self.earlier = started, before or sum(stage_seconds(site.folder).values())
        self.said: list[str] = []
        self.trained: dict[str, str] = {}
        self.files: dict[str, str] = {}

    def all(self) -> None:
        """Go the whole way, or as far as was ordered."""
        teacher = self.teacher()
        if self.order.last == "teacher":
            return
        if isinstance(teacher, Field):
            self.solved = self.problem.with_found(teacher.found)
        self.students(teacher)
        self.stage("onnx", lambda: steps.export_onnx(self.site))
        if self.order.last == "student":
            if self.lesson is not None:  # of a teacher from elsewhere there is much to tell
                self.evaluate()
                self.stage("report", self.report)
            return
        if self.recipe.pruning is not None and isinstance(teacher, Field):
            self.pruned(teacher)
        if self.order.scratch:
            self.scratch()
        self.evaluate()
        self.say("measuring latency")
        self.stage("latency", self.latency)
        self.say("verifying student.kdp")
        self.stage("verify", lambda: steps.check(self.site, self.clock.seconds))
        self.stage("report", self.report)

    # -- the trainings -----------------------------------------------------------------------

    def teacher(self) -> Teacher:
        """Who teaches: a network trained by the recipe, or whom the user brought.

        A brought field of a stated problem is shipped like one that was trained here.
        """
        lesson = self.lesson
        if lesson is None:

            def make() -> Outcome:
                settings = {**self.settings(), "team": self.team}
                return Outcome.of_training(self.trained_teacher(settings))

            return self.network("teacher", "teacher", "teacher.kdp", make)
        self.said = [*lesson.notes]
        if isinstance(lesson.teacher, Table) and not lesson.given:
            points, _ = lesson.teacher.part(held_out=True)
            held_out = {"points": points, "values": lesson.teacher.values(points)}
            write_arrays(self.folder.state / HELD_OUT, held_out)
        brought = lesson.teacher
        if not lesson.given or not isinstance(brought, Field):
            return brought
        note = f"Taken from {', '.join(t['name'] for t in self.site.teachers)}."
        return self.network(
            "teacher", "teacher", "teacher.kdp", lambda: Outcome.given(brought, note)
        )

    def trained_teacher(self, settings: Facts) -> Trained:
        """A network by the recipe, tied if the run has a structure."""
        group, recipe = self.site.structure, self.recipe
        if group is None:
            return train_teacher(self.problem, recipe, **settings)
        widths = fitted_widths(recipe.teacher, group.order)
        start = new_tied_field(self.problem, group, widths, recipe, self.order.seed)
        return train_teacher(self.problem, recipe, start=start, **settings)

    def students(self, teacher: Teacher) -> None:
        """All students; everything else is made from the last, or, of samples, from the best."""
        made = {hidden: self.student(hidden, teacher) for hidden in self.recipe.students}
        chosen = self.recipe.students[-1]
        if isinstance(teacher, Table):
            chosen, why = best_by_samples(self.problem, teacher, made)
            self.said.append(why)
        whole = self.lesson is None or self.lesson.given
        shown = teacher if whole and not isinstance(teacher, (Scattered, Sliced)) else None
        for hidden, field in made.items():
            last = hidden == chosen
            name = "student" if last else f"student-{field.network.parameters}"
            self.shipped(_stage("student", hidden), name, f"{name}.kdp", "student", field, shown)

    def student(self, hidden: tuple[int, ...], teacher: Teacher) -> Field:
        """One student."""

        def make() -> Outcome:
            return Outcome.of_distillation(
                distill(self.solved, self.recipe, teacher, hidden, **self.settings())
            )

        return self.field(_stage("student", hidden), make)

    def pruned(self, teacher: Field) -> None:
        """The teacher itself, pruned to the size of the selected student."""
        sizes = teacher.network.sizes
        size = MLP((sizes[0], *self.recipe.students[-1], sizes[-1])).parameters

        def make() -> Outcome:
            return Outcome.of_distillation(
                prune(self.solved, self.recipe, teacher, size, **self.settings())
            )

        stage = f"pruned-{size}"
        field = self.field(stage, make)
        self.shipped(stage, "pruned", "run/pruned.kdp", "student", field, teacher)

    def scratch(self) -> None:
        """The selected student's network, trained without a teacher."""
        hidden = self.recipe.students[-1]

        def make() -> Outcome:
            return Outcome.of_training(
                scratch(self.problem, self.recipe, hidden, **self.settings(), team=self.team)
            )

        self.network(_stage("scratch", hidden), "scratch", "run/scratch.kdp", make)

    def settings(self) -> dict[str, Any]:
        """Where the trainings keep their state and how they are watched."""
        return {
            "out_dir": self.folder.state,
            "seed": self.order.seed,
            "resume": self.order.resume,
            "console": self.console,
        }

    def network(self, stage: str, name: str, file: str, make: Callable[[], Outcome]) -> Field:
        """A trained network and its model file."""
        field = self.field(stage, make)
        self.shipped(stage, name, file, name, field)
        return field

    def field(self, stage: str, make: Callable[[], Outcome]) -> Field:
        """A trained network, kept under run/."""
        path = self.folder.state / f"{stage}.safetensors"
        known = self.folder.finished(stage) is not None
        facts = self.stage(stage, lambda: make().store(path))
        how = "kept" if known else f"{facts['seconds']:.1f} s"
        self.say(f"{stage}: {facts['parameters']} parameters, {how}")
        if facts["note"]:
            self.say(f"  {facts['note']}")
        return Field.load(path)

    def shipped(
        self,
        stage: str,
        name: str,
        file: str,
        role: str,
        field: Field,
        teacher: Teacher | None = None,
    ) -> None:
        """The model file of a trained network."""
        solved = self.solved if role == "student" else self.problem
        site = replace(self.site, problem=solved)
        self.stage(f"{stage}-file", lambda: steps.ship(site, file, role, field, teacher))
        self.trained[name], self.files[name] = stage, file

    def evaluate(self) -> None:
        """Every model on the evaluation points."""
        said = self.said
        self.stage("evaluation", lambda: steps.evaluate(self.site, self.files, self.trained, said))

    def latency(self) -> steps.Step:
        """Engines side by side on student.kdp, and beside the teacher in torch."""
        student, teacher = (self.folder.path / f"{n}.kdp" for n in ("student", "teacher"))
        facts = self.clock.engines(student, self.clock.seconds)
        compared = self.clock.teacher(teacher, student, self.clock.seconds)
        return {**facts, "teacher": compared}, []

    def report(self) -> steps.Step:
        """metrics.json and report.html."""
        total = round(self.earlier + time.perf_counter() - self.started, 3)
        result = assemble(self.folder, self.problem, self.plan, total)
        self.folder.finish("clock", {"total": total}, [])
        return {}, steps.write_report(self.folder.path, result)

    # -- how a stage runs --------------------------------------------------------------------

    def stage(self, name: str, make: Callable[[], steps.Step]) -> Facts:
        """Facts of the stage; made now, or by an earlier session."""
        known = self.folder.finished(name)
        if known is not None:
            return known
        start = time.perf_counter()
        facts, files = make()
        facts = {"seconds": round(time.perf_counter() - start, 3), **facts}
        self.folder.finish(name, facts, files)
        return facts

    def say(self, text: str) -> None:
        """One line for people."""
        if self.console is not None:
            self.console.print(text, markup=False, highlight=False)


def _stage(kind: str, hidden: tuple[int, ...]) -> str:
    """Name of a training stage, as the training names its own files."""
    return f"{kind}-{'-'.join(map(str, hidden))}"
