"""Networks rebuilt to see what a structure is worth: problems, groups, widths, budgets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kdpinn.problems import Problem, load_problem
from kdpinn.problems.burgers_inverse import inverse_problem
from kdpinn.recipe import Recipe
from kdpinn.structure.group import InputMap
from kdpinn_bench.inverse import SETS, TRUTHS


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


ADAM: Mapping[str, Any] = {
    "adam": 80_000,
    "adam_rate": 1e-4,
    "adam_points": 1000,
    "iterations": 0,
    "last_iterations": 0,
    "check_every": 1000,
}
"""As Liu et al. (Psi-NN, 2025) train on Laplace's equation: Adam at a constant rate of 1e-4, 80,000
steps. Here in float64, and on 1000 points, drawn anew every 100 steps, where they take a grid of
101 x 101 in float32."""


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
                make=_shipped("laplace"),
                generators=LAPLACE,
                hidden=(width,) * 3,
                preset="best",
                seed=seed,
            )
    for factor in (4, 8):
        for seed in range(3):
            yield Case(
                name=f"burgers, nu = 0.0{factor}/pi",
                make=_shipped("burgers", parameters={"nu": factor * 0.01 / np.pi}),
                generators=BURGERS,
                hidden=(16, 16, 16),
                training={"iterations": 2400, "last_iterations": 600},
                seed=seed,
            )
    for seed in range(3):
        yield _poisson(seed, iterations=2400, last_iterations=600)
    for truth in TRUTHS:
        for number in range(SETS):
            yield _viscosity(truth, number)
    for seed in range(3):
        yield Case(
            name="cylinder_flow",
            make=_shipped("cylinder_flow"),
            generators=CYLINDER,
            hidden=(20, 20, 20),
            training={"iterations": 1600, "last_iterations": 400},
            seed=seed,
        )
    yield from published()


def published() -> Iterator[Case]:
    """The published comparison: its plain network on Laplace's equation, its optimizer on all."""
    for suffix, training in ((", Adam", ADAM), ("", {})):
        for seed in range(3):
            yield Case(
                name=f"laplace, width 8-8-16{suffix}",
                make=_shipped("laplace"),
                generators=LAPLACE,
                hidden=(8, 8, 16),
                preset="best",
                training=training,
                seed=seed,
            )
    for number in range(3):
        for truth in TRUTHS[:2]:
            yield _viscosity(truth, number, ", Adam", **ADAM)
    for seed in range(3):
        yield _poisson(seed, ", Adam", **ADAM)


def _shipped(name: str, **changes: Any) -> Callable[[], Problem]:
    return lambda: load_problem(name).replace(**changes)


def _poisson(seed: int, suffix: str = "", **training: Any) -> Case:
    return Case(
        name=f"poisson{suffix}",
        make=_shipped("poisson"),
        generators=POISSON,
        hidden=(20, 20, 20),
        training=training,
        seed=seed,
    )


def _viscosity(truth: float, number: int, suffix: str = "", **training: Any) -> Case:
    return Case(
        name=f"burgers_inverse_samples, nu = {truth:g}{suffix}",
        make=_inverse(truth, number),
        generators=BURGERS,
        hidden=(16, 16, 16),
        training=training,
        number=number,
        equal=False,
    )


def _inverse(truth: float, number: int) -> Callable[[], Problem]:
    return lambda: inverse_problem(
        truth, sample_set=number, conditions=False, name="burgers_inverse_samples"
    )
