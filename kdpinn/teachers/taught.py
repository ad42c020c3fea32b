"""The problem that is nothing but its teacher: a reference, and no equation."""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems import Problem, Samples
from kdpinn.teachers.boxes import box_of
from kdpinn.teachers.protocol import Sliced, Teacher
from kdpinn.teachers.source import Source
from kdpinn.teachers.table import Table

GRID_POINTS = 10_000
EVEN = 1e-6
"""Spacings of parameter values that differ less, relative to their range, are equal."""


@dataclass(frozen=True)
class TeacherReference:
    """A teacher in the place of a problem's reference solution."""

    teacher: Teacher = field(repr=False)

    @property
    def slices(self) -> Mapping[str, tuple[float, ...]]:
        """The values of each coordinate that the teacher knows at some values only."""
        return self.teacher.slices if isinstance(self.teacher, Sliced) else {}

    def __call__(self, **columns: FloatArray) -> tuple[FloatArray, ...]:
        """An array (n,) per field, from the coordinates by name."""
        x = np.stack([columns[name] for name in self.teacher.inputs], axis=1)
        return tuple(self.teacher.values(x).T)


def taught_problem(sources: Sequence[Source], domain: Box, teacher: Teacher) -> Problem:
    """The problem whose reference is the teacher, or the samples that it holds out."""
    told = ", ".join(dict.fromkeys(source.name for source in sources))
    reference: TeacherReference | Samples = TeacherReference(teacher)
    source = f"the teacher: {told}"
    if isinstance(teacher, Table):
        held_out, _ = teacher.part(held_out=True)
        reference = Samples(held_out, teacher.values(held_out))
        source = f"held-out samples of {told}"
    return Problem(
        name=_identifier(sources[0].path.stem),
        title=f"Taught by {told}",
        domain=domain,
        fields=teacher.outputs,
        reference=reference,
        grid=_grid(domain, TeacherReference(teacher).slices),
        source=source,
    )


def rebuilt(record: Mapping[str, Any], held_out: Mapping[str, FloatArray] | None) -> Problem:
    """The problem of a lesson as it was recorded, for telling of it: nobody teaches it again.

    Args:
        held_out: "points" and "values" of the samples that judged; None if there were none.
    """
    box = box_of({name: (lower, upper) for name, lower, upper in record["domain"]})
    reference: Any = (lambda **columns: ()) if held_out is None else Samples(**held_out)
    return Problem(
        name=record["name"],
        title=record["title"],
        domain=box,
        fields=tuple(record["fields"]),
        reference=reference,
        grid=tuple(record["grid"]),
        source=record["source"],
    )


def recorded(problem: Problem) -> dict[str, Any]:
    """What `rebuilt` needs beside the samples, as JSON."""
    return {
        "name": problem.name,
        "title": problem.title,
        "domain": [[name, *problem.domain.bounds(name)] for name in problem.coordinates],
        "fields": list(problem.fields),
        "grid": list(problem.grid),
        "source": problem.source,
    }


def _grid(domain: Box, slices: Mapping[str, tuple[float, ...]]) -> tuple[int, ...]:
    """Points per coordinate, about 10,000; of a parameter only values that somebody teaches."""
    taught = {name: _taught(values) for name, values in slices.items()}
    free = domain.dim - len(taught)
    rest = max(GRID_POINTS // int(np.prod(list(taught.values()), initial=1)), 2)
    each = min(max(int(rest ** (1 / max(free, 1))), 9), 1001)
    return tuple(taught.get(name, each) for name in domain.names)


def _taught(values: Sequence[float]) -> int:
    """How many equally spaced grid points fall on taught values: all of them, or the two ends."""
    even = np.linspace(values[0], values[-1], len(values))
    close = np.abs(even - np.array(values)) <= EVEN * (values[-1] - values[0])
    return len(values) if bool(close.all()) else 2


def _identifier(stem: str) -> str:
    name = re.sub(r"\W", "_", stem, flags=re.ASCII)[:23]
    return name if name[:1].isalpha() and not keyword.iskeyword(name) else f"taught_{name}"[:23]
