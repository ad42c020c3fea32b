"""From a teacher to its symmetry group, with everything that was measured on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kdpinn.structure.candidates import maps_in_weights
from kdpinn.structure.evidence import (
    Evidence,
    TiedStudent,
    Unit,
    asymmetry_limit,
    ratio_limit,
    tied_student,
)
from kdpinn.structure.fits import Samples
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.outcome import POOR_TEACHER, Discovery, no_student, poor_teacher, statement
from kdpinn.structure.rotations import applies, rotations
from kdpinn.structure.screening import Say, elsewhere, listed, obeys, wanted, with_costs
from kdpinn.structure.students import Student, StudentSettings, train_student
from kdpinn.structure.subject import Subject, sampled

LADDER = (
    StudentSettings(),
    StudentSettings(hidden=(12, 12, 12), penalty=5e-4, adam=2000),
    StudentSettings(hidden=(16, 16, 16), penalty=3e-4, adam=3000),
)
"""Students to try: the next where the one before misses its teacher."""


@dataclass(frozen=True, kw_only=True)
class DiscoverySettings:
    """How structure is searched for.

    Attributes:
        students: how many good ones; the maps found are those of any of them. A single student
            misses a generator in about a quarter of the cases.
        ladder: kinds of students.
        seed: student k of a kind takes seed + k.
        rotations: whether students on the inscribed disk look for other angles too.
    """

    students: int = 4
    ladder: tuple[StudentSettings, ...] = LADDER
    seed: int = 0
    rotations: bool = True

    def __post_init__(self) -> None:
        if self.students < 1 or not self.ladder:
            raise ValueError(
                f"`DiscoverySettings` needs students >= 1 and a ladder, got {self.students} and "
                f"{len(self.ladder)} kinds."
            )


def discover(
    subject: Subject, settings: DiscoverySettings | None = None, say: Say = lambda text: None
) -> Discovery:
    """Search a function for signed symmetries u(g x) = chi u(x) of its domain.

    Penalized students are trained; maps come from their first layers and from the list of the
    box's own; a map counts if the teacher obeys it as far as its error permits, and at least one
    student can have it exactly at no cost. Maps of all students generate the group. Where
    nothing can be said, there is no group, and the statement says what was measured.

    Args:
        say: told about each step.
    """
    settings = settings or DiscoverySettings()
    try:
        data = sampled(subject)
    except ValueError as error:
        return Discovery(subject, None, str(error))
    if subject.error is not None and np.max(subject.error) > POOR_TEACHER:
        return Discovery(subject, None, poor_teacher(subject))
    unit = Unit(subject.unit_values, subject.inside, data.spread)
    students, kinds = _students(data.samples, settings, say)
    good = [k for k, student in enumerate(students) if not student.failure]
    limits = asymmetry_limit(subject.error, data.size)
    result = Discovery(
        subject,
        None,
        no_student(students),
        students=tuple(students),
        settings=tuple(kinds),
        limits=limits,
        samples=data.samples,
    )
    if not good:
        return result
    chosen = [students[k] for k in good]
    penalties = [kinds[k].penalty for k in good]
    turns = []
    if settings.rotations and applies(subject):
        turns = rotations(subject, unit, kinds[good[0]], settings.seed, say)
    shown = [g for student in chosen for g in maps_in_weights(*student.layers[0])]
    seen = (subject, unit, shown, data.samples.points)
    found = with_costs(listed(*seen), limits, chosen, penalties, data.samples, say)
    nothing = max(1.0 / student.objective for student in chosen)
    limit = ratio_limit([e.ratio for e in found if e.ratios], nothing)
    accepted = [e for e in found if obeys(e, limits) and wanted(e, penalties, limit)]
    group, left_out = _group(subject, accepted)
    result = replace(
        result,
        group=group,
        accepted=tuple(accepted),
        rejected=tuple(e for e in found if e not in accepted),
        noticed=tuple(e for e in elsewhere(*seen) if obeys(e, limits)),
        turns=tuple(e for e in turns if obeys(e, limits)),
        ratio_limit=limit,
        tied=_tied(subject, group, accepted, chosen, penalties, data.samples),
    )
    return replace(result, statement=statement(result, left_out))


def _students(
    samples: Samples, settings: DiscoverySettings, say: Say
) -> tuple[list[Student], list[StudentSettings]]:
    """Good students of the first kind that learns at all, and all bad ones before."""
    students: list[Student] = []
    kinds: list[StudentSettings] = []
    for kind in settings.ladder:
        good = bad = 0
        for k in range(2 * settings.students):
            student = train_student(samples, kind, settings.seed + k)
            students.append(student)
            kinds.append(kind)
            good, bad = good + (not student.failure), bad + bool(student.failure)
            shape = "-".join(map(str, student.widths))
            say(
                f"student {k + 1} of {'-'.join(map(str, kind.hidden))}: {shape} after merging, "
                f"misfit {student.misfit:.2g}{': ' * bool(student.failure)}{student.failure}"
            )
            if good == settings.students or (not good and bad == 2):
                break
        if good:
            break
    return students, kinds


def _group(subject: Subject, accepted: Sequence[Evidence]) -> tuple[Group | None, list[str]]:
    """The group of as many maps as have one; why the others are left out."""
    kept: list[InputMap] = []
    group: Group | None = None
    left_out = []
    for evidence in accepted:
        g = subject.to_physical(evidence.map)
        try:
            group = Group.generated_by([*kept, g])
            kept.append(g)
        except ValueError as error:
            left_out.append(str(error))
    return group, left_out


def _tied(
    subject: Subject,
    group: Group | None,
    accepted: Sequence[Evidence],
    students: Sequence[Student],
    penalties: Sequence[float],
    samples: Samples,
) -> TiedStudent | None:
    """All generators at once, in the student where that costs least.

    Signed permutations that were matched one by one need not fit each other: the cost tells.
    """
    if group is None:
        return None
    maps = [
        next(e.map for e in accepted if subject.to_physical(e.map).same(g))
        for g in group.generators
    ]
    found = [
        tied_student(student, samples, penalty, maps)
        for student, penalty in zip(students, penalties, strict=True)
    ]
    return min(found, key=lambda tied: tied.ratio)
