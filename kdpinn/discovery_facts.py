"""What discovery.json says of a search, and `kdpinn discover --json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from kdpinn.plan import Order
from kdpinn.report.discovery import Clusters
from kdpinn.structure.evidence import Evidence
from kdpinn.structure.hac import ClusteredStudent
from kdpinn.structure.outcome import Discovery
from kdpinn.structure.rebuild import Rebuilt
from kdpinn.structure.relation import structure_of
from kdpinn.structure.relation_file import generator_json
from kdpinn.structure.students import Student
from kdpinn.structure.taught import Taught

Facts = dict[str, Any]


def facts_of_groups(order: Order, found: Discovery, rebuilt: Rebuilt | Taught | None) -> Facts:
    """A search for groups."""
    generators: list[Facts] = []
    if found.group is not None:
        structure = structure_of(found)
        generators = [
            generator_json(finding, structure) | {"map": finding.map.describe(*_names(found))}
            for finding in structure.findings
        ]
    figures: Mapping[str, Any] = rebuilt.figures() if rebuilt is not None else {}
    gate = figures.get("gate", {})
    kept = found.group is not None and bool(gate.get("passed"))
    statement = found.statement
    if gate and not kept:
        statement += f" No structure is left: {gate['reason']}"
    return {
        "problem": order.spec,
        "preset": order.preset,
        "seed": order.seed,
        "method": "group",
        "statement": statement,
        "kept": kept,
        "generators": generators,
        "elements": [g.describe(*_names(found)) for g in found.group.elements]
        if found.group is not None
        else ["identity"],
        "group_order": found.group.order if found.group is not None else 1,
        "free_parameters": None,
        "dense_parameters": None,
        "rel_l2": None,
        "plain": None,
        **figures,
        "teacher_error": None if found.subject.error is None else found.subject.error.tolist(),
        "allowed_asymmetry": found.limits.tolist(),
        "allowed_ratio": found.ratio_limit,
        "candidates": {
            "accepted": [_candidate(e, found) for e in found.accepted],
            "rejected": [_candidate(e, found) for e in found.rejected],
            "noticed": [_candidate(e, found) for e in (*found.noticed, *found.turns)],
        },
        "students": [
            {
                "seed": student.seed,
                "settings": asdict(kind),
                "widths": student.widths,
                "misfit": student.misfit,
                "objective": student.objective,
                "failure": student.failure,
            }
            for student, kind in zip(found.students, found.settings, strict=True)
        ],
    }


def _candidate(evidence: Evidence, found: Discovery) -> Facts:
    g = found.subject.to_physical(evidence.map)
    return {
        "map": g.describe(*_names(found)),
        "asymmetry": np.asarray(evidence.asymmetry).tolist(),
        "ratios": list(evidence.ratios),
        "residuals": list(evidence.residuals),
        "in_weights": evidence.in_weights,
    }


def _names(found: Discovery) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return found.subject.domain.names, found.subject.fields


def facts_of_clusters(order: Order, student: Student, clusters: Clusters) -> Facts:
    """The published method on one student, each rule for the threshold."""
    best = clusters.best
    statement = (
        f"Clusters of single weights (cut by {best.rule}): {best.relation.free} free parameters of "
        f"{len(best.relation.index)}; misfit to the teacher {best.before:.2g}, with centroids in "
        f"place of weights {best.replaced:.2g}, retrained {best.retrained:.2g}. They name no "
        "symmetry: nothing is rebuilt."
    )
    return {
        "problem": order.spec,
        "preset": order.preset,
        "seed": order.seed,
        "method": "hac",
        "statement": statement,
        "kept": False,
        "generators": [],
        "group_order": 1,
        "free_parameters": best.relation.free,
        "dense_parameters": len(best.relation.index),
        "rel_l2": None,
        "plain": None,
        "student_failure": student.failure,
        "rules": rules_of(clusters),
    }


def rules_of(clusters: Clusters) -> Facts:
    """What each rule for the threshold led to."""
    return {outcome.rule: _rule(outcome) for outcome in clusters.outcomes}


def _rule(outcome: ClusteredStudent) -> Facts:
    return {
        "free_parameters": outcome.relation.free,
        "thresholds": [[w.threshold, b.threshold] for w, b in outcome.clusters],
        "clusters": [[len(w.centroids), len(b.centroids)] for w, b in outcome.clusters],
        "related_rows": list(outcome.rows),
        "misfit_student": outcome.before,
        "misfit_replaced": outcome.replaced,
        "misfit_retrained": outcome.retrained,
    }
