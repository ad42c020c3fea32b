"""From the finished stages of a run folder to the `RunResult` that the report tells."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from kdpinn import __version__
from kdpinn.facts import axes, problem_facts
from kdpinn.metrics import EngineLatency, FrontierPoint, History, ModelMetrics, RunResult
from kdpinn.problems import Problem
from kdpinn.rasterize import onto_grid
from kdpinn.run_folder import RunFolder
from kdpinn.stored import read_arrays, read_history

PACKAGES = ("kdpinn-runtime", "torch", "numpy", "onnx", "onnxruntime")


def assemble(
    folder: RunFolder, problem: Problem, plan: Mapping[str, Any], seconds: float | None = None
) -> RunResult:
    """Everything the finished stages know; what is not finished is left out.

    Args:
        seconds: wall time of the whole run; as it was when the report was made, if None.
    """
    told = (folder.finished("clock") or {}).get("total")
    evaluation = folder.finished("evaluation") or {"models": {}}
    models = {role: ModelMetrics(**facts) for role, facts in evaluation["models"].items()}
    students = tuple(ModelMetrics(**facts) for facts in evaluation.get("students", []))
    fields = read_arrays(folder.state / "fields.npz") if models else {}
    if problem.scattered:
        points = problem.evaluation_points()
        fields = {name: onto_grid(problem, points, array) for name, array in fields.items()}
    bench = folder.finished("latency") or {}
    return RunResult(
        problem=problem_facts(problem),
        preset=str(plan["preset"]),
        seed=int(plan["seed"]),
        seconds=seconds or told or sum(stage_seconds(folder).values()),
        models=models,
        axes=axes(problem),
        values={k.removeprefix("values_"): v for k, v in fields.items() if k.startswith("values_")},
        residuals={
            k.removeprefix("residual_"): v for k, v in fields.items() if k.startswith("residual_")
        },
        histories=_histories(folder, evaluation),
        students=students,
        frontier=_frontier(models, students),
        latency=tuple(_engine(row) for row in bench.get("engines", [])),
        latency_note=bench.get("note", ""),
        latency_noise={int(n): v for n, v in bench.get("noise", {}).items() if v is not None},
        verify=(folder.finished("verify") or {}).get("verdict", {}),
        machine=bench.get("machine") or machine(),
        versions=versions(),
        recipe=plan["recipe"],
        stage_seconds=stage_seconds(folder),
        notes=tuple(evaluation.get("notes", ())),
        truth=problem.truth,
        teacher_latency_ms=bench.get("teacher", {}),
    )


def stage_seconds(folder: RunFolder) -> dict[str, float]:
    """Wall time of each finished stage, over all sessions of the run."""
    plan = sorted(folder.state.glob("*.json"), key=lambda p: p.stat().st_mtime)
    facts = {p.stem: folder.finished(p.stem) for p in plan if p.stem != "plan"}
    return {name: float(f["seconds"]) for name, f in facts.items() if f and "seconds" in f}


def versions() -> dict[str, str]:
    """Versions of what a run depends on."""
    found = {"python": platform.python_version(), "kdpinn": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """The little that the standard library knows of the hardware."""
    import os

    return {"system": platform.platform(), "cores": os.cpu_count() or 1}


def _histories(folder: RunFolder, evaluation: Mapping[str, Any]) -> dict[str, History]:
    names = evaluation.get("stages", {})
    paths = {role: folder.state / f"{name}.history.npz" for role, name in names.items()}
    return {role: read_history(path) for role, path in paths.items() if path.exists()}


def _frontier(
    models: Mapping[str, ModelMetrics], students: tuple[ModelMetrics, ...]
) -> tuple[FrontierPoint, ...]:
    named = [("teacher", "teacher", models.get("teacher"))]
    named += [("student", "student (distilled)", student) for student in students]
    named += [("pruned", "student (pruned)", models.get("pruned"))]
    named += [("scratch", "same network, from scratch", models.get("scratch"))]
    return tuple(
        FrontierPoint(kind=kind, parameters=m.parameters, rmse=m.rmse, label=label)
        for kind, label, m in named
        if m is not None and m.rmse is not None
    )


def _engine(row: Mapping[str, Any]) -> EngineLatency:
    """A row of the latency stage; JSON turned its point counts into texts."""
    return EngineLatency(
        engine=row["engine"],
        median_ms={int(n): ms for n, ms in row["median_ms"].items()},
        p99_ms={int(n): ms for n, ms in row.get("p99_ms", {}).items()},
        max_error=row.get("max_error"),
        note=row.get("note", ""),
    )
