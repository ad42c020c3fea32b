"""From a teacher to its symmetry group, with everything that was measured on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from kdpinn.structure.candidates import maps_in_weights, signed_permutations
from kdpinn.structure.evidence import (
    SHOWN,
    Evidence,
    TiedStudent,
    Unit,
    asymmetry_limit,
    measured,
    ratio_limit,
    tied_student,
    with_characters,
)
from kdpinn.structure.fits import Array, Samples
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.rotations import applies, in_words, rotations
from kdpinn.structure.students import Student, StudentSettings, train_student
from kdpinn.structure.subject import Subject, sampled

LADDER = (
    StudentSettings(),
    StudentSettings(hidden=(12, 12, 12), penalty=5e-4, adam=2000),
    StudentSettings(hidden=(16, 16, 16), penalty=3e-4, adam=3000),
)
"""Students to try: the next where the one before misses its teacher."""

POOR_TEACHER = 0.1
FALSE_ONES = 4
"""Candidates that the teacher contradicts and whose cost is measured all the same, as a scale."""

Say = Callable[[str], None]


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


@dataclass(frozen=True, eq=False)
class Discovery:
    """What was found, and what was measured.

    Attributes:
        subject: what was searched.
        group: on physical coordinates; None if there is none, or none that can be trusted.
        statement: one paragraph: the maps, or why there are none.
        accepted, rejected: candidates that take the unit cube onto itself.
        noticed: maps that the weights show and the teacher obeys where it can be asked, but that
            move the domain: they are reported, not used.
        turns: likewise, isometries of the inscribed disk that the box does not have.
        students, settings: all that were trained, and how each was.
        limits: (m,), asymmetries that were allowed.
        ratio_limit: of J_tied / J_free.
        samples: what the students learned.
        tied: the student that has all generators at once at the least cost; None without a group.
    """

    subject: Subject
    group: Group | None
    statement: str
    accepted: tuple[Evidence, ...] = ()
    rejected: tuple[Evidence, ...] = ()
    noticed: tuple[Evidence, ...] = ()
    turns: tuple[Evidence, ...] = ()
    students: tuple[Student, ...] = ()
    settings: tuple[StudentSettings, ...] = ()
    limits: Array = field(default_factory=lambda: np.zeros(0))
    ratio_limit: float = float("nan")
    samples: Samples | None = None
    tied: TiedStudent | None = None

    def evidence_of(self, g: InputMap) -> Evidence | None:
        """What was measured of an element of the group; None if it follows from others only."""
        for evidence in self.accepted:
            if self.subject.to_physical(evidence.map).same(g):
                return evidence
        return None


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
        return Discovery(subject, None, _poor_teacher(subject))
    unit = Unit(subject.unit_values, subject.inside, data.spread)
    students, kinds = _students(data.samples, settings, say)
    good = [k for k, student in enumerate(students) if not student.failure]
    limits = asymmetry_limit(subject.error, data.size)
    result = Discovery(
        subject,
        None,
        _no_student(students),
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
    candidates, elsewhere = _candidates(subject, unit, chosen, data.samples.points)
    found = _measured(candidates, limits, chosen, penalties, data.samples, say)
    nothing = max(1.0 / student.objective for student in chosen)
    limit = ratio_limit([e.ratio for e in found if e.ratios], nothing)
    accepted = [e for e in found if _obeys(e, limits) and _wanted(e, penalties, limit)]
    group, left_out = _group(subject, accepted)
    result = replace(
        result,
        group=group,
        accepted=tuple(accepted),
        rejected=tuple(e for e in found if e not in accepted),
        noticed=tuple(e for e in elsewhere if _obeys(e, limits)),
        turns=tuple(e for e in turns if _obeys(e, limits)),
        ratio_limit=limit,
        tied=_tied(subject, group, accepted, chosen, penalties, data.samples),
    )
    return replace(result, statement=_statement(result, left_out))


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


def _candidates(
    subject: Subject, unit: Unit, students: Sequence[Student], points: Array
) -> tuple[list[Evidence], list[Evidence]]:
    """Maps of the domain onto itself with characters and asymmetries; others from weights."""
    shown = [g for student in students for g in maps_in_weights(*student.layers[0])]
    listed, elsewhere = [], []
    for g in signed_permutations(subject.domain.dim, subject.fixed):
        evidence = with_characters(unit, g, points)
        if evidence is not None and subject.to_physical(g).preserves(subject.domain) is None:
            seen = any(h.moves_like(g) or h.inverse().moves_like(g) for h in shown)
            listed.append(replace(evidence, in_first_layer=seen))
    new: list[InputMap] = []
    for g in shown:
        moved = any(np.abs(g.matrix[i] - np.eye(len(g.offset))[i]).max() > 0 for i in subject.fixed)
        if moved or subject.to_physical(g).preserves(subject.domain) is None:
            continue
        if any(
            np.abs(g.matrix - h.matrix).max() < 0.1 and np.abs(g.offset - h.offset).max() < 0.1
            for h in new
        ):
            continue
        new.append(g)
        evidence = with_characters(unit, g, points)
        if evidence is not None:
            elsewhere.append(replace(evidence, in_first_layer=True))
    return listed, elsewhere


def _measured(
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
        if _obeys(evidence, limits):
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


def _obeys(evidence: Evidence, limits: Array) -> bool:
    return bool((evidence.asymmetry <= limits).all())


def _wanted(evidence: Evidence, penalties: Sequence[float], limit: float) -> bool:
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


# -- statements ----------------------------------------------------------------------------------


def _poor_teacher(subject: Subject) -> str:
    assert subject.error is not None
    told = ", ".join(
        f"{name} {error:.2g}" for name, error in zip(subject.fields, subject.error, strict=True)
    )
    return (
        f"No structure: the teacher's relative error ({told}) is above {POOR_TEACHER:g}; its own "
        "asymmetry would hide any symmetry. Train a better teacher."
    )


def _no_student(students: Sequence[Student]) -> str:
    told = "; ".join(
        f"{'-'.join(map(str, s.widths))} (seed {s.seed}): {s.failure}" for s in students
    )
    return (
        f"No structure: none of {len(students)} students learned the teacher: {told}. Noise, a "
        "layer too steep, or a domain that is not the teacher's do this."
    )


def _statement(found: Discovery, left_out: Sequence[str]) -> str:
    names, fields = found.subject.domain.names, found.subject.fields
    parts = []
    if found.group is None:
        nearest = min(found.rejected, key=lambda e: e.worst_asymmetry, default=None)
        parts.append("No structure: no map of the domain onto itself is a symmetry.")
        if nearest is not None:
            told = found.subject.to_physical(nearest.map).describe(names, fields)
            parts.append(
                f"The nearest, {told}, is broken by {nearest.worst_asymmetry:.2g} of the field's "
                f"standard deviation (allowed: {found.limits.min():.2g})"
                + (
                    f" and costs the students a factor {nearest.ratio:.3g}."
                    if nearest.ratios
                    else "."
                )
            )
    else:
        parts.append(
            f"Group of order {found.group.order}, generated by "
            + "; ".join(g.describe(names, fields) for g in found.group.generators)
            + "."
        )
    for evidence in found.noticed:
        g = found.subject.to_physical(evidence.map)
        parts.append(
            f"Noticed, not used: {g.describe(names, fields)} (asymmetry "
            f"{evidence.worst_asymmetry:.2g} on {evidence.overlap:.0%} of the domain): "
            f"{g.preserves(found.subject.domain)}."
        )
    if found.turns:
        turns = sorted(in_words(e.map, fields) for e in found.turns)
        parts.append(
            "On the inscribed disk, noticed and not used, as they move the box: "
            + "; ".join(turns)
            + "."
        )
    parts += [f"Left out: {reason}" for reason in left_out]
    return " ".join(parts)
