"""What a known structure gives: tied networks beside plain ones, of equal width and equal size.

    python -m kdpinn_bench.rebuilding

Every case trains three networks from the same seed with the same optimizer and budget: tied by the
group, plain of the same widths, and plain with as many free parameters. The groups are those that
`kdpinn discover` finds; here they are given, also to problems that they were not found on. Finished
rows in the stored baseline are not repeated.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from kdpinn.problems import Problem, load_problem
from kdpinn.problems.burgers_inverse import inverse_problem
from kdpinn.recipe import Recipe
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.rebuild import rebuild
from kdpinn_bench import baselines
from kdpinn_bench.inverse import SETS, TRUTHS
from kdpinn_bench.machine import fingerprint

NAME = "structure_rebuilt"
NETWORKS = ("tied", "plain", "equal")


def _mirror(signs: Sequence[float], characters: Sequence[float]) -> InputMap:
    return InputMap(np.diag(signs), np.zeros(len(signs)), np.array(characters))


LAPLACE = (_mirror((1, -1), (1,)), _mirror((-1, 1), (-1,)))
BURGERS = (_mirror((-1, 1), (-1,)),)
CYLINDER = (_mirror((1, -1), (1, 1, -1)),)
MIDDLE = np.array([0.5, 0.5])
POISSON = (
    InputMap(np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2), np.ones(1)),
    InputMap.about(MIDDLE, -np.eye(2), [1.0]),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Networks of some widths on a problem, with and without a structure.

    Attributes:
        name: of the row in the table; the cases of one name are its seeds or sets of samples.
        make: the problem.
        generators: of the group.
        hidden: widths of the hidden layers of the tied and the plain network.
        preset: of the problem's recipes; `training`: what differs from it.
        seed: of points and initial parameters.
        equal: whether a plain network of as many free parameters is trained.
    """

    name: str
    make: Callable[[], Problem]
    generators: tuple[InputMap, ...]
    hidden: tuple[int, ...]
    preset: str = "quick"
    training: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    number: int = 0
    equal: bool = True

    def recipe(self) -> Recipe:
        """Budget of each network."""
        recipe = self.make().recipes[self.preset]
        return replace(recipe, training=replace(recipe.training, **self.training))


def cases() -> Iterator[Case]:
    """All of them, in the order of their rows."""

    def shipped(name: str, **changes: Any) -> Callable[[], Problem]:
        return lambda: load_problem(name).replace(**changes)

    for width, seeds in ((8, 8), (16, 3)):
        for seed in range(seeds):
            yield Case(
                name=f"laplace, width {width}",
                make=shipped("laplace"),
                generators=LAPLACE,
                hidden=(width,) * 3,
                preset="best",
                seed=seed,
            )
    for factor in (4, 8):
        viscosity = {"nu": factor * 0.01 / np.pi}
        for seed in range(3):
            yield Case(
                name=f"burgers, nu = 0.0{factor}/pi",
                make=shipped("burgers", parameters=viscosity),
                generators=BURGERS,
                hidden=(16, 16, 16),
                training={"iterations": 2400, "last_iterations": 600},
                seed=seed,
            )
    for seed in range(3):
        yield Case(
            name="poisson",
            make=shipped("poisson"),
            generators=POISSON,
            hidden=(20, 20, 20),
            training={"iterations": 2400, "last_iterations": 600},
            seed=seed,
        )
    for truth in TRUTHS:
        for number in range(SETS):
            yield Case(
                name=f"burgers_inverse_samples, nu = {truth:g}",
                make=_inverse(truth, number),
                generators=BURGERS,
                hidden=(16, 16, 16),
                number=number,
                equal=False,
            )
    for seed in range(3):
        yield Case(
            name="cylinder_flow",
            make=shipped("cylinder_flow"),
            generators=CYLINDER,
            hidden=(20, 20, 20),
            training={"iterations": 1600, "last_iterations": 400},
            seed=seed,
        )


def _inverse(truth: float, number: int) -> Callable[[], Problem]:
    return lambda: inverse_problem(
        truth, sample_set=number, conditions=False, name="burgers_inverse_samples"
    )


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
    rivals = {name: figures.pop(name) for name in NETWORKS[1:] if name in figures}
    truth = dict(problem.truth)
    rows = {"tied": figures, **rivals}
    fields = _by_field(problem, rebuilt) if len(problem.fields) > 1 else {}
    return {
        "case": case.name,
        "seed": case.seed,
        "number": case.number,
        "recipe": repr((case.hidden, case.recipe().training)),
        "losses": {"tied": rebuilt.gate.tied, "plain": rebuilt.gate.plain},
        "networks": {name: _row(row, truth) | fields.get(name, {}) for name, row in rows.items()},
    }


def _row(row: Mapping[str, Any], truth: Mapping[str, float]) -> dict[str, Any]:
    kept = ("sizes", "parameters", "rel_l2", "symmetry_error", "seconds", "symmetry_error_start")
    found = {k: row[k] for k in kept if k in row}
    for name, value in row["found"].items():
        found[name] = value
        if name in truth:
            found["off_pct"] = 100 * abs(value / truth[name] - 1)
    return found


def _by_field(problem: Problem, rebuilt: Any) -> dict[str, dict[str, Any]]:
    """Relative L2 errors of each field, network by network."""
    points = problem.evaluation_points()
    reference = problem.reference_at(points)
    found = {}
    for name in NETWORKS:
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
            if network not in here[0]:
                continue
            figures = [_figure(row[network]) for row in here]
            better = sum(_figure(row["tied"]) < f for row, f in zip(here, figures, strict=True))
            out.add_row(
                name if network == "tied" else "",
                str(len(here)) if network == "tied" else "",
                network,
                str(here[0][network]["parameters"]),
                f"{statistics.median(figures):.2e}",
                f"{max(figures):.2e}",
                "" if network == "tied" else f"{better} of {len(here)}",
            )
    return out


def _figure(row: Mapping[str, Any]) -> float:
    """Per cent that the unknown is off, where there is one; else the relative L2 error."""
    return float(row["off_pct"] if "off_pct" in row else row["rel_l2"])


def main() -> int:
    """Measure what is missing, store after each case, print."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.rebuilding", description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name begins so")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    known = (baselines.read(NAME, options.baselines) or {}).get("rows", [])
    order = {(c.name, c.seed, c.number): k for k, c in enumerate(cases())}
    current = {(c.name, c.seed, c.number, repr((c.hidden, c.recipe().training))) for c in cases()}
    rows = [r for r in known if (r["case"], r["seed"], r["number"], r["recipe"]) in current]
    for case in cases():
        done = {(row["case"], row["seed"], row["number"]) for row in rows}
        if not case.name.startswith(options.only) or (case.name, case.seed, case.number) in done:
            continue
        rows.append(measure(case, Console(stderr=True)))
        rows.sort(key=lambda row: order[row["case"], row["seed"], row["number"]])
        stored = {"rows": rows, "machine": fingerprint()}
        baselines.write(NAME, stored, options.baselines)
    Console(width=140).print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
