"""From a group to a trained network that has it, beside networks that do not.

What `kdpinn discover` ends with, and what `kdpinn train PROBLEM --structure` does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from kdpinn.field import Field
from kdpinn.geometry import FloatArray
from kdpinn.metrics import finite
from kdpinn.networks import MLP
from kdpinn.physics import collocation
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe
from kdpinn.structure.gate import Gate, judge_structure
from kdpinn.structure.group import Group
from kdpinn.structure.tied import symmetry_error, tied_like
from kdpinn.teacher import error_against_reference, new_field, settings_for, train_on_equation
from kdpinn.train import Trained

SYMMETRY_POINTS = 512
"""Points at which a network and its images are compared."""


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """A trained network with a structure, and its rivals by the same optimizer and budget.

    Attributes:
        group: the structure.
        tied: outcome of the tied network; plain: of the untied one of the same widths.
        equal: of an untied one with as many free parameters; None if it was not asked for.
        gate: whether the structure may stay.
        start: symmetry error of the tied network before its training.
        points: (N, d), where symmetry errors were measured.
    """

    group: Group
    tied: Trained
    plain: Trained
    equal: Trained | None
    gate: Gate
    start: float
    points: FloatArray
    problem: Problem

    @property
    def field(self) -> Field:
        """The tied network if the gate let it pass, else the plain one."""
        return self.tied.field if self.gate.passed else self.plain.field

    def figures(self) -> dict[str, Any]:
        """What was measured, for JSON."""
        network = self.tied.field.network
        rivals = {"plain": self.plain, **({"equal": self.equal} if self.equal else {})}
        return {
            "group_order": self.group.order,
            "free_parameters": network.parameters,
            "dense_parameters": network.dense_parameters,
            "symmetry_error_start": self.start,
            **self._of(self.tied),
            **{name: self._of(trained) for name, trained in rivals.items()},
            "gate": finite(asdict(self.gate)),
        }

    def _of(self, trained: Trained) -> dict[str, Any]:
        error = error_against_reference(self.problem)
        field = trained.field
        return {
            "sizes": list(field.network.sizes),
            "parameters": field.network.parameters,
            "rel_l2": error(field) if error is not None else None,
            "held_out": trained.held_out,
            "symmetry_error": symmetry_error(field, self.group, self.points),
            "found": field.found,
            "iterations": trained.iterations,
            "seconds": round(trained.seconds, 3),
        }


def rebuild(
    problem: Problem,
    group: Group,
    hidden: tuple[int, ...],
    recipe: Recipe,
    *,
    seed: int = 0,
    equal: bool = False,
    out_dir: Path | None = None,
    resume: bool = False,
    console: Console | None = None,
) -> Rebuilt:
    """Train the tied network and the plain one of the same widths, and judge the structure.

    Args:
        group: on the problem's coordinates and fields.
        hidden: widths of the hidden layers; each is rounded up to a multiple of the group's order.
        recipe: its `training` is the budget of each network, its activation that of all.
        equal: whether a plain network of as many free parameters is trained too.
        out_dir: takes checkpoints, logs and fields `rebuilt-*`, `plain-*`; None for none.
        resume, console: see `kdpinn.teacher.train_teacher`.
    Raises:
        ValueError: the group does not go with the problem, and why (`kdpinn.structure.tied`).
        TrainingDiverged, Interrupted: see `kdpinn.train.train`.
    """
    hidden = fitted_widths(hidden, group.order)
    field = new_tied_field(problem, group, hidden, recipe, seed)

    def trained(name: str, start: Field) -> Trained:
        widths = "-".join(map(str, start.network.sizes[1:-1]))
        settings = settings_for(
            f"{name}-{widths}", recipe, out_dir, seed, resume=resume, console=console
        )
        return train_on_equation(problem, start, recipe.training, settings)

    tied = trained("rebuilt", field)
    plain = trained("plain", new_field(problem, hidden, recipe.activation, seed, recipe.fourier))
    rival = None
    if equal:
        widths = equal_widths(field, len(hidden))
        rival = trained(
            "equal", new_field(problem, widths, recipe.activation, seed, recipe.fourier)
        )
    points = collocation(problem, SYMMETRY_POINTS, seed).numpy()
    return Rebuilt(
        group=group,
        tied=tied,
        plain=plain,
        equal=rival,
        gate=judge_structure(problem, group, tied.field, plain.field, recipe.training, seed),
        start=symmetry_error(field, group, points),
        points=points,
        problem=problem,
    )


def new_tied_field(
    problem: Problem, group: Group, hidden: tuple[int, ...], recipe: Recipe, seed: int
) -> Field:
    """Untrained field on the problem's domain that has the group's symmetry.

    Raises:
        ValueError: the group does not go with the problem, and why.
    """
    plain = new_field(problem, hidden, recipe.activation, seed, recipe.fourier)
    return tied_like(plain, group, problem.domain, torch.Generator().manual_seed(seed))


def fitted_widths(hidden: tuple[int, ...], order: int) -> tuple[int, ...]:
    """Each width rounded up to a multiple of the group's order."""
    return tuple(-(-width // order) * order for width in hidden)


def equal_widths(field: Field, layers: int) -> tuple[int, ...]:
    """Hidden widths, as equal as can be, of the least plain network with as many parameters."""
    wanted = field.network.parameters
    sizes = field.network.sizes
    widths = [1] * layers
    for step in range(wanted):
        if MLP((sizes[0], *widths, sizes[-1])).parameters >= wanted:
            break
        widths[step % layers] += 1
    return tuple(widths)
