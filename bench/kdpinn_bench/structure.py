"""Which symmetries are found: from trained teachers over seeds, and in exact fields of known group.

    python -m kdpinn_bench.structure

A row is right if the group found is exactly the one the solution has. The structure that counts
here is what the search says before any network is rebuilt; `kdpinn_bench.rebuilding` measures what
it is worth. Finished rows in the stored baseline are not repeated. With `--runs DIR` teachers are
taken from the runs of `kdpinn_bench.accuracy` there, where it has them, instead of trained.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from kdpinn.field import Field
from kdpinn.problems import load_problem
from kdpinn.structure.discovery import DiscoverySettings, discover
from kdpinn.structure.examining import subject_of
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.outcome import Discovery
from kdpinn.structure.subject import Subject
from kdpinn.teacher import error_against_reference, train_teacher
from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.structure_controls import CONTROLS, Control, signs

NAME = "structure"

TRAINED: Mapping[str, tuple[int, tuple[InputMap, ...]]] = {
    "laplace": (8, (signs(1, -1), signs(-1, 1, u=(-1,)))),
    "burgers": (5, (signs(-1, 1, u=(-1,)),)),
    "cylinder_flow": (1, (signs(1, -1, u=(1, 1, -1)),)),
    "poisson": (
        3,
        (
            InputMap(np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2), np.ones(1)),
            InputMap.about(np.array([0.5, 0.5]), -np.eye(2), [1.0]),
        ),
    ),
}
"""Problem -> number of teacher seeds, and generators of the solution's group."""

REQUIRED = {"laplace": 7, "burgers": 4, "cylinder_flow": 1, "poisson": 3}
"""Rows of each problem that must be right. Of the controls all."""


@dataclass(frozen=True)
class Case:
    """One search.

    Attributes:
        kind: "laplace", ..., or "control".
        name: of the control, or the teacher's seed.
        run: does it, and says what there is to say of the teacher.
        expected: elements of the group, in words.
    """

    kind: str
    name: str
    run: Callable[[], tuple[Discovery, dict[str, Any]]]
    expected: tuple[str, ...]


def cases(runs: Path | None = None) -> Iterator[Case]:
    """All, the quick ones first.

    Args:
        runs: folder with `PROBLEM-quick-SEED/run/teacher.safetensors`.
    """
    for name, (seeds, generators) in TRAINED.items():
        problem = load_problem(name)
        group = Group.generated_by(generators)
        words = tuple(g.describe(problem.coordinates, problem.fields) for g in group.elements)
        for seed in range(seeds):
            yield Case(name, f"seed {seed}", _from_teacher(name, seed, runs), words)
        if name == "laplace":
            yield from (_of_control(control) for control in CONTROLS)


def _from_teacher(
    name: str, seed: int, runs: Path | None
) -> Callable[[], tuple[Discovery, dict[str, Any]]]:
    def run() -> tuple[Discovery, dict[str, Any]]:
        problem = load_problem(name)
        start = time.perf_counter()
        stored = runs and runs / f"{name}-quick-{seed}" / "run" / "teacher.safetensors"
        if stored and stored.exists():
            teacher = Field.load(stored)
        else:
            recipe = problem.recipes["quick"]
            teacher = train_teacher(problem, recipe, seed=seed, console=Console(stderr=True)).field
        error = error_against_reference(problem)
        facts = {
            "teacher_rel_l2": error(teacher) if error is not None else None,
            "teacher_seconds": round(time.perf_counter() - start, 1),
        }
        subject = subject_of(problem, teacher, given=True)
        return discover(subject, DiscoverySettings(seed=seed), _say), facts

    return run


def _of_control(control: Control) -> Case:
    def run() -> tuple[Discovery, dict[str, Any]]:
        subject = Subject(
            domain=control.domain,
            fields=control.fields,
            values=control.values,
            error=np.zeros(len(control.fields)) if control.exact else None,
        )
        return discover(subject, control.settings, _say), {}

    return Case("control", control.name, run, control.words)


