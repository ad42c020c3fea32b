"""What follows training, step by step: files, evaluation, latency, verdict, report.

Each step returns its facts (JSON) and the files it left; `pipeline` decides when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import kdpinn_runtime
from kdpinn import atomic, report
from kdpinn.assembly import versions
from kdpinn.evaluation import OnGrid, on_grid
from kdpinn.field import Field
from kdpinn.geometry import FloatArray
from kdpinn.metrics import ROLES, ModelMetrics, RunResult, accuracy, finite
from kdpinn.problems import Problem
from kdpinn.recipe import Recipe
from kdpinn.run_folder import RunFolder
from kdpinn.shipping import model_file, stored_dtype
from kdpinn.stored import write_arrays
from kdpinn.structure.group import Group
from kdpinn.teachers.protocol import Teacher
from kdpinn_export import check_onnx, to_bytes, to_onnx
from kdpinn_runtime import read, verify, write

Step = tuple[dict[str, Any], list[Path]]
ONNX_FILES = {"student.onnx": False, "student_derivatives.onnx": True}


@dataclass(frozen=True)
class Site:
    """Where a run takes place.

    Attributes:
        points: evaluation grid (n, d); reference: (n, m) there, or None.
        teachers: of others, as they were recorded; none if it was trained here.
        structure: group that the teacher is tied by; None for none.
    """

    problem: Problem
    recipe: Recipe
    preset: str
    seed: int
    folder: RunFolder
    points: FloatArray
    reference: FloatArray | None
    teachers: Sequence[Mapping[str, Any]] = ()
    structure: Group | None = None

    def path(self, name: str) -> Path:
        """A file of the output folder."""
        return self.folder.path / name


def ship(site: Site, name: str, role: str, field: Field, teacher: Teacher | None = None) -> Step:
    """Write `name` with everything a device needs to check it.

    Args:
        teacher: whose values go with the file, if it knows them everywhere.
    """
    dtype = stored_dtype(field, site.points, site.reference)
    file = model_file(
        site.problem.with_found(field.found),
        field,
        teacher=teacher,
        dtype=dtype,
        card=_card(site, role, field, has_teacher=isinstance(teacher, Field)),
    )
    path = site.path(name)
    write(path, file)
    return {"file": name, "dtype": dtype, "parameters": field.network.parameters}, [path]


def export_onnx(site: Site) -> Step:
    """student.onnx and student_derivatives.onnx, each checked in onnxruntime."""
    model = site.path("student.kdp")
    checks = [
        onnx_file(model, site.path(name), derivatives=derivatives)
        for name, derivatives in ONNX_FILES.items()
    ]
    return {"checks": checks}, [site.path(name) for name in ONNX_FILES]


def onnx_file(model: Path, target: Path, *, derivatives: bool) -> dict[str, Any]:
    """Write the ONNX form of a model file; the result of its check in onnxruntime, for JSON."""
    content = read(model)
    data = to_bytes(to_onnx(content, derivatives=derivatives, digest=digest_of(model)))
    worst = max(check_onnx(data, content), key=lambda d: d.ratio)
    atomic.write_bytes(target, data)
    return {
        "name": f"{target.name} in onnxruntime",
        "passed": worst.passed,
        "measured": worst.error,
        "limit": worst.error / worst.ratio if worst.ratio > 0 else worst.bound,
        "unit": "",
        "note": f"output {worst.output}: largest difference from the model in float64; limit: "
        "rounding permitted to float32",
    }


def evaluate(
    site: Site, files: Mapping[str, str], stages: Mapping[str, str], said: Sequence[str] = ()
) -> Step:
    """Every model on the evaluation grid, by the runtime from its file.

    Args:
        files: role or name -> file; roles are those of `metrics.ROLES`.
        stages: the same names -> training stage.
        said: notes for the report, before those of the stages.
    """
    arrays: dict[str, FloatArray] = {}
    found: dict[str, dict[str, Any]] = {}
    for name, file in files.items():
        model = kdpinn_runtime.load(site.path(file))
        grid = on_grid(site.problem, model, site.points, site.reference)
        found[name] = asdict(_metrics(site, file, stages[name], grid))
        if name in ROLES:
            arrays[f"values_{name}"] = grid.values
            if grid.residual is not None:
                arrays[f"residual_{name}"] = grid.residual
    if site.reference is not None:
        arrays["values_reference"] = site.reference
    path = site.folder.state / "fields.npz"
    write_arrays(path, arrays)
    roles = {k: v for k, v in found.items() if k in ROLES}
    students = [v for k, v in found.items() if k not in ("teacher", "pruned", "scratch")]
    told = {name: site.folder.finished(stage) or {} for name, stage in stages.items()}
    notes = list(said)
    notes += [f"{name}: {facts['note']}" for name, facts in told.items() if facts.get("note")]
    facts = {"models": roles, "students": students, "stages": dict(stages), "notes": notes}
    return facts, [path]


def check(site: Site, seconds: float) -> Step:
    """The verdict on student.kdp, with the checks of the derived files."""
    verdict = verify(site.path("student.kdp"), latency_seconds=seconds).to_dict()
    verdict["checks"] += (site.folder.finished("onnx") or {}).get("checks", [])
    verdict["passed"] = all(c["passed"] is not False for c in verdict["checks"])
    return {"verdict": verdict}, []


def write_report(out: Path, result: RunResult) -> list[Path]:
    """metrics.json and report.html."""
    metrics, page = out / "metrics.json", out / "report.html"
    text = json.dumps(finite(result.to_dict()), indent=2, ensure_ascii=False, allow_nan=False)
    atomic.write_text(metrics, text + "\n")
    report.write(page, result)
    return [metrics, page]


def digest_of(path: Path) -> str:
    """SHA-256 that the model file carries, hexadecimal."""
    return path.read_bytes()[64:96].hex()


def _metrics(site: Site, file: str, stage: str, grid: OnGrid) -> ModelMetrics:
    training = site.folder.finished(stage) or {}
    errors = asdict(grid.accuracy) if grid.accuracy else {}
    return ModelMetrics(
        **errors,
        parameters=int(training["parameters"]),
        residual=grid.residual_rms,
        found=training.get("found", {}),
        matched=training.get("matched"),
        tuned=training.get("tuned"),
        seconds=training.get("seconds"),
        file=file if "/" not in file else None,
        file_bytes=site.path(file).stat().st_size,
    )


def _card(site: Site, role: str, field: Field, *, has_teacher: bool) -> dict[str, Any]:
    problem = site.problem
    card: dict[str, Any] = {
        "problem": problem.name,
        "title": problem.title,
        "source": problem.source,
        "role": role,
        "preset": site.preset,
        "seed": site.seed,
        "recipe": finite(asdict(site.recipe)),
        "parameters": field.network.parameters,
        "versions": versions(),
    }
    if site.reference is not None:
        card["accuracy"] = finite(asdict(accuracy(field.values(site.points), site.reference)))
    if site.structure is not None and field.network.symmetry is not None:
        names = problem.coordinates, problem.fields
        card["structure"] = [g.describe(*names) for g in site.structure.generators]
        card["dense_parameters"] = field.network.dense_parameters
    if site.teachers:
        card["teachers"] = list(site.teachers)
    if has_teacher:
        card["parent"] = digest_of(site.path("teacher.kdp"))
    return card
