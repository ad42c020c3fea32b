"""What narrow weights cost, by precision and method, for students of finished runs.

    python -m kdpinn_bench.quantization runs/suite/*/student.kdp --all-precisions burgers

Every student is stored as i8, as the weights round and by the refit; those of --all-precisions in
every precision, with mixed ones, and as i8 by straight-through training too.
Errors are taken on the problem's evaluation grid. What the stored baseline has is not repeated.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from kdpinn.problems import Problem, load_problem
from kdpinn.quantization import Method, Subject, quantize
from kdpinn.quantization.mixed import Candidate, mixed_precision
from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint
from kdpinn_export.grids import NARROW
from kdpinn_runtime import pack
from kdpinn_runtime.format import Layer, read

NAME = "quantization"
METHODS: tuple[Method, ...] = ("post-training", "refit")
GOALS = {"i16": 5e-6, "i12": 2e-5, "i8": 1.1e-4, "i6": 5e-4, "i4": 2.5e-3}
"""RMSE against the reference that the refitted 2-20-20-20-1 student of burgers may have."""
FLOAT_GOAL = 2.5e-6
"""RMSE of the float student that these goals are for."""
CLOSER = 20.0
"""How many times closer to the float student i8 by refit has to be than i8 as it rounds."""


class Judge:
    """Errors of a student's layers on its problem's evaluation grid."""

    def __init__(self, problem: Problem, subject: Subject) -> None:
        self._points = problem.evaluation_points()
        has = problem.reference is not None
        self._reference = problem.reference_at(self._points) if has else None
        self._subject = subject
        self._float = subject.field.values(self._points)

    def __call__(self, layers: Sequence[Layer]) -> dict[str, float | None]:
        """RMSE against the reference (None without one) and against the float student."""
        values = self._subject.field_with(layers).values(self._points)
        reference = None if self._reference is None else _rmse(values - self._reference)
        return {"rmse": reference, "from_float": _rmse(values - self._float)}


def _rmse(difference: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    return float(np.sqrt(np.mean(np.square(difference))))


def cases(problem: str, everything: Sequence[str]) -> Iterator[tuple[str, Method]]:
    """What is measured for a student of `problem`: precision and method."""
    yield from (("i8", method) for method in METHODS)
    if problem in everything:
        yield "i8", "straight-through"
        others = [precision for precision in NARROW if precision != "i8"]
        yield from ((precision, method) for precision in others for method in METHODS)


def measure(
    path: Path, everything: Sequence[str], known: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Rows of one student that are not known yet."""
    file = read(path)
    name = str(file.card.get("problem"))
    problem = load_problem(name)
    subject = Subject(file=file, box=problem.domain)
    judge = Judge(problem, subject)
    widths = "-".join(map(str, (len(file.input_shift), *(len(la.bias) for la in file.layers))))
    about = {
        "problem": name,
        "preset": file.card.get("preset"),
        "network": widths,
        "weights": file.weight_count,
    }

    def row(precision: str, method: str, content: Mapping[str, Any]) -> dict[str, Any]:
        return {**about, "precision": precision, "method": method, **content}

    def missing(precision: str, method: str) -> bool:
        wanted = row(precision, method, {})
        return not any(all(r.get(k) == v for k, v in wanted.items()) for r in known)

    if missing(file.precisions[0], "none"):
        sizes = {"weight_bytes": file.weight_bytes, "file_bytes": len(pack(file))}
        yield row(file.precisions[0], "none", {**judge(file.layers), **sizes, "seconds": 0.0})
    for precision, method in cases(name, everything):
        if missing(precision, method):
            start = time.perf_counter()
            done = quantize(subject, (precision,) * len(file.layers), method=method)
            seconds = round(time.perf_counter() - start, 1)
            sizes = {"weight_bytes": done.file.weight_bytes, "file_bytes": len(pack(done.file))}
            yield row(precision, method, {**judge(done.file.layers), **sizes, "seconds": seconds})
    if name in everything:
        for uniform in ("i8", "i12"):
            if missing(f"mixed as {uniform}", "refit"):
                start = time.perf_counter()
                found: Candidate = mixed_precision(subject, like=uniform)
                seconds = round(time.perf_counter() - start, 1)
                done = found.quantized
                content = {
                    **judge(done.file.layers),
                    "layers": list(done.precisions),
                    "weight_bytes": done.file.weight_bytes,
                    "file_bytes": len(pack(done.file)),
                    "seconds": seconds,
                }
                yield row(f"mixed as {uniform}", "refit", content)


