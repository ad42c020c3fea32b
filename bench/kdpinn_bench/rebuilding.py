"""What a known structure gives: tied networks beside plain ones, of equal width and equal size.

    python -m kdpinn_bench.rebuilding

Every case trains three networks from the same seed with the same optimizer and budget: tied by the
group, plain of the same widths, and plain with as many free parameters. The mean of the plain one
over the group stands beside them: symmetry put on after the training. The groups are those that
`kdpinn discover` finds; here they are given, also to problems that they were not found on. Finished
rows in the stored baseline are not repeated, but with `--again`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from kdpinn.problems import Problem
from kdpinn.structure.group import Group
from kdpinn.structure.rebuild import Rebuilt, rebuild
from kdpinn.structure.symmetrized import symmetrized
from kdpinn.teacher import error_against_reference
from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.rebuilding_cases import Case, cases

NAME = "structure_rebuilt"
TRAINED = ("tied", "plain", "equal")
NETWORKS = (*TRAINED, "mean")


def measure(case: Case, console: Console | None = None) -> dict[str, Any]:
    """Train the case's networks; a row of figures."""
    problem = case.make()
    rebuilt = rebuild(
        problem,
        Group.generated_by(case.generators),
        case.hidden,
        case.recipe(),
        seed=case.seed,
        equal=case.equal,
        console=console,
    )
    figures = rebuilt.figures()
    rivals = {name: figures.pop(name) for name in TRAINED[1:] if name in figures}
    truth = dict(problem.truth)
    rows = {"tied": figures, **rivals}
    fields = _by_field(problem, rebuilt) if len(problem.fields) > 1 else {}
    networks = {name: _row(row, truth) | fields.get(name, {}) for name, row in rows.items()}
    if not problem.unknown:  # a mean over the group finds no parameters of its own
        networks["mean"] = _mean(problem, rebuilt)
    return {
        "case": case.name,
        "seed": case.seed,
        "number": case.number,
        "recipe": repr((case.hidden, case.recipe().training)),
        "losses": {"tied": rebuilt.gate.tied, "plain": rebuilt.gate.plain},
        "networks": networks,
    }


def _row(row: Mapping[str, Any], truth: Mapping[str, float]) -> dict[str, Any]:
    kept = ("sizes", "parameters", "rel_l2", "symmetry_error", "seconds", "symmetry_error_start")
    found = {k: row[k] for k in kept if k in row}
    for name, value in row["found"].items():
        found[name] = value
        if name in truth:
            found["off_pct"] = 100 * abs(value / truth[name] - 1)
    return found


def _mean(problem: Problem, rebuilt: Rebuilt) -> dict[str, Any]:
    """The plain network's mean over the group, |G| times as wide."""
    plain, error = rebuilt.plain.field, error_against_reference(problem)
    mean = symmetrized(plain, rebuilt.group, problem.domain)
    return {
        "parameters": plain.network.parameters,
        "sizes": list(mean.network.sizes),
        "rel_l2": error(mean) if error is not None else None,
    }


def _by_field(problem: Problem, rebuilt: Rebuilt) -> dict[str, dict[str, Any]]:
    """Relative L2 errors of each field, network by network."""
    points = problem.evaluation_points()
    reference = problem.reference_at(points)
    found = {}
    for name in TRAINED:
        trained = getattr(rebuilt, name)
        if trained is not None:
            miss = trained.field.values(points) - reference
            errors = np.linalg.norm(miss, axis=0) / np.linalg.norm(reference, axis=0)
            found[name] = {"fields": dict(zip(problem.fields, errors.tolist(), strict=True))}
    return found


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A row per case and network: parameters, median and worst figure, how often tied is better."""
    out = Table(
        "case", "runs", "network", "parameters", "median", "worst", "tied is better", box=None
    )
    for name in dict.fromkeys(row["case"] for row in rows):
        here = [row["networks"] for row in rows if row["case"] == name]
        for network in NETWORKS:
            have = [row for row in here if network in row]  # rows of old have no mean
            if not have:
                continue
            figures = [figure(row[network]) for row in have]
            better = sum(figure(row["tied"]) < figure(row[network]) for row in have)
            out.add_row(
                name if network == "tied" else "",
                str(len(here)) if network == "tied" else "",
                network,
                str(have[0][network]["parameters"]),
                f"{statistics.median(figures):.2e}",
                f"{max(figures):.2e}",
                "" if network == "tied" else f"{better} of {len(have)}",
            )
    return out


def figure(row: Mapping[str, Any]) -> float:
    """Per cent that the unknown is off, where there is one; else the relative L2 error."""
    return float(row["off_pct"] if "off_pct" in row else row["rel_l2"])


def _key(row: Mapping[str, Any]) -> tuple[str, int, int]:
    return row["case"], row["seed"], row["number"]


def main() -> int:
    """Measure what is missing, store after each case, print."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.rebuilding", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--again", action="store_true", help="measure those once more")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    known = (baselines.read(NAME, options.baselines) or {}).get("rows", [])
    order = {(c.name, c.seed, c.number): k for k, c in enumerate(cases())}
    current = {(c.name, c.seed, c.number, repr((c.hidden, c.recipe().training))) for c in cases()}
    rows = [r for r in known if (r["case"], r["seed"], r["number"], r["recipe"]) in current]
    for case in cases():
        key = (case.name, case.seed, case.number)
        done = {_key(row): row for row in rows}
        if not case.name.startswith(options.only) or (key in done and not options.again):
            continue
        done[key] = measure(case, Console(stderr=True))
        rows = sorted(done.values(), key=lambda row: order[_key(row)])
        stored = {"rows": rows, "machine": fingerprint()}
        baselines.write(NAME, stored, options.baselines)
    Console(width=140).print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
