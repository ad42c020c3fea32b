"""What whole runs are to reach: limits on errors, times and speed-ups, judged by the worst seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kdpinn.comparison import over_teacher

Metrics = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A limit on a figure of a run: of the whole run, or of one of its networks.

    Attributes:
        figure: "seconds" or "speed-up" of the run; or a key of the networks, such as "rel_l2" or
            "rmse"; "rel_l2 of p" for one field; "rise" of the RMSE over the teacher's, in per
            cent.
        limit: the worst seed has to stay at or below it; at or above it for "speed-up".
        parameters: the networks that count have at most so many; None for the whole run.
        teacher: whether the teacher counts, not the students.
    """

    problem: str
    preset: str
    figure: str
    limit: float
    parameters: int | None = None
    teacher: bool = False

    @property
    def upward(self) -> bool:
        """Whether more is better."""
        return self.figure == "speed-up"

    def reached_by(self, metrics: Metrics) -> float:
        """The figure in one run: the best over the networks that count."""
        if self.figure == "speed-up":
            return over_teacher(metrics)
        if self.parameters is None:
            return float(metrics[self.figure])
        networks = metrics["students"] or [metrics["student"]]
        if self.teacher:
            networks = [metrics["teacher"]]
        counted = [n for n in networks if n["parameters"] <= self.parameters]
        return min((self._of(n, metrics) for n in counted), default=float("inf"))

    def met_by(self, value: float) -> bool:
        """Whether the limit holds."""
        return value >= self.limit if self.upward else value <= self.limit

    def judges(self, student: Metrics) -> bool:
        """Whether it is a limit on the error of students, and this one counts."""
        if self.teacher or self.parameters is None or self.figure == "rise":
            return False
        return bool(student["parameters"] <= self.parameters)

    def _of(self, network: Metrics, metrics: Metrics) -> float:
        if self.figure == "rise":
            return 100 * (float(network["rmse"]) / float(metrics["teacher"]["rmse"]) - 1)
        if self.figure.startswith("rel_l2 of "):
            fields = metrics["fields"]
            return float(network["rel_l2_fields"][fields.index(self.figure.split()[-1])])
        return float(network[self.figure])

    def __str__(self) -> str:
        unit = " (%)" if self.figure == "rise" else ""
        if self.parameters is None:
            return f"whole run, {self.figure}{unit}"
        role = "teacher" if self.teacher else "student"
        return f"{role} of at most {self.parameters} parameters, {self.figure}{unit}"


def meets_bar(metrics: Metrics, student: Metrics) -> bool | None:
    """Whether this student alone keeps the limits on errors of students of at most its size.

    Of limits for several sizes those of the least size that covers it count; None without any.
    """
    about = (metrics["problem"], metrics["preset"])
    goals = [g for g in GOALS if (g.problem, g.preset) == about and g.judges(student)]
    if not goals:
        return None
    size = min(goal.parameters or 0 for goal in goals)
    alone = {**metrics, "students": [student]}
    return all(g.met_by(g.reached_by(alone)) for g in goals if g.parameters == size)


ANY = 10**9
TEACHERS = {
    "laplace": (257, 5e-6, 2e-7),
    "poisson": (1400, 1e-3, 1e-6),
    "heat": (ANY, None, 1e-6),
    "burgers": (1400, 3e-4, 2e-6),
    "burgers_family": (ANY, None, 1e-4),
    "allen_cahn": (ANY, None, 1.5e-5),
    "black_scholes": (ANY, None, 1e-4),
    "navier_stokes": (ANY, None, 1e-5),
    "cavity": (ANY, None, 1e-2),
    "cavity_re400": (ANY, None, 3e-2),
}
"""Relative L2 error by problem: parameters at most, limits of the presets quick and best."""
STUDENTS = {
    "laplace": (300, 1e-6),
    "poisson": (300, 1e-4),
    "heat": (300, 1e-4),
    "burgers_family": (2000, 3e-4),
    "allen_cahn": (1000, 1e-4),
    "black_scholes": (300, 3e-4),
    "navier_stokes": (1000, 1e-4),
    "cavity": (2000, 1e-2),
    "cavity_re400": (2000, 3e-2),
}
"""Relative L2 error of the preset best: parameters at most, limit."""
BURGERS = {109: 1.3e-3, 177: 2.2e-4, 261: 4.5e-5, 477: 4.5e-6, 921: 1.1e-6}
"""RMSE of the preset best by parameters."""
CYLINDER = {"p": 1.5e-3, "u": 8e-4, "v": 1.7e-3}
"""Relative L2 error by field of the teacher, preset best; students of 1000: 1.5 times that."""
SPEEDUP = 30.0


def _goals() -> Iterator[Goal]:
    yield Goal(problem="burgers", preset="quick", figure="seconds", limit=100)
    yield Goal(problem="burgers", preset="best", figure="seconds", limit=900)
    yield Goal(problem="burgers", preset="quick", figure="rmse", limit=3e-4, parameters=261)
    for problem, (count, *limits) in TEACHERS.items():
        for preset, limit in zip(("quick", "best"), limits, strict=True):
            if limit is not None:
                yield _error(problem, preset, "rel_l2", limit, count, teacher=True)
    for problem, (count, limit) in STUDENTS.items():
        yield _error(problem, "best", "rel_l2", limit, count)
    for count, limit in BURGERS.items():
        yield _error("burgers", "best", "rmse", limit, count)
    yield _error("burgers", "best", "rise", 0.64, 921)
    for field, limit in CYLINDER.items():
        figure = f"rel_l2 of {field}"
        yield _error("cylinder_flow", "best", figure, limit, ANY, teacher=True)
        yield _error("cylinder_flow", "best", figure, 1.5 * limit, 1000)
    for problem in (*TEACHERS, "cylinder_flow"):
        yield Goal(problem=problem, preset="best", figure="speed-up", limit=SPEEDUP)


def _error(
    problem: str, preset: str, figure: str, limit: float, count: int, *, teacher: bool = False
) -> Goal:
    return Goal(
        problem=problem,
        preset=preset,
        figure=figure,
        limit=limit,
        parameters=count,
        teacher=teacher,
    )


GOALS = tuple(_goals())
