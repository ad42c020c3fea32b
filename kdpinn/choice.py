"""Of several students of samples, the one that held-out samples prefer."""

from __future__ import annotations

from collections.abc import Mapping

from kdpinn.field import Field
from kdpinn.harm import distance_from
from kdpinn.problems import Problem
from kdpinn.teachers.table import Table

Widths = tuple[int, ...]


def best_by_samples(
    problem: Problem, table: Table, students: Mapping[Widths, Field]
) -> tuple[Widths, str]:
    """Hidden widths of the student of least relative L2 error on the held-out samples, and why."""
    error = distance_from(problem, table)
    errors = {widths: error(field) for widths, field in students.items()}
    chosen = min(errors, key=errors.__getitem__)
    told = ", ".join(f"{'-'.join(map(str, w))}: {e:.3g}" for w, e in errors.items())
    name = "-".join(map(str, chosen))
    return chosen, (
        f"Student {name} was chosen by its relative L2 error on the held-out samples ({told})."
    )