def _say(text: str) -> None:
    Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)


def row_of(case: Case) -> dict[str, Any]:
    """Search, compare with what is there, and keep the evidence."""
    found, facts = case.run()
    names, fields = found.subject.domain.names, found.subject.fields
    elements = ["identity"]
    if found.group is not None:
        elements = [g.describe(names, fields) for g in found.group.elements]
    seen = [
        found.subject.to_physical(e.map).describe(names, fields)
        for e in (*found.accepted, *found.rejected)
        if e.in_weights
    ]
    return {
        "kind": case.kind,
        "name": case.name,
        "expected": sorted(case.expected),
        "found": sorted(elements),
        "missed": sorted(set(case.expected) - set(elements)),
        "false": sorted(set(elements) - set(case.expected)),
        "right": set(elements) == set(case.expected),
        "seen_in_weights": sorted(seen),
        "largest_true_ratio": max((e.ratio for e in found.accepted), default=None),
        "least_false_ratio": min((e.ratio for e in found.rejected if e.ratios), default=None),
        "allowed_ratio": found.ratio_limit if np.isfinite(found.ratio_limit) else None,
        "largest_true_asymmetry": max((e.worst_asymmetry for e in found.accepted), default=None),
        "least_false_asymmetry": min((e.worst_asymmetry for e in found.rejected), default=None),
        "students": ["-".join(map(str, s.widths)) + f": {s.misfit:.2g}" for s in found.students],
        "statement": found.statement,
        **facts,
    }


def table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """A line per kind: how many are right, missed maps, false maps, ratios, time."""
    heads = ("", "right", "needed", "missed maps", "false maps", "true ratio <=", "false ratio >=")
    out = Table(*heads, "search, s (median)", box=None)
    for kind in dict.fromkeys(row["kind"] for row in rows):
        here = [row for row in rows if row["kind"] == kind]
        true = max((r["largest_true_ratio"] or 0 for r in here), default=0)
        false = min((r["least_false_ratio"] for r in here if r["least_false_ratio"]), default=None)
        out.add_row(
            kind,
            f"{sum(r['right'] for r in here)} of {len(here)}",
            str(REQUIRED.get(kind, len(here))),
            str(sum(len(r["missed"]) for r in here)),
            str(sum(len(r["false"]) for r in here)),
            f"{true:.3f}",
            "-" if false is None else f"{false:.3g}",
            f"{float(np.median([r['seconds'] for r in here])):.1f}",
        )
    return out


def passed(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Enough rows of each kind are right, and no map is false."""
    for kind in {row["kind"] for row in rows}:
        here = [row for row in rows if row["kind"] == kind]
        if sum(r["right"] for r in here) < REQUIRED.get(kind, len(here)):
            return False
    return not any(row["false"] for row in rows)


def main() -> int:
    """Search what is missing, store after each case, print; exit code 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.structure", description=__doc__)
    parser.add_argument("--only", default="", help="kind of the cases, e.g. control")
    parser.add_argument("--runs", type=Path, default=None, help="folder of accuracy runs")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    rows = list((baselines.read(NAME, options.baselines) or {}).get("rows", []))
    done = {(row["kind"], row["name"]) for row in rows}
    for case in cases(options.runs):
        if (case.kind, case.name) in done or options.only not in ("", case.kind):
            continue
        start, busy = time.perf_counter(), time.process_time()
        row = row_of(case)
        teacher = row.get("teacher_seconds", 0.0)
        row["seconds"] = round(time.perf_counter() - start - teacher, 1)
        row["processor_seconds_with_teacher"] = round(time.process_time() - busy, 1)
        rows.append(row)
        figures = {"rows": rows, "machine": fingerprint()}
        baselines.write(NAME, figures, options.baselines)
    Console().print(table(rows))
    return 0 if passed(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
