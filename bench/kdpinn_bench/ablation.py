"""What each method of training changes: one row a method, all with the same budget and seeds.

    python -m kdpinn_bench.ablation --problem burgers --problem allen_cahn --iterations 800

The plain recipe is the first row; every other row differs from it in one thing. The budget is the
number of iterations of self-scaled Broyden, whatever they are spent on. Students are made from the
plain row's teacher. Rows that are stored with the same settings are not repeated.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from kdpinn.distill import distill, scratch
from kdpinn.field import Field
from kdpinn.gradual_pruning import prune
from kdpinn.networks import MLP
from kdpinn.problems import Problem, load_problem
from kdpinn.recipe import Fourier, Pruning, Recipe
from kdpinn.teacher import error_against_reference, train_teacher
from kdpinn_bench import baselines

NAME = "ablation"
NEIGHBORS: Mapping[str, tuple[Mapping[str, float], ...]] = {
    "burgers": ({"nu": 0.03},),
    "allen_cahn": ({"diffusion": 1e-3},),
}
"""Easier parameters for the curriculum."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One row: fields of `Training` and `Recipe` that differ from the plain recipe."""

    name: str
    training: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)


def variants(problem: Problem, iterations: int) -> tuple[Variant, ...]:
    """The rows that make sense for the problem, the plain one first."""
    rows = [
        Variant(name="plain"),
        Variant(name="uniform points", training={"adaptive": False}),
        Variant(name="balanced weights", training={"balance": True}),
        Variant(name="multipliers", training={"multipliers": True}),
        Variant(name="fourier features", recipe={"fourier": Fourier(count=4, scale=2.0)}),
    ]
    if "t" in problem.coordinates:
        rows += [
            Variant(name="causal weights", training={"causal": 1.0}),
            Variant(name="growing horizon", training={"windows": 4}),
        ]
    if problem.name in NEIGHBORS:
        steps = NEIGHBORS[problem.name]
        share = iterations // 4 // len(steps)
        changes = {"curriculum": steps, "curriculum_iterations": share}
        changes["iterations"] = iterations - iterations // 4 - share * len(steps)
        rows.append(Variant(name="curriculum", training=changes))
    return tuple(rows)


def plain_recipe(problem: Problem, iterations: int) -> Recipe:
    """The problem's quick recipe with this many iterations, the last quarter on fixed points."""
    recipe = problem.recipes["quick"]
    last = iterations // 4
    training = replace(
        recipe.training,
        iterations=iterations - last,
        last_iterations=last,
        last_points=recipe.training.points,
        resample_every=100,
        levenberg_marquardt=0,
    )
    distillation = replace(recipe.distillation, iterations=iterations, tune_iterations=0)
    return replace(recipe, training=training, distillation=distillation)


def measured(
    make: Callable[[int], Field], problem: Problem, seeds: Sequence[int]
) -> dict[str, Any]:
    """Errors and seconds over the seeds; an error is None where the training diverged."""
    error_of = error_against_reference(problem)
    assert error_of is not None
    errors, seconds, parameters = [], [], 0
    for seed in seeds:
        start = time.perf_counter()
        made = make(seed)
        seconds.append(round(time.perf_counter() - start, 2))
        errors.append(float(f"{error_of(made):.4g}"))
        parameters = made.network.parameters
    return {
        "rel_l2": errors,
        "median": statistics.median(errors),
        "seconds": seconds,
        "parameters": parameters,
    }


def run(
    problem: Problem, iterations: int, seeds: Sequence[int], known: dict[str, Any]
) -> dict[str, Any]:
    """All rows of one problem, name -> figures; `known` rows are kept."""
    plain = plain_recipe(problem, iterations)
    teachers: dict[int, Field] = {}
    rows: dict[str, Any] = {}

    def teacher(recipe: Recipe, seed: int) -> Field:
        return train_teacher(problem, recipe, seed=seed, console=Console(stderr=True)).field

    def plain_teacher(seed: int) -> Field:
        if seed not in teachers:
            teachers[seed] = teacher(plain, seed)
        return teachers[seed]

    def add(name: str, make: Callable[[int], Field]) -> None:
        rows[name] = known.get(name) or measured(make, problem, seeds)

    for variant in variants(problem, iterations):
        training = replace(plain.training, **variant.training)
        recipe = replace(plain, training=training, **variant.recipe)
        add(variant.name, plain_teacher if recipe == plain else partial(teacher, recipe))
    hidden = plain.students[-1]
    sizes = (len(problem.coordinates), *hidden, len(problem.fields))
    size = MLP((plain_teacher(seeds[0]).network.sizes[0], *sizes[1:])).parameters
    pruning = replace(plain, pruning=Pruning())
    add(
        "student: distilled",
        lambda s: distill(problem, plain, plain_teacher(s), hidden, seed=s).field,
    )
    add("student: pruned", lambda s: prune(problem, pruning, plain_teacher(s), size, seed=s).field)
    add("student: scratch", lambda s: scratch(problem, plain, hidden, seed=s).field)
    return rows


def table(stored: Mapping[str, Mapping[str, Any]]) -> Table:
    """All problems' rows, each beside the row that it is to be compared with."""
    head = ("problem", "method", "parameters", "median rel L2", "seeds", "of plain", "seconds")
    out = Table(*head, box=None)
    for problem, facts in stored.items():
        for name, row in sorted(facts["rows"].items(), key=_order):
            base = "student: distilled" if name.startswith("student") else "plain"
            ratio = row["median"] / facts["rows"][base]["median"]
            spread = " ".join(f"{e:.2g}" for e in row["rel_l2"])
            figures = (f"{row['median']:.2e}", spread, f"{ratio:.2f}")
            seconds = f"{statistics.median(row['seconds']):.0f}"
            out.add_row(problem, name, str(row["parameters"]), *figures, seconds)
    return out


def _order(item: tuple[str, Any]) -> tuple[bool, bool, str]:
    """Trainings before students, the plain one first: a stored file sorts by name."""
    name = item[0]
    return name.startswith("student"), name != "plain", name


def main() -> int:
    """Run, store, print."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.ablation", description=__doc__)
    parser.add_argument("--problem", action="append", help="may be repeated; burgers if omitted")
    parser.add_argument("--iterations", type=int, default=800, help="of every training")
    parser.add_argument("--seeds", type=int, nargs="+", default=(0,))
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    stored = baselines.read(NAME, options.baselines) or {}
    for name in options.problem or ["burgers"]:
        problem = load_problem(name)
        if problem.reference is None or "quick" not in problem.recipes:
            parser.error(f"{name} has no reference, or no recipe 'quick'")
        settings = {"iterations": options.iterations, "seeds": list(options.seeds)}
        settings["recipe"] = _plain(asdict(plain_recipe(problem, options.iterations)))
        before = stored.get(name, {})
        known = before.get("rows", {}) if before.get("settings") == settings else {}
        rows = run(problem, options.iterations, options.seeds, known)
        stored[name] = {"settings": settings, "rows": rows}
        baselines.write(NAME, stored, options.baselines)
    Console(width=140).print(table(stored))
    return 0


def _plain(value: Any) -> Any:
    """As JSON gives it back, infinity as None."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if value == float("inf") else value


if __name__ == "__main__":
    sys.exit(main())
