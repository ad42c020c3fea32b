"""A teacher made ready for the search: a function everywhere, with its error if it is known."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from kdpinn.problems import Problem, Samples
from kdpinn.structure.fits import Array
from kdpinn.structure.stand_in import stand_in
from kdpinn.structure.subject import Subject
from kdpinn.teachers.protocol import Scattered, Sliced, Teacher
from kdpinn.teachers.table import Table


def subject_of(
    problem: Problem, teacher: Teacher, *, given: bool, error: float | None = None
) -> Subject:
    """The teacher on the problem's domain.

    Args:
        given: whether the problem is the user's, so that its reference judges the teacher; else
            the reference is the teacher itself.
        error: relative L2 error of the teacher's fields, where the user knows it.
    Raises:
        ValueError: a teacher that knows its fields at its own points only and is no table.
    """
    m = len(problem.fields)
    known = None if error is None else np.full(m, error)
    if isinstance(teacher, Table):
        fit = stand_in(teacher, problem.domain)
        return Subject(
            domain=problem.domain,
            fields=problem.fields,
            values=fit.values,
            error=fit.error if known is None else known,
        )
    if isinstance(teacher, Scattered):
        raise ValueError(
            "Structure is searched for in functions and tables of samples; this teacher knows its "
            "fields at points of its own only."
        )
    subject = Subject(
        domain=problem.domain,
        fields=problem.fields,
        values=teacher.values,
        error=known,
        ticks=dict(teacher.slices) if isinstance(teacher, Sliced) else {},
    )
    if error is not None or not given or problem.reference is None:
        return subject
    return Subject(
        domain=subject.domain,
        fields=subject.fields,
        values=subject.values,
        error=_error(problem, teacher, subject),
        ticks=subject.ticks,
    )


def _error(problem: Problem, teacher: Teacher, subject: Subject) -> Array:
    """Relative L2 error of each field, on the very grid on which asymmetries are measured.

    There a symmetry of the truth bounds the teacher's asymmetry by twice its error exactly, even
    where the error sits in a thin layer. A table of samples stands in with the sample nearest to
    each point of the grid.
    """
    points = subject.physical(subject.grid())
    if isinstance(problem.reference, Samples):  # its points are denser here than there
        known, scale = problem.evaluation_points(), subject.domain.scale
        points = known[cKDTree(known * scale).query(points * scale)[1]]
    truth = problem.reference_at(points)
    size = np.linalg.norm(truth, axis=0)
    return np.asarray(
        np.linalg.norm(teacher.values(points) - truth, axis=0) / np.where(size > 0, size, 1.0)
    )
