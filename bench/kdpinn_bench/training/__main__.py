"""Training speed beside DeepXDE and PINA; needs the extra `peers`.

    python -m kdpinn_bench.training [steps | race] [--only kdpinn] [--cases burgers] [--json]

`steps` times one step of everybody on the same network and points, `race` the seconds to an
accuracy on Burgers. With --store the figures replace those in bench/baselines/training.json.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from kdpinn.problems import load_problem
from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.timing import Schedule
from kdpinn_bench.training import race
from kdpinn_bench.training.cases import CASES
from kdpinn_bench.training.contestant import Setting
from kdpinn_bench.training.steps import CONTESTANTS, Measured, measure

DTYPES = {"float64": torch.float64, "float32": torch.float32}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, store if asked."""
    options = _parser().parse_args(arguments)
    console = Console()
    machine = fingerprint() | {"load_before": list(os.getloadavg())}
    figures: dict[str, Any] = {}
    if options.what in ("steps", "all"):
        figures["steps"] = {"machine": machine, "measured": _steps(options, console)}
    if options.what in ("race", "all"):
        figures["race"] = {"machine": machine, "traces": _race(options, console)}
    for part in figures.values():
        part["machine"]["load_after"] = list(os.getloadavg())
    if options.store is not None:
        known = baselines.read("training", options.store) or {}
        console.print(str(baselines.write("training", {**known, **figures}, options.store)))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.training", description=__doc__)
    parser.add_argument("what", choices=("steps", "race", "all"), nargs="?", default="steps")
    parser.add_argument("--only", default="", help="contestants whose names begin so")
    parser.add_argument("--cases", default="", help="cases whose names begin so")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seconds", type=float, default=30.0, help="for each table")
    parser.add_argument("--cap", type=float, default=200.0, help="processor seconds of the peer")
    parser.add_argument("--threads", type=int, default=1, help="of the race")
    parser.add_argument(
        "--store", type=Path, nargs="?", const=baselines.FOLDER, help="folder of the baselines"
    )
    return parser


def _steps(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    contestants = [one for one in CONTESTANTS if one.name.startswith(options.only)]
    cases = [case for case in CASES if case.name.startswith(options.cases)]
    if not contestants or not cases:
        names = ", ".join([*(one.name for one in CONTESTANTS), *(case.name for case in CASES)])
        raise SystemExit(f"Nothing is called so; there are {names}.")
    found = []
    for case in cases:
        for dtype in options.dtypes:
            schedule = Schedule(rounds=60, min_rounds=8, budget_s=options.seconds)
            setting = Setting(DTYPES[dtype], options.device)
            measured = measure(case, setting, contestants, schedule)
            console.print(table(measured))
            found.append(measured.to_dict())
    return found


def table(measured: Measured) -> Table:
    """Times, ratios and differences of one case."""
    out = Table("", "ms per step", "MAD", "relative", "95 %", "loss, gradient differ", box=None)
    out.title = f"{measured.name}, A/A {measured.noise:.1%}"
    for row in measured.rows:
        if row.samples is None or row.slowdown is None:
            out.add_row(row.name, row.note)
            continue
        told, r = row.samples.summary(), row.slowdown
        out.add_row(
            row.name,
            f"{1e3 * told.median:.3g}",
            f"{1e3 * told.mad:.2g}",
            f"{r.median:.2f}",
            f"{r.low:.2f} to {r.high:.2f}",
            f"{row.loss:.0e}, {row.gradient:.0e}",
        )
    return out


def _race(options: argparse.Namespace, console: Console) -> list[dict[str, Any]]:
    torch.set_num_threads(options.threads)
    problem = load_problem("burgers")
    traces = []
    if "kdpinn".startswith(options.only):
        recipe = problem.recipes["quick"]
        traces.append(race.ours(problem, recipe, until=min(race.THRESHOLDS)))
    if "DeepXDE".startswith(options.only):
        traces.append(race.deepxde(options.cap))
    out = Table("seconds (processor) to", *(f"{t:.0e}" for t in race.THRESHOLDS), box=None)
    for trace in traces:
        reached = [trace.reached(threshold) for threshold in race.THRESHOLDS]
        cells = (f"{s[0]:.1f} ({s[1]:.1f})" if s else "not reached" for s in reached)
        out.add_row(trace.name, *cells)
    console.print(out)
    return [trace.to_dict() | {"threads": options.threads} for trace in traces]


if __name__ == "__main__":
    sys.exit(main())
