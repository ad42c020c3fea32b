"""Rebuilding where there is no equation: tied and plain students of the teacher, and their gate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from kdpinn.distill import STUDENT_SEED
from kdpinn.field import Field
from kdpinn.matching import matching_points
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe
from kdpinn.sampling import interior
from kdpinn.starts import match, new_student, renamed
from kdpinn.structure.gate import ALLOWANCE, verdict
from kdpinn.structure.group import Group
from kdpinn.structure.rebuild import SYMMETRY_POINTS, fitted_widths
from kdpinn.structure.symmetrized import symmetrized
from kdpinn.structure.tied import symmetry_error, tied_like
from kdpinn.teacher import HELD_OUT_SEED, settings_for
from kdpinn.teachers.protocol import Teacher
from kdpinn.train import Trained

ASSUMED_ERROR = 1e-3
"""Relative L2 error of a teacher about which nothing is said. With less, no teacher but an exact
one would have a structure; with more, a symmetry that is broken by one per cent would pass."""

JUDGING_POINTS = 2048


@dataclass(frozen=True, kw_only=True)
class Taught:
    """A tied student and a plain one of the same widths, matched to the teacher alike.

    Attributes:
        passed: whether the plain student, made symmetric, misses fresh values of the teacher as
            little as before, or by no more than the teacher's own error.
    """

    group: Group
    tied: Trained
    plain: Trained
    passed: bool
    reason: str
    problem: Problem

    @property
    def field(self) -> Field:
        """The tied student if the gate let it pass, else the plain one."""
        return self.tied.field if self.passed else self.plain.field

    def figures(self) -> dict[str, Any]:
        """What was measured, for JSON; errors are against the teacher."""
        return {
            "group_order": self.group.order,
            "free_parameters": self.tied.field.network.parameters,
            "dense_parameters": self.tied.field.network.dense_parameters,
            **self._of(self.tied),
            "plain": self._of(self.plain),
            "gate": {"passed": self.passed, "reason": self.reason},
        }

    def _of(self, trained: Trained) -> dict[str, Any]:
        field = trained.field
        points = interior(self.problem.domain, SYMMETRY_POINTS, seed=0).numpy()
        return {
            "sizes": list(field.network.sizes),
            "parameters": field.network.parameters,
            "rel_l2": float(trained.history.rel_l2[-1]),
            "held_out": trained.held_out,
            "symmetry_error": symmetry_error(field, self.group, points),
            "seconds": round(trained.seconds, 3),
        }


def rebuild_taught(
    problem: Problem,
    teacher: Teacher,
    group: Group,
    hidden: tuple[int, ...],
    recipe: Recipe,
    *,
    error: float | None = None,
    seed: int = 0,
    out_dir: Path | None = None,
    resume: bool = False,
    console: Console | None = None,
) -> Taught:
    """Match a tied student and a plain one of the same widths to the teacher.

    Args:
        hidden: each width is rounded up to a multiple of the group's order.
        recipe: its `distillation` is the budget of each.
        error: relative L2 error of the teacher; None: `ASSUMED_ERROR`.
    Raises:
        ValueError: the group does not go with the domain.
    """
    hidden = fitted_widths(hidden, group.order)
    seed = seed + STUDENT_SEED
    plain = new_student(problem, recipe, teacher, hidden, seed)
    tied = tied_like(plain, group, problem.domain, torch.Generator().manual_seed(seed))
    tied = replace(tied, output_shift=_symmetric_shift(tied, group))
    settings = settings_for("", recipe, out_dir, seed, resume=resume, console=console)
    settings = replace(settings, check_every=recipe.distillation.check_every)
    outcomes = [
        match(problem, recipe, teacher, start, renamed(settings, f"{name}-taught"))
        for name, start in (("rebuilt", tied), ("plain", plain))
    ]
    trained = outcomes[1].field
    mean, alone = (
        _misfit(problem, teacher, field, seed)
        for field in (symmetrized(trained, group, problem.domain), trained)
    )
    slack = ASSUMED_ERROR if error is None else error
    passed = mean <= max(ALLOWANCE**0.5 * alone, slack)
    reason = verdict(passed, "relative misfit to the teacher", mean, alone)
    return Taught(
        group=group,
        tied=outcomes[0],
        plain=outcomes[1],
        passed=passed,
        reason=f"{reason} An error of the teacher of {slack:.1g} is allowed for"
        + (": say --error if it is larger." if error is None else "."),
        problem=problem,
    )


def _misfit(problem: Problem, teacher: Teacher, field: Field, seed: int) -> float:
    """Relative L2 misfit to the teacher at points that judge, the largest of the fields."""
    at = matching_points(
        problem.domain, teacher, JUDGING_POINTS, seed + HELD_OUT_SEED, held_out=True
    )
    x, weight = at.points.numpy(), at.importance.numpy()[:, None]
    wanted = teacher.values(x)
    size = np.sqrt((weight * (wanted - wanted.mean(0)) ** 2).mean(0))
    misfit = np.sqrt((weight * (field.values(x) - wanted) ** 2).mean(0))
    return float((misfit / np.where(size > 0, size, 1.0)).max())


def _symmetric_shift(field: Field, group: Group) -> torch.Tensor:
    """The output shift, zero for every output that some element makes negative.

    Such a field has no mean; what a set of points leaves of one would break the symmetry.
    """
    odd = torch.tensor(
        [any(g.characters[k] < 0 for g in group.elements) for k in range(len(field.outputs))]
    )
    return torch.where(odd, torch.zeros_like(field.output_shift), field.output_shift)
