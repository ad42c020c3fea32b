"""What a finished run knows, as plain data: the report, metrics.json and the benchmarks read it.

All errors are taken on the problem's evaluation grid, never on training points.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROLES = ("teacher", "student", "pruned", "scratch")
POINT_COUNTS = (1, 100, 10_000, 65_536)


@dataclass(frozen=True, kw_only=True)
class ModelMetrics:
    """Size and accuracy of one network; accuracy is None where the problem has no reference.

    rel_l2: ||u - u*||_2 / ||u*||_2 over all fields; rmse and max_abs: in the unit of the fields.
    rel_l2_fields: the same norm field by field.
    residual: RMS of the PDE residual on the evaluation grid, None where the file carries none.
    found: unknown parameters of the equation as this network's training found them.
    matched, tuned: rel_l2 of a student before and after its fine-tuning on the physics.
    """

    parameters: int
    rel_l2: float | None = None
    rmse: float | None = None
    max_abs: float | None = None
    residual: float | None = None
    seconds: float | None = None
    file: str | None = None
    file_bytes: int | None = None
    rel_l2_fields: tuple[float, ...] = ()
    found: Mapping[str, float] = field(default_factory=dict)
    matched: float | None = None
    tuned: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON object with all names, None as null."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Errors of `values` against `reference`; `rel_l2_fields` field by field."""

    rel_l2: float
    rmse: float
    max_abs: float
    rel_l2_fields: tuple[float, ...] = ()


def accuracy(values: Array, reference: Array) -> Accuracy:
    """Errors over all points and fields.

    Args:
        values, reference: (n, fields), float64. Points where the reference is not finite are
            an error of the reference, not of the model.
    Raises:
        ValueError: shapes differ, or the reference is not finite.
    """
    if values.shape != reference.shape:
        raise ValueError(
            f"`accuracy` compares arrays of one shape, got {values.shape} and {reference.shape}."
        )
    if not np.isfinite(reference).all():
        raise ValueError(
            f"The reference holds {int((~np.isfinite(reference)).sum())} values that are not "
            "finite: the problem's `reference` must be defined on its whole evaluation grid."
        )
    difference = values - reference
    return Accuracy(
        rel_l2=_relative(difference, reference),
        rmse=float(np.sqrt(np.mean(difference**2))),
        max_abs=float(np.abs(difference).max()),
        rel_l2_fields=tuple(map(_relative, difference.T, reference.T)),
    )


def _relative(difference: Array, reference: Array) -> float:
    error, norm = float(np.linalg.norm(difference)), float(np.linalg.norm(reference))
    return error / norm if norm > 0 else float("inf") if error > 0 else 0.0


def rise_pct(student: float | None, teacher: float | None) -> float | None:
    """By how many per cent the student's RMSE exceeds its teacher's; None if one is unknown."""
    if student is None or teacher is None or teacher <= 0:
        return None
    return 100.0 * (student / teacher - 1.0)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One coordinate of the evaluation grid: its name, unit and ascending positions (n,)."""

    name: str
    unit: str
    positions: Array


@dataclass(frozen=True, kw_only=True)
class ProblemFacts:
    """The problem as a reader of the report meets it. Texts may hold any Unicode, no markup.

    scattered: evaluation points, if they are no grid; pictures and what is read from them are then
    interpolated onto one, NaN where nothing is known.
    """

    name: str
    title: str
    equations: tuple[str, ...]
    conditions: tuple[str, ...]
    fields: tuple[tuple[str, str], ...]
    parameters: Mapping[str, float]
    source: str
    description: str = ""
    has_reference: bool = True
    scattered: int = 0


@dataclass(frozen=True, kw_only=True)
class History:
    """Training curve of one network, all arrays (k,); NaN where a value was not taken.

    seconds are counted from this network's own start. marks: (row, name) of each stage's begin.
    """

    iteration: Array
    seconds: Array
    loss: Array
    held_out: Array
    rel_l2: Array
    marks: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class FrontierPoint:
    """One network in the picture of error against parameters; `kind` is a role of `ROLES`."""

    kind: str
    parameters: int
    rmse: float
    label: str


@dataclass(frozen=True, kw_only=True)
class EngineLatency:
    """Time of one engine: median and 99th percentile in ms by point count.

    max_error: largest difference from the float64 evaluation of the same network.
    """

    engine: str
    median_ms: Mapping[int, float]
    p99_ms: Mapping[int, float] = field(default_factory=dict)
    max_error: float | None = None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Everything that metrics.json and report.html tell of one run.

    latency_noise: relative difference by point count below which the measurement says nothing.
    teacher_latency_ms: engine -> number of points as text -> median for the teacher's network; and
    "student" -> the same for the student in our runtime, timed in the same rounds.
    truth: true values of unknown parameters, where they are known.
    axes: the evaluation grid; values[role] is (n, fields) over its points in C order (the last
    axis runs fastest), for "reference" and each role present. residuals[role]: (n,) |PDE residual|.
    """

    problem: ProblemFacts
    preset: str
    seed: int
    seconds: float
    models: Mapping[str, ModelMetrics]
    axes: tuple[Axis, ...]
    values: Mapping[str, Array]
    residuals: Mapping[str, Array] = field(default_factory=dict)
    histories: Mapping[str, History] = field(default_factory=dict)
    students: tuple[ModelMetrics, ...] = ()
    frontier: tuple[FrontierPoint, ...] = ()
    latency: tuple[EngineLatency, ...] = ()
    latency_note: str = ""
    latency_noise: Mapping[int, float] = field(default_factory=dict)
    verify: Mapping[str, Any] = field(default_factory=dict)
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    stage_seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    truth: Mapping[str, float] = field(default_factory=dict)
    teacher_latency_ms: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def passed(self) -> bool | None:
        """Verdict of `verify`, None if it has not run."""
        return bool(self.verify["passed"]) if "passed" in self.verify else None

    def to_dict(self) -> dict[str, Any]:
        """The content of metrics.json (arrays and curves left out)."""
        student = dict(self.models["student"].to_dict()) if "student" in self.models else {}
        teacher = self.models.get("teacher")
        if student:
            student["rmse_rise_pct"] = rise_pct(
                student["rmse"], teacher.rmse if teacher is not None else None
            )
        return {
            "problem": self.problem.name,
            "fields": [name for name, _ in self.problem.fields],
            "preset": self.preset,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            **{role: model.to_dict() for role, model in self.models.items()},
            **({"student": student} if student else {}),
            "students": [model.to_dict() for model in self.students],
            "frontier": [vars_of(point) for point in self.frontier],
            "latency_ms": {
                row.engine: {str(n): ms for n, ms in row.median_ms.items()} for row in self.latency
            },
            "latency_p99_ms": {
                row.engine: {str(n): ms for n, ms in row.p99_ms.items()} for row in self.latency
            },
            "latency_max_error": {row.engine: row.max_error for row in self.latency},
            "teacher_latency_ms": {k: dict(v) for k, v in self.teacher_latency_ms.items()},
            "truth": dict(self.truth),
            "latency_note": self.latency_note,
            "latency_noise": {str(n): value for n, value in self.latency_noise.items()},
            "verify": dict(self.verify),
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "recipe": dict(self.recipe),
            "stage_seconds": dict(self.stage_seconds),
            "notes": list(self.notes),
        }


def vars_of(point: FrontierPoint) -> dict[str, Any]:
    """JSON object of a frontier point."""
    return {name: getattr(point, name) for name in point.__dataclass_fields__}


def finite(value: Any) -> Any:
    """The same with numbers that JSON does not have as null."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [finite(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
