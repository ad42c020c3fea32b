r"""A teacher made as symmetric as its problem: its mean over the symmetries that the physics shows.

If g takes every solution of a problem to a solution, u -> c(g) u(g x), and there is only one, then
u* = P u* with P the mean over the group, an orthogonal projection, and of any teacher u

    \|P u - u^*\|^2 = \|u - u^*\|^2 - \|u - P u\|^2 .

The mean is never further from the solution than the teacher, and what the teacher breaks of the
symmetry, which no residual has to find, is gone. On Burgers that is most of its error: a front that
stands a little beside x = 0.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kdpinn.field import Field
from kdpinn.held_out import held_out
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Recipe
from kdpinn.structure.candidates import signed_permutations
from kdpinn.structure.evidence import Unit, with_characters
from kdpinn.structure.examining import subject_of
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.subject import sampled
from kdpinn.structure.symmetrized import symmetrized
from kdpinn.teacher import HELD_OUT_SEED
from kdpinn.teachers.protocol import Teacher

LARGEST_ASYMMETRY = 0.1
"""A map that a teacher breaks by more, in standard deviations, is not tried: it saves time only."""


def projected(
    problem: Problem, recipe: Recipe, teacher: Teacher, seed: int
) -> tuple[Teacher, Group | None]:
    """The teacher's mean over the symmetries of its problem, and these; else the teacher, None.

    A map of the domain onto itself counts if with it, and with all that counted before, the mean
    solves equation and conditions no worse than the teacher itself, by the median of means and by
    the mean square over held-out points. A wrong map adds what the solution breaks of it: on the
    problems of this package ten powers of ten. The reference decides nothing.

    Args:
        teacher: of a plain network; any other is left as it is.
        seed: of the held-out points.
    """
    wanted = recipe.distillation.symmetric and problem.residual is not None
    if not wanted or not isinstance(teacher, Field) or not _is_plain(teacher):
        return teacher, None

    def losses(field: Field) -> tuple[float, float]:
        judgment = held_out(problem, field, recipe.training, seed + HELD_OUT_SEED)
        return judgment.value(field.theta), judgment.objective.value(field.theta)

    allowed = losses(teacher)
    best, group = teacher, None
    for g in _obeyed(problem, teacher):
        try:
            larger = Group.generated_by([*(group.generators if group else ()), g])
            mean = symmetrized(teacher, larger, problem.domain)
        except ValueError:  # it does not go with the group, the features or the exact conditions
            continue
        grown = group is None or larger.order > group.order
        if grown and all(np.less_equal(losses(mean), allowed)):
            best, group = mean, larger
    return best, group


def by_mean(problem: Problem, group: Group | None) -> str:
    """A sentence for the report; "" without a group."""
    if group is None:
        return ""
    maps = "; ".join(g.describe(problem.coordinates, problem.fields) for g in group.generators)
    return f" It was taught by the teacher's mean over the problem's symmetries: {maps}."


def _is_plain(teacher: Field) -> bool:
    return teacher.network.symmetry is None and len(teacher.network.sizes) > 2


def _obeyed(problem: Problem, teacher: Field) -> Iterator[InputMap]:
    """Maps of the domain onto itself that the teacher obeys roughly, on physical coordinates."""
    subject = subject_of(problem, teacher, given=False)
    data = sampled(subject)
    unit = Unit(subject.unit_values, subject.inside, data.spread)
    for g in signed_permutations(problem.domain.dim, subject.fixed):
        evidence = with_characters(unit, g, data.samples.points)
        if evidence is None or evidence.overlap < 1 or max(evidence.asymmetry) > LARGEST_ASYMMETRY:
            continue
        yield subject.to_physical(evidence.map)
