"""How much faster students are in our runtime than their teacher in torch, from folders of runs.

    python -m kdpinn_bench.speedups runs/accuracy/*-best-0 [--store]

Processor time of one pinned thread, 10,000 points, all networks in the same shuffled rounds. The
teacher runs in torch eager twice, each time in the batches that suit it best: in float64, as it was
trained and as its accuracy was measured, and in float32; the students in our runtime in float32, as
they ship. Both ratios are told: the first is what a user of the teacher gains, the second is that
of the networks and the engines alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from kdpinn_bench import baselines
from kdpinn_bench.accuracy_goals import meets_bar
from kdpinn_bench.engine import best_chunked, one_thread
from kdpinn_bench.engines import Native
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.timing import Samples, Schedule, interleaved, noise, one_core, ratio
from kdpinn_bench.torch_model import torch_call
from kdpinn_bench.truth import truth
from kdpinn_runtime.format import ModelFile, read

POINTS = 10_000
DOUBLE, SINGLE = "torch eager, float64", "torch eager"


def side_by_side(
    teacher: ModelFile, students: Mapping[str, ModelFile], schedule: Schedule
) -> dict[str, Samples]:
    """Times of the teacher under `DOUBLE` and `SINGLE`, and of each student under its name.

    Seconds of the processor: on a shared machine the pauses on the wall's clock fall into the
    teacher's long calls and spare the student's short ones. `DOUBLE` is the A/A control too.

    Raises:
        ValueError: a network computes something else than its file says.
    """
    lower, upper = np.array(list(teacher.domain.values()), np.float64).T
    generator = np.random.default_rng(schedule.seed)
    single = np.empty((POINTS, len(lower)), np.float32)
    double = np.empty(single.shape, np.float64)

    def draw() -> None:
        drawn = lower + generator.random(double.shape) * (upper - lower)
        single[:] = drawn.astype(np.float32)
        double[:] = single

    draw()
    best = partial(best_chunked, POINTS, rounds=20, clock=time.process_time)
    ready = {
        DOUBLE: best(partial(torch_call, teacher, double)),
        SINGLE: best(partial(torch_call, teacher, single)),
        **{name: Native().prepare(model, single) for name, model in students.items()},
    }
    for name, prepared in ready.items():
        expected = truth(students.get(name, teacher), single)
        error, part = expected.error_of(prepared.output())
        if not part <= 1.0:
            raise ValueError(f"{name}: {error:.1e} from float64 is {part:.1f} times the bound.")
    calls = {name: prepared.call for name, prepared in ready.items()}
    with one_core(), one_thread():
        return interleaved(
            calls, schedule, control=DOUBLE, before_round=draw, clock=time.process_time
        )


def measure(run: Path, schedule: Schedule) -> dict[str, Any]:
    """Times of the teacher and of all distilled students of a finished run, and their ratios."""
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    students = {f"student, {s['parameters']}": s for s in metrics["students"]}
    models = {name: read(run / student["file"]) for name, student in students.items()}
    samples = side_by_side(read(run / "teacher.kdp"), models, schedule)
    return {
        "problem": metrics["problem"],
        "preset": metrics["preset"],
        "seed": metrics["seed"],
        "points": POINTS,
        "noise": noise(samples, DOUBLE),
        "teacher": {
            "parameters": metrics["teacher"]["parameters"],
            "float64_ms": 1e3 * samples[DOUBLE].summary().median,
            "float32_ms": 1e3 * samples[SINGLE].summary().median,
        },
        "students": [
            {
                "parameters": student["parameters"],
                "meets_its_bar": meets_bar(metrics, student),
                "ms": 1e3 * samples[name].summary().median,
                "over_float64": vars(ratio(samples[DOUBLE], samples[name])),
                "over_float32": vars(ratio(samples[SINGLE], samples[name])),
            }
            for name, student in students.items()
        ],
    }


def rows(measured: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    """Text cells, one row a student."""
    for run in measured:
        teacher = run["teacher"]
        slow = f"{teacher['float64_ms']:.2f}, {teacher['float32_ms']:.2f}"
        for student in run["students"]:
            ratios = (student["over_float64"], student["over_float32"])
            yield (
                run["problem"],
                f"{teacher['parameters']}: {slow}",
                f"{student['parameters']}: {student['ms']:.3f}",
                {True: "yes", False: "no", None: ""}[student["meets_its_bar"]],
                *(f"{r['median']:.1f} ({r['low']:.1f} to {r['high']:.1f})" for r in ratios),
            )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, store if asked."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.speedups", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of finished runs")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each run")
    parser.add_argument(
        "--store", type=Path, nargs="?", const=baselines.FOLDER, help="folder of the baselines"
    )
    options = parser.parse_args(arguments)
    schedule = Schedule(rounds=400, min_rounds=20, budget_s=options.seconds)
    measured = [measure(run, schedule) for run in options.runs]
    headings = ("problem", "teacher: float64, float32 ms", "student: ms", "meets its bar")
    table = Table(*headings, "over float64", "over float32", box=None)
    for row in rows(measured):
        table.add_row(*row)
    Console().print(table)
    if options.store is not None:
        known = (baselines.read("speedups", options.store) or {}).get("runs", [])
        new = {run["problem"] for run in measured}
        kept = [run for run in known if run["problem"] not in new]
        together = sorted([*kept, *measured], key=lambda run: run["problem"])
        figures = {"runs": together, "machine": fingerprint()}
        baselines.write("speedups", figures, options.store)
    return 0


if __name__ == "__main__":
    sys.exit(main())
