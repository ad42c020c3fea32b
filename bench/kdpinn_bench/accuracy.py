"""Whole runs on several seeds against the goals, and what they reached as stored baselines.

    python -m kdpinn_bench.accuracy [PROBLEM ...] --preset quick --seeds 0 1 2

Each run is the command `kdpinn run` in a process of its own, as a user starts it, so its seconds
include everything. Finished runs in the folder are not repeated.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kdpinn.problems import available
from kdpinn_bench import baselines
from kdpinn_bench.accuracy_goals import GOALS, Goal

Metrics = dict[str, Any]

KEPT = (
    "seed", "seconds", "teacher", "student", "students", "scratch", "pruned", "truth", "fields",
    "latency_ms", "teacher_latency_ms", "stage_seconds",
)  # fmt: skip
"""What a baseline keeps of each run's metrics.json."""


PROBLEMS = tuple(problem.name for problem in available())


def run(problem: str, preset: str, seed: int, folder: Path) -> Metrics:
    """One whole run, or its metrics if it is finished. Raises RuntimeError if it fails."""
    out = folder / f"{problem}-{preset}-{seed}"
    if not (out / "report.html").exists():
        command = [sys.executable, "-m", "kdpinn", "run", problem, "--preset", preset]
        command += ["--seed", str(seed), "--out", str(out), "--resume"]
        done = subprocess.run(command, check=False)
        if done.returncode > 1:  # 1: a check failed, which the baseline tells
            raise RuntimeError(f"`{' '.join(command[1:])}` ended with code {done.returncode}.")
    metrics: Metrics = json.loads((out / "metrics.json").read_text("utf-8"))
    return metrics


def figures(runs: Sequence[Metrics], goals: Sequence[Goal]) -> dict[str, Any]:
    """What is stored of the runs of one problem and preset."""
    return {
        "runs": [{key: m[key] for key in KEPT if key in m} for m in runs],
        "verified": [bool(m["verify"]["passed"]) for m in runs],
        "goals": [dict(judged(goal, runs)) for goal in goals],
        "recipe": runs[0]["recipe"],
        "machine": runs[0]["machine"],
        "versions": runs[0]["versions"],
    }


def judged(goal: Goal, runs: Sequence[Metrics]) -> Iterator[tuple[str, Any]]:
    """The goal, its median and worst over the seeds, and whether the worst reaches it."""
    values = [goal.reached_by(metrics) for metrics in runs]
    yield "goal", str(goal)
    yield "limit", goal.limit
    worst = min(values) if goal.upward else max(values)
    yield "median", statistics.median(values)
    yield "worst", worst
    yield "reached", goal.met_by(worst)


def table(stored: Mapping[str, Mapping[str, Any]], preset: str) -> Table:
    """Goals of all problems as a table for the terminal."""
    out = Table("problem", "goal", "limit", "median", "worst", "seeds", "", box=None)
    for problem, facts in stored.items():
        for row in facts["goals"]:
            numbers = (f"{row[key]:.3g}" for key in ("limit", "median", "worst"))
            mark = "[green]reached[/]" if row["reached"] else "[red]missed[/]"
            out.add_row(problem, row["goal"], *numbers, str(len(facts["runs"])), mark)
    out.title = f"preset {preset}"
    return out


def main() -> int:
    """Run, store, print; exit code 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.accuracy", description=__doc__)
    parser.add_argument("problems", nargs="*", default=PROBLEMS, help=f"of {', '.join(PROBLEMS)}")
    parser.add_argument("--preset", choices=("quick", "best"), default="quick")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0, 1, 2))
    parser.add_argument("--out", type=Path, default=Path("runs/accuracy"), help="run folders")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    stored = {}
    for problem in options.problems:
        goals = [g for g in GOALS if (g.problem, g.preset) == (problem, options.preset)]
        if problem not in PROBLEMS:
            parser.error(f"there is no problem {problem!r}; known: {', '.join(PROBLEMS)}")
        runs = [run(problem, options.preset, seed, options.out) for seed in options.seeds]
        stored[problem] = figures(runs, goals)
        known = baselines.read(problem, options.baselines) or {}
        baselines.write(problem, {**known, options.preset: stored[problem]}, options.baselines)
    Console().print(table(stored, options.preset))
    return 0 if all(row["reached"] for facts in stored.values() for row in facts["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())
