"""Rebuilding from a teacher without an equation, and its gate."""

from __future__ import annotations

import numpy as np
import pytest
from structure_groups import signs
from tiny_problem import TINY

from kdpinn.geometry import Box
from kdpinn.problems import Problem
from kdpinn.structure.group import Group
from kdpinn.structure.taught import rebuild_taught
from kdpinn.teachers.functions import Function
from kdpinn.teachers.taught import TeacherReference

GROUP = Group.generated_by([signs(-1, 1, u=(-1,))])


def lesson(slope: float):
    """sin(2 x) cos y, odd in x, and a part that is not."""

    def call(x):
        return np.sin(2 * x[:, 0]) * np.cos(x[:, 1]) + slope * x[:, 0] ** 2

    teacher = Function(name="wave", call=call, inputs=("x", "y"), outputs=("u",))
    problem = Problem(
        name="wave",
        domain=Box(x=(-1, 1), y=(-1, 1)),
        fields=("u",),
        reference=TeacherReference(teacher),
        grid=(21, 21),
    )
    return problem, teacher


@pytest.mark.parametrize(
    ("slope", "error", "passed"),
    [
        (0.0, 0.0, True),
        (0.0, None, True),
        (1e-2, None, False),  # more than a teacher is assumed to be off
        (1e-2, 2e-2, True),  # a teacher as bad as that may break what its truth has
        (0.5, 2e-2, False),
    ],
)
def test_what_the_teacher_breaks_is_held_against_its_error(slope, error, passed):
    problem, teacher = lesson(slope)
    outcome = rebuild_taught(problem, teacher, GROUP, (6, 6), TINY, error=error)
    assert outcome.passed is passed, outcome.reason
    assert outcome.field is (outcome.tied.field if passed else outcome.plain.field)
    figures = outcome.figures()
    assert figures["symmetry_error"] <= 1e-12
    assert figures["free_parameters"] < figures["plain"]["parameters"]
    assert figures["gate"]["passed"] is passed
