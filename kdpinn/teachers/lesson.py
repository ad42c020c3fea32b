"""What `kdpinn distill --teacher` asks for, as a problem and its teacher."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.problems import Problem
from kdpinn.teachers.boxes import box_of, own_box, parse_domain
from kdpinn.teachers.ensemble import ensemble
from kdpinn.teachers.files import own_domain, teacher_from
from kdpinn.teachers.patches import Patch, Patches
from kdpinn.teachers.protocol import Teacher
from kdpinn.teachers.request import Request
from kdpinn.teachers.slices import Slices, sliced_box
from kdpinn.teachers.source import Source
from kdpinn.teachers.tables import table_of
from kdpinn.teachers.taught import taught_problem


@dataclass(frozen=True)
class Lesson:
    """A problem and who teaches it.

    Attributes:
        given: whether the problem was stated by the user; else it is nothing but the teacher.
        notes: sentences for the report.
    """

    problem: Problem
    teacher: Teacher
    given: bool
    notes: tuple[str, ...] = ()


def lesson_of(request: Request, problem: Problem | None = None) -> Lesson:
    """Load the teachers and join them.

    Args:
        problem: stated by the user; None: the teachers are all there is.
    Raises:
        ValueError, OSError: a teacher cannot be used, or they do not fit together or the problem.
    """
    sources = request.sources
    _check_sources(sources)
    fields = request.field_names
    if problem is not None:
        _check_request(request, problem)
        fields = problem.fields
    box = _domain(request, problem, sources)
    if sources[0].is_table:
        table, domain = table_of(
            sources, box, fields, problem.domain if problem is not None else None
        )
        taught = problem or taught_problem(sources, domain, table)
        return Lesson(taught, table, problem is not None, (table.describe(),))
    teacher, domain = _joined(sources, box, fields, request.trust_pickle)
    if problem is not None:
        _check_fit(problem, teacher, domain)
        if isinstance(teacher, Field) and sources[0].path.suffix == ".kdp":
            teacher = replace(teacher, problem=problem.name)  # as this package trained it
    return Lesson(problem or taught_problem(sources, domain, teacher), teacher, problem is not None)


# -- domain and names ----------------------------------------------------------------------------


def _domain(request: Request, problem: Problem | None, sources: Sequence[Source]) -> Box | None:
    """The box of the coordinates that the teachers take: no parameters among them."""
    extra = tuple(sources[0].at)
    if problem is not None:
        kept = [name for name in problem.coordinates if name not in extra]
        missing = [name for name in extra if name not in problem.coordinates]
        if missing or not kept:
            raise ValueError(
                f"{problem.owner} has no coordinate '{(missing or extra)[0]}' beside others: a "
                "teacher for one value of a parameter needs a problem with that coordinate."
            )
        if not extra:
            return problem.domain
        units = {name: problem.domain.unit(name) for name in kept}
        return box_of({name: problem.domain.bounds(name) for name in kept}, units)
    if request.domain:
        box = parse_domain(request.domain)
        both = [name for name in extra if name in box.names]
        if both:
            raise ValueError(
                f"'{both[0]}' is a coordinate in --domain, and a value of the teachers: a part of "
                f"the domain is written @{both[0]}=0:1; a parameter is left out of --domain."
            )
        return box
    return own_domain(sources[0])


def _check_sources(sources: Sequence[Source]) -> None:
    if not sources:
        raise ValueError("No teacher was named.")
    if len({source.is_table for source in sources}) > 1:
        raise ValueError("Tables of samples teach by themselves: name no other teachers with them.")
    if len({tuple(source.at) for source in sources}) > 1:
        raise ValueError(
            "Either all teachers have a value of a parameter, in the same order, or none; got "
            + "; ".join(f"{s.name}: {', '.join(s.at) or 'none'}" for s in sources)
            + "."
        )


def _check_request(request: Request, problem: Problem) -> None:
    if request.domain or request.fields:
        raise ValueError(
            f"{problem.owner} brings its own domain and fields: leave --domain and --fields out."
        )


def _check_fit(problem: Problem, teacher: Teacher, domain: Box) -> None:
    if (teacher.inputs, teacher.outputs) != (problem.coordinates, problem.fields):
        raise ValueError(
            f"The teachers map {', '.join(teacher.inputs)} to {', '.join(teacher.outputs)}, "
            f"{problem.owner} maps {', '.join(problem.coordinates)} to {', '.join(problem.fields)}."
        )
    for name in problem.coordinates:
        if domain.bounds(name) != problem.domain.bounds(name):
            raise ValueError(
                f"The teachers' values of '{name}' run from {domain.bounds(name)[0]:g} to "
                f"{domain.bounds(name)[1]:g}, those of {problem.owner} from "
                f"{problem.domain.bounds(name)[0]:g} to {problem.domain.bounds(name)[1]:g}."
            )


# -- functions -----------------------------------------------------------------------------------


def _joined(
    sources: Sequence[Source], box: Box | None, fields: tuple[str, ...], trust_pickle: bool
) -> tuple[Teacher, Box]:
    """One teacher out of all, and its domain with the parameters."""
    loaded = [teacher_from(s, box, fields, trust_pickle=trust_pickle) for s in sources]
    domain = box if box is not None else own_box(loaded[0])
    groups: dict[tuple[float, ...], list[int]] = {}
    for k, source in enumerate(sources):
        groups.setdefault(tuple(source.at.values()), []).append(k)
    each = {
        at: _alike([sources[k] for k in members], [loaded[k] for k in members], domain)
        for at, members in groups.items()
    }
    extra = tuple(sources[0].at)
    if not extra:
        return each[()], domain
    whole = sliced_box(domain, extra, list(each))
    return Slices(whole.names, each), whole


def _alike(sources: Sequence[Source], teachers: Sequence[Teacher], box: Box) -> Teacher:
    """Teachers of the same parameter values: an ensemble, or parts of the domain."""
    weights = [source.weight for source in sources]
    if not any(source.region for source in sources):
        return ensemble(teachers, weights)
    for source in sources:
        for name, (lower, upper) in source.region.items():
            first, last = box.bounds(name)
            if not first <= lower < upper <= last:
                raise ValueError(
                    f"Teacher {source.name}: its part {name}={lower:g}:{upper:g} is not inside "
                    f"the domain, [{first:g}, {last:g}]."
                )
    patches = [
        Patch(teacher, source.weight, source.region)
        for teacher, source in zip(teachers, sources, strict=True)
    ]
    return Patches(box, tuple(patches))
