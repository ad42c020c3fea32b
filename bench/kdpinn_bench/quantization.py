"""What narrow weights cost, by precision and method, for students of finished runs.

    python -m kdpinn_bench.quantization runs/suite --frontier burgers heat

Every student below the folders is stored as i8, as the weights round and by the refit; those of
--frontier in every precision, with mixed ones in no more bytes, and as i8 by straight-through
training too. Errors are taken on the problem's evaluation grid. What an interrupted run has stored
is not repeated; --again begins anew. --keep leaves the i8 files where kdpinn_bench.targets finds
them.
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
from kdpinn.quantization.mixed import Wanted, tried_choices
from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.targets import students
from kdpinn_export.grids import NARROW
from kdpinn_runtime import pack, write
from kdpinn_runtime.format import Layer, ModelFile, read

NAME = "quantization"
METHODS: tuple[Method, ...] = ("post-training", "refit")
GOALS = {"i16": 5e-6, "i12": 2e-5, "i8": 1.1e-4, "i6": 5e-4, "i4": 2.5e-3}
"""RMSE against the reference that the refitted 2-20-20-20-1 student of burgers may have."""
FLOAT_GOAL = 2.5e-6
"""RMSE of the float student that these goals are for."""
FRONTIER = ("burgers", "laplace", "poisson", "heat", "burgers_inverse")
"""Problems whose students are stored in every precision."""
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


class Rows:
    """The rows of one student; those that are `known` are not measured again."""

    def __init__(self, path: Path, known: Sequence[Mapping[str, Any]], keep: bool = False) -> None:
        self.file, self._beside = read(path), path.with_name(f"{path.stem}-i8.kdp")
        self._keep = keep
        self.problem = str(self.file.card.get("problem"))
        problem = load_problem(self.problem)
        self.subject = Subject(file=self.file, box=problem.domain)
        self._judge = Judge(problem, self.subject)
        widths = [len(self.file.input_shift), *(len(la.bias) for la in self.file.layers)]
        self._about = {
            "problem": self.problem,
            "preset": self.file.card.get("preset"),
            "network": "-".join(map(str, widths)),
            "weights": self.file.weight_count,
        }
        self._known = known

    def missing(self, precision: str, method: str) -> bool:
        """Whether there is no such row yet."""
        wanted = {**self._about, "precision": precision, "method": method}
        return not any(all(r.get(k) == v for k, v in wanted.items()) for r in self._known)

    def row(self, precision: str, method: str, file: ModelFile, seconds: float) -> dict[str, Any]:
        """What is stored of a file; precision: a name, "mixed as i8" among them."""
        if self._keep and (precision, method) == ("i8", "refit"):
            write(self._beside, file)
        return {
            **self._about,
            "precision": precision,
            "method": method,
            "layers": list(file.precisions),
            **self._judge(file.layers),
            "weight_bytes": file.weight_bytes,
            "file_bytes": len(pack(file)),
            "seconds": round(seconds, 1),
        }


def measure(
    path: Path,
    frontier: Sequence[str],
    known: Sequence[Mapping[str, Any]],
    keep: bool = False,
) -> Iterator[dict[str, Any]]:
    """Rows of one student that are not known yet; keep: write its i8 form as student-i8.kdp."""
    rows = Rows(path, known, keep)
    everything = rows.problem in frontier
    if rows.missing(rows.file.precisions[0], "none"):
        yield rows.row(rows.file.precisions[0], "none", rows.file, 0.0)
    cases: list[tuple[str, Method]] = [("i8", method) for method in METHODS]
    if everything:
        cases = [("i8", "straight-through"), ("f16", "refit")]
        cases += [(precision, "post-training") for precision in NARROW]
    for precision, method in cases:
        if rows.missing(precision, method):
            start = time.perf_counter()
            each = (precision,) * len(rows.file.layers)
            done = quantize(rows.subject, each, method=method)
            yield rows.row(precision, method, done.file, time.perf_counter() - start)
    for uniform in GOALS if everything else ():
        if rows.missing(f"mixed as {uniform}", "refit"):
            start = time.perf_counter()
            same, *mixed = tried_choices(rows.subject, Wanted(like=uniform))
            seconds = (time.perf_counter() - start) / (1 + len(mixed))
            if rows.missing(uniform, "refit"):
                yield rows.row(uniform, "refit", same.quantized.file, seconds)
            best = min([*mixed, same], key=lambda candidate: candidate.distance)
            yield rows.row(
                f"mixed as {uniform}", "refit", best.quantized.file, seconds * len(mixed)
            )


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
        for uniform in GOALS:
            mixed, same = here.get((f"mixed as {uniform}", "refit")), here.get((uniform, "refit"))
            if mixed and same:
                fits = mixed["weight_bytes"] <= same["weight_bytes"]
                closer = same["from_float"] / mixed["from_float"]
                what = f"{problem} {preset}: mixed in the bytes of {uniform}, times closer"
                found.append((what, closer, 1.0, fits and closer > 1))
        floats = [r for (_, method), r in here.items() if method == "none"]
        if problem != "burgers" or not floats or floats[0]["rmse"] > FLOAT_GOAL:
            continue
        for precision, limit in GOALS.items():
            row = here.get((precision, "refit"))
            if row:
                what = f"{problem} {preset}: RMSE as {precision}"
                found.append((what, row["rmse"], limit, row["rmse"] <= limit))
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """One line for each student, precision and method."""
    heads = ("problem", "preset", "network", "weights", "by", "RMSE", "from float", "weight bytes")
    out = Table(*heads, "file bytes", "s", box=None)
    for r in sorted(rows, key=lambda r: (r["problem"], str(r["preset"]))):
        figures = ["-" if r[k] is None else f"{r[k]:.2e}" for k in ("rmse", "from_float")]
        sizes = [str(r[k]) for k in ("weight_bytes", "file_bytes", "seconds")]
        stored = ",".join(r["layers"]) if "mixed" in r["precision"] else r["precision"]
        out.add_row(r["problem"], r["preset"], r["network"], stored, r["method"], *figures, *sizes)
    return out


def main() -> int:
    """Measure what is missing, store after each row, print; exit code 1 if a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.quantization")
    parser.add_argument("runs", nargs="*", type=Path, help="student.kdp files, or folders of them")
    parser.add_argument("--frontier", nargs="*", default=FRONTIER, metavar="PROBLEM")
    parser.add_argument("--again", action="store_true", help="forget what is stored")
    parser.add_argument("--keep", action="store_true", help="write student-i8.kdp beside each")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    console = Console(width=160)
    stored = {} if options.again else baselines.read(NAME, options.baselines) or {}
    rows = list(stored.get("rows", []))
    try:
        paths = students(options.runs) if options.runs else []
    except ValueError as error:
        parser.error(str(error))
    for path in paths:
        for row in measure(path, options.frontier, rows, options.keep):
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
