"""Candidates for symmetries, and the tests that each of them has to pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from kdpinn.structure.candidates import signed_permutations
from kdpinn.structure.evidence import SHOWN, Evidence, Unit, measured, with_characters
from kdpinn.structure.fits import Array, Samples
from kdpinn.structure.group import InputMap
from kdpinn.structure.students import Student
from kdpinn.structure.subject import Subject

FALSE_ONES = 4
"""Candidates that the teacher contradicts and whose cost is measured all the same, as a scale."""

Say = Callable[[str], None]


def listed(
    subject: Subject, unit: Unit, shown: Sequence[InputMap], points: Array
) -> list[Evidence]:
    """The box's own maps that preserve the domain, with characters and asymmetries.

    Args:
        shown: maps that students show in their first layers.
        points: (N, d) of the unit cube.
    """
    found = []
    for g in signed_permutations(subject.domain.dim, subject.fixed):
        evidence = with_characters(unit, g, points)
        if evidence is not None and subject.to_physical(g).preserves(subject.domain) is None:
            seen = any(h.moves_like(g) or h.inverse().moves_like(g) for h in shown)
            found.append(replace(evidence, in_first_layer=seen))
    return found


def elsewhere(
    subject: Subject, unit: Unit, shown: Sequence[InputMap], points: Array
) -> list[Evidence]:
    """Maps of `shown` that do not preserve the domain, each once, with their asymmetries."""
    new: list[InputMap] = []
    for g in shown:
        moved = any(np.abs(g.matrix[i] - np.eye(len(g.offset))[i]).max() > 0 for i in subject.fixed)
        preserved = subject.to_physical(g).preserves(subject.domain) is None
        if not (moved or preserved or any(_near(g, h) for h in new)):
            new.append(g)
    found = [with_characters(unit, g, points) for g in new]
    return [replace(evidence, in_first_layer=True) for evidence in found if evidence is not None]


def _near(g: InputMap, h: InputMap) -> bool:
    """Whether both are readings of one map in different students."""
    return bool(np.abs(g.matrix - h.matrix).max() < 0.1 and np.abs(g.offset - h.offset).max() < 0.1)


def with_costs(
    candidates: Sequence[Evidence],
    limits: Array,
    students: Sequence[Student],
    penalties: Sequence[float],
    samples: Samples,
    say: Say,
) -> list[Evidence]:
    """The candidates with the cost of their ties, those that the teacher contradicts in short."""
    found, contradicted = [], 0
    for evidence in candidates:
        if obeys(evidence, limits):
            evidence = measured(evidence, students, samples, penalties)
        elif contradicted < FALSE_ONES:
            contradicted += 1
            evidence = measured(evidence, students[:1], samples, penalties[:1])
        if evidence.ratios:
            say(
                f"{evidence.map.describe()}: teacher's asymmetry {evidence.worst_asymmetry:.2g}, "
                f"J_tied / J_free {evidence.ratio:.4g}"
            )
        found.append(evidence)
    return found


def obeys(evidence: Evidence, limits: Array) -> bool:
    """Whether the teacher breaks the map by no more than the limit (m,) of each field."""
    return bool((evidence.asymmetry <= limits).all())


def wanted(evidence: Evidence, penalties: Sequence[float], limit: float) -> bool:
    """Whether some student can have the map at no cost.

    Without a penalty nothing draws a student to symmetry, and whatever ties leave free fits as
    well: such a student must show the map in its weights.
    """
    return any(
        ratio <= limit and (penalty > 0 or residual <= SHOWN)
        for ratio, residual, penalty in zip(
            evidence.ratios, evidence.residuals, penalties, strict=True
        )
    )
