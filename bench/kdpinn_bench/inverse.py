"""How well an unknown viscosity is found: true values, noise, and sets of samples.

    python -m kdpinn_bench.inverse

With the conditions known: three true values, clean and with 1 % noise. From samples alone: the same
true values, five sets of samples each. Finished cases in the stored baseline are not repeated.

Twenty noisy samples hold only so much: beside each noisy case stands the least-squares fit of the
exact solution to the same samples, which no estimate that knows less can be expected to beat.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.optimize import least_squares

from kdpinn.geometry import FloatArray
from kdpinn.problems.burgers import cole_hopf
from kdpinn.problems.burgers_inverse import START, inverse_problem, samples
from kdpinn.recipe import Recipe
from kdpinn.teacher import error_against_reference, train_teacher
from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint

NAME = "inverse"
TRUTHS = (0.01, 0.04, 0.08)
NOISE = 0.01
SETS = 5
LIMITS = {"clean": 0.1, "noise": 2.0}
"""Per cent that the found viscosity may be off, where the conditions are known."""


@dataclass(frozen=True)
class Case:
    """One search for a viscosity; see `kdpinn.problems.burgers_inverse.inverse_problem`."""

    truth: float
    sample_set: int = 0
    noise: float = 0.0
    conditions: bool = True

    @property
    def kind(self) -> str:
        """`clean` or `noise` with known conditions, `samples` without."""
        return ("noise" if self.noise else "clean") if self.conditions else "samples"


def cases() -> Iterator[Case]:
    """All of them, those with goals first."""
    for noise in (0.0, NOISE):
        yield from (Case(truth, noise=noise) for truth in TRUTHS)
    for truth in TRUTHS:
        yield from (Case(truth, k, conditions=False) for k in range(SETS))


def solve(case: Case, recipe: Recipe, console: Console | None = None) -> dict[str, Any]:
    """Train on one case: what was found, by how many per cent it is off, the field's error."""
    problem = inverse_problem(**asdict(case))
    trained = train_teacher(problem, recipe, console=console)
    error = error_against_reference(problem)
    found = trained.field.found["nu"]
    return {
        **asdict(case),
        "kind": case.kind,
        "found": found,
        "off_pct": 100 * abs(found / case.truth - 1),
        "rel_l2": error(trained.field) if error is not None else None,
        "exact_fit_off_pct": 100 * abs(exact_fit(case) / case.truth - 1) if case.noise else 0.0,
        "iterations": trained.iterations,
        "seconds": round(trained.seconds, 1),
    }


def exact_fit(case: Case) -> float:
    """The viscosity whose exact solution lies nearest to the samples, in least squares."""
    x, t, u = samples(case.truth, case.sample_set, case.noise)

    def misfit(log_nu: FloatArray) -> FloatArray:
        return np.asarray(cole_hopf(x, t, float(np.exp(log_nu[0]))) - u, dtype=np.float64)

    # Differences over the square root of the solution's own rounding.
    fit = least_squares(misfit, [np.log(START)], diff_step=1e-6)
    return float(np.exp(fit.x[0]))


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per kind and true value: median and worst over the sets of samples."""
    heads = ("given", "truth", "sets", "median, % off", "worst, % off", "exact solution fitted")
    out = Table(*heads, "limit", "", box=None)
    names = {"clean": "conditions, clean samples", "noise": "conditions, 1 % noise"}
    for kind, truth in dict.fromkeys((row["kind"], row["truth"]) for row in rows):
        here = [r for r in rows if (r["kind"], r["truth"]) == (kind, truth)]
        off = [r["off_pct"] for r in here]
        fitted = max(r["exact_fit_off_pct"] for r in here)
        limit = LIMITS.get(kind)
        mark = "" if limit is None else "reached" if max(off) <= limit else "missed"
        numbers = tuple(f"{v:.3g}" for v in (statistics.median(off), max(off), fitted))
        bound = "-" if limit is None else f"{limit:g}"
        given = names.get(kind, "samples alone")
        out.add_row(given, f"{truth:g}", str(len(off)), *numbers, bound, mark)
    return out


def main() -> int:
    """Solve what is missing, store after each case, print; exit code 1 if a limit is missed."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.inverse", description=__doc__)
    parser.add_argument("--preset", choices=("quick", "best"), default="best")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    console = Console()
    recipe = inverse_problem().recipes[options.preset]
    known = (baselines.read(NAME, options.baselines) or {}).get(options.preset, {})
    rows = list(known.get("rows", [])) if known.get("recipe") == repr(recipe) else []
    done = {Case(r["truth"], r["sample_set"], r["noise"], r["conditions"]) for r in rows}
    for case in cases():
        if case not in done:
            rows.append(solve(case, recipe, Console(stderr=True)))
            stored = {"recipe": repr(recipe), "rows": rows, "machine": fingerprint()}
            figures = baselines.read(NAME, options.baselines) or {}
            baselines.write(NAME, {**figures, options.preset: stored}, options.baselines)
    console.print(table(rows))
    missed = any(r["off_pct"] > LIMITS.get(r["kind"], float("inf")) for r in rows)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
