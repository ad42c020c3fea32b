"""The structure that a discovery found: its generators with their evidence, and how they act.

`kdpinn.structure.relation_file` keeps it in relation.json.
"""

from __future__ import annotations

from dataclasses import dataclass

from kdpinn.geometry import Box
from kdpinn.structure.alignment import SignedPermutation
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.outcome import Discovery
from kdpinn.structure.ties import Relation


@dataclass(frozen=True, eq=False)
class Finding:
    """A generator with its evidence; see `kdpinn.structure.evidence.Evidence`.

    Attributes:
        map: on physical coordinates.
    """

    map: InputMap
    asymmetry: tuple[float, ...]
    ratios: tuple[float, ...]
    residuals: tuple[float, ...]
    in_weights: bool

    @property
    def ratio(self) -> float:
        """J_tied / J_free, the least over the students."""
        return min(self.ratios)


@dataclass(frozen=True, eq=False)
class StudentAction:
    """How the generators act on one student.

    Attributes:
        sizes: widths from the inputs to the outputs.
        ratio: J_tied / J_free with all generators at once.
        permutations: per generator, of each hidden layer.
        relation: R of its parameters.
    """

    sizes: tuple[int, ...]
    seed: int
    ratio: float
    permutations: tuple[tuple[SignedPermutation, ...], ...]
    relation: Relation


@dataclass(frozen=True, eq=False)
class Structure:
    """What a relation file says.

    Attributes:
        group: of the findings' maps.
        domain, outputs: where it was found, and the names of its fields.
        findings: one per generator of the group, in its order.
        student: None if no student has all generators at once.
        problem: name, or "".
        teacher_seed: None if the teacher was not trained here.
    """

    group: Group
    domain: Box
    outputs: tuple[str, ...]
    findings: tuple[Finding, ...]
    student: StudentAction | None
    problem: str
    statement: str
    teacher_seed: int | None
    student_seeds: tuple[int, ...]


def structure_of(found: Discovery, problem: str = "", teacher_seed: int | None = None) -> Structure:
    """What a discovery leaves behind.

    Raises:
        ValueError: it found no group.
    """
    if found.group is None:
        raise ValueError(found.statement)
    findings = []
    for g in found.group.generators:
        evidence = found.evidence_of(g)
        assert evidence is not None, "generators are accepted candidates"
        findings.append(
            Finding(
                g,
                tuple(evidence.asymmetry.tolist()),
                evidence.ratios,
                evidence.residuals,
                evidence.in_weights,
            )
        )
    tied = found.tied
    action = None
    if tied is not None:
        action = StudentAction(
            (len(found.subject.domain.names), *tied.student.widths, len(found.subject.fields)),
            tied.student.seed,
            tied.ratio,
            tuple(a.hidden for a in tied.alignments),
            tied.relation,
        )
    return Structure(
        found.group,
        found.subject.domain,
        found.subject.fields,
        tuple(findings),
        action,
        problem,
        found.statement,
        teacher_seed,
        tuple(s.seed for s in found.students),
    )
