"""From a finished search to its page: what is drawn, and where symmetries are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdpinn.field import Field
from kdpinn.problems import Problem
from kdpinn.report.discovery import Clusters, Cost, SearchPage
from kdpinn.structure.asymmetry import asymmetry
from kdpinn.structure.fits import Array
from kdpinn.structure.group import InputMap
from kdpinn.structure.hac import RULES, cluster_student
from kdpinn.structure.merging import Layers, evaluated
from kdpinn.structure.outcome import Discovery
from kdpinn.structure.portrait import of_clusters, of_rebuilt, of_student, untied
from kdpinn.structure.rebuild import Rebuilt
from kdpinn.structure.students import Student
from kdpinn.structure.subject import Sampled, Subject, sampled
from kdpinn.structure.taught import Taught
from kdpinn.teachers.protocol import Teacher

Function = Callable[[Array], Array]


def page_of_groups(
    problem: Problem,
    teacher: Teacher,
    found: Discovery,
    rebuilt: Rebuilt | Taught | None,
    facts: Mapping[str, Any],
) -> SearchPage:
    """The page of a search for groups, the published method's clusters of one student beside it."""
    subject = found.subject
    page = _statement(problem, subject, facts)
    student = _shown(found)
    if student is None:
        return page
    data, maps = sampled(subject), _maps(found)
    functions: dict[str, Function] = {
        "teacher": subject.values,
        "student": physical(subject, data, student.layers),
    }
    if rebuilt is not None:
        functions["plain"] = rebuilt.plain.field.values
        functions["rebuilt"] = rebuilt.tied.field.values
    clusters = clusters_of(subject, data, student, maps)
    alignments = () if found.tied is None else found.tied.alignments
    return replace(
        page,
        trained=untied("Student under the penalty", student.trained),
        student=None if found.tied is None else of_student("Student, merged", found.tied),
        misalignment=max((float(a.residuals.max()) for a in alignments), default=0.0),
        rebuilt=None if rebuilt is None else of_rebuilt("Rebuilt network", rebuilt.tied.field),
        symmetry=tuple(asymmetry(subject, g, functions, data.spread) for g in maps),
        costs=(
            *_trained_costs(problem, teacher, facts),
            *_clusters_costs(problem, subject, data, clusters),
        ),
        clusters=clusters,
    )


def page_of_clusters(
    problem: Problem,
    subject: Subject,
    student: Student,
    clusters: Clusters,
    facts: Mapping[str, Any],
) -> SearchPage:
    """The page of the published method alone."""
    trained = untied("Student under the penalty", student.trained)
    return replace(_statement(problem, subject, facts), trained=trained, clusters=clusters)


def clusters_of(
    subject: Subject, data: Sampled, student: Student, maps: Sequence[InputMap]
) -> Clusters:
    """Cluster a student's weights by each rule, and measure how far that breaks the maps."""
    outcomes = [cluster_student(student.trained, data.samples, rule) for rule in RULES]
    published = next(outcome for outcome in outcomes if outcome.rule == "fixed")
    return Clusters(
        outcomes=outcomes,
        portrait=of_clusters("Clusters by the published threshold, trained again", published),
        symmetry=[_broken(subject, data, outcome.layers, maps) for outcome in outcomes],
    )


def _broken(
    subject: Subject, data: Sampled, layers: Layers, maps: Sequence[InputMap]
) -> float | None:
    """Largest symmetry error of a student, over its field's standard deviation."""
    function = {"student": physical(subject, data, layers)}
    found = [asymmetry(subject, g, function, data.spread).values["student"] for g in maps]
    return max((float(np.nanmax(values)) for values in found), default=None)


def physical(subject: Subject, data: Sampled, layers: Layers) -> Function:
    """A student as a function of physical coordinates (N, d), in physical units (N, m)."""
    mean = data.values.mean(0)

    def values(x: Array) -> Array:
        z = (x - subject.domain.shift) * subject.domain.scale
        return np.asarray(mean + data.spread * evaluated(layers, z))

    return values


def _statement(problem: Problem, subject: Subject, facts: Mapping[str, Any]) -> SearchPage:
    """The page with nothing but words and tables."""
    domain = subject.domain
    return SearchPage(
        title=problem.title,
        facts=facts,
        inputs=domain.names,
        outputs=subject.fields,
        bounds=np.column_stack([domain.lower, domain.upper]),
    )


def _shown(found: Discovery) -> Student | None:
    """The student with all generators, else the first good one."""
    if found.tied is not None:
        return found.tied.student
    return next((student for student in found.students if not student.failure), None)


def _maps(found: Discovery) -> tuple[InputMap, ...]:
    """The generators; without a group the map that the teacher breaks least."""
    if found.group is not None:
        return found.group.generators
    nearest = min(found.rejected, key=lambda e: e.worst_asymmetry, default=None)
    return () if nearest is None else (found.subject.to_physical(nearest.map),)


def _trained_costs(
    problem: Problem, teacher: Teacher, facts: Mapping[str, Any]
) -> tuple[Cost, ...]:
    costs = []
    if isinstance(teacher, Field):
        error = _error(problem, teacher.values)
        costs.append(Cost("teacher", "teacher", teacher.network.parameters, error))
    for kind, row in (("plain", facts["plain"]), ("equal", facts.get("equal")), ("rebuilt", facts)):
        if row and row["rel_l2"] is not None:
            costs.append(Cost(kind, kind, row["parameters"], row["rel_l2"]))
    return tuple(costs)


def _clusters_costs(
    problem: Problem, subject: Subject, data: Sampled, clusters: Clusters
) -> list[Cost]:
    return [
        Cost(
            "clusters",
            f"clusters, {outcome.rule}",
            outcome.relation.free,
            _error(problem, physical(subject, data, outcome.layers)),
        )
        for outcome in clusters.outcomes
    ]


def _error(problem: Problem, function: Function) -> float | None:
    """Relative L2 error over the evaluation grid and all fields; None without a reference."""
    if problem.reference is None:
        return None
    points = problem.evaluation_points()
    reference = problem.reference_at(points)
    size = float(np.linalg.norm(reference))
    return float(np.linalg.norm(function(points) - reference)) / (size or 1.0)