def verdicts(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, float, bool]]:
    """(what, measured, limit, reached) of every goal that the rows can judge."""
    found = []
    for problem, preset in dict.fromkeys((r["problem"], r["preset"]) for r in rows):
        here = {
            (r["precision"], r["method"]): r
            for r in rows
            if (r["problem"], r["preset"]) == (problem, preset)
        }
        plain, refitted = here.get(("i8", "post-training")), here.get(("i8", "refit"))
        if plain and refitted:
            closer = plain["from_float"] / refitted["from_float"]
            what = f"{problem} {preset}: i8, times closer to the float student"
            found.append((what, closer, CLOSER, closer >= CLOSER))
        floats = [r for (_, method), r in here.items() if method == "none"]
        if problem != "burgers" or not floats or floats[0]["rmse"] > FLOAT_GOAL:
            continue
        for precision, limit in GOALS.items():
            row = here.get((precision, "refit"))
            if row:
                what = f"{problem} {preset}: RMSE as {precision}"
                found.append((what, row["rmse"], limit, row["rmse"] <= limit))
        for uniform in ("i8", "i12"):
            mixed, same = here.get((f"mixed as {uniform}", "refit")), here.get((uniform, "refit"))
            if mixed and same:
                fits = mixed["file_bytes"] <= same["file_bytes"]
                better = fits and mixed["from_float"] < same["from_float"]
                what = f"{problem} {preset}: mixed against {uniform}, times closer"
                found.append((what, same["from_float"] / mixed["from_float"], 1.0, better))
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line for each student, precision and method."""
    heads = ("problem", "preset", "network", "weights", "by", "RMSE", "from float", "weight bytes")
    out = Table(*heads, "file bytes", "s", box=None)
    for r in sorted(rows, key=lambda r: (r["problem"], str(r["preset"]))):
        figures = ["-" if r[k] is None else f"{r[k]:.2e}" for k in ("rmse", "from_float")]
        sizes = [str(r[k]) for k in ("weight_bytes", "file_bytes", "seconds")]
        stored = "+".join(r["layers"]) if "layers" in r else r["precision"]
        out.add_row(r["problem"], r["preset"], r["network"], stored, r["method"], *figures, *sizes)
    return out


def main() -> int:
    """Measure what is missing, store after each row, print; exit code 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.quantization")
    parser.add_argument("models", nargs="*", type=Path, help="student.kdp files of finished runs")
    parser.add_argument("--all-precisions", nargs="*", default=["burgers"], metavar="PROBLEM")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    console = Console(width=160)
    rows = list((baselines.read(NAME, options.baselines) or {}).get("rows", []))
    for path in options.models:
        for row in measure(path, options.all_precisions, rows):
            rows.append(row)
            figures = {"rows": rows, "machine": fingerprint()}
            baselines.write(NAME, figures, options.baselines)
            console.print(row["problem"], row["precision"], row["method"], row["from_float"])
    console.print(table(rows))
    judged = verdicts(rows)
    for what, measured, limit, reached in judged:
        console.print(f"{'reached' if reached else 'MISSED '} {what}: {measured:.3g}, {limit:g}")
    return 0 if all(reached for *_, reached in judged) else 1


if __name__ == "__main__":
    sys.exit(main())
