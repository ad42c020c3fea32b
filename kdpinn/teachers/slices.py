"""One teacher for each value of a parameter; the student learns the parameter as an input."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.teachers.boxes import box_of
from kdpinn.teachers.ensemble import check_alike
from kdpinn.teachers.protocol import Teacher

CLOSE = 2.0**-23
"""Distance from a taught value that still is that value, relative to the largest: one rounding to
float32, which a file's points go through."""


@dataclass(frozen=True)
class Slices:
    """Teachers at every combination of some values of the last coordinates.

    Between the values nobody teaches: there the student is a smooth guess of its own.

    Attributes:
        inputs: the teachers' coordinates, then the parameters.
        teachers: values of the parameters, in their order -> teacher of the other coordinates.
        slices: parameter -> its values, ascending.
    Raises:
        ValueError: a parameter with one value, or a combination that nobody teaches.
    """

    inputs: tuple[str, ...]
    teachers: Mapping[tuple[float, ...], Teacher]
    slices: Mapping[str, tuple[float, ...]] = field(init=False)

    def __post_init__(self) -> None:
        members = list(self.teachers.values())
        check_alike(members)
        names = self.inputs[len(members[0].inputs) :]
        values = [tuple(sorted(set(column))) for column in zip(*self.teachers, strict=True)]
        object.__setattr__(self, "slices", dict(zip(names, values, strict=True)))
        for name, known in self.slices.items():
            check_several(name, known)
        for wanted in itertools.product(*values):
            if wanted not in self.teachers:
                where = ", ".join(f"{n} = {v:g}" for n, v in zip(names, wanted, strict=True))
                raise ValueError(
                    f"No teacher has {where}: several parameters need a teacher for every "
                    "combination of their values."
                )

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the fields."""
        return next(iter(self.teachers.values())).outputs

    def values(self, x: FloatArray) -> FloatArray:
        """Fields (N, m) at x (N, d).

        Raises:
            ValueError: a parameter has a value that nobody teaches.
        """
        own = len(self.inputs) - len(self.slices)
        rows = self._rows(x[:, own:])
        total = np.empty((len(x), len(self.outputs)))
        for row, (_, teacher) in enumerate(self.teachers.items()):
            here = rows == row
            if here.any():
                total[here] = teacher.values(x[here, :own])
        return total

    def _rows(self, parameters: FloatArray) -> FloatArray:
        """Number of the teacher of each row of parameters, (N,)."""
        known = np.array(list(self.teachers))
        reach = CLOSE * np.abs(known).max(axis=0)
        rows = np.full(len(parameters), -1.0)
        for row, values in enumerate(known):
            rows[(np.abs(parameters - values) <= reach).all(axis=1)] = row
        if (rows < 0).any():
            bad = parameters[int(np.argmin(rows))].tolist()
            raise ValueError(
                f"No teacher has {', '.join(self.slices)} = {bad}; taught are {known.tolist()}."
            )
        return rows


def check_several(name: str, values: Sequence[float]) -> None:
    """Raise ValueError unless a parameter has two different values at least."""
    if min(values) == max(values):
        raise ValueError(
            f"All teachers have {name} = {values[0]:g}: as an input of the student it needs at "
            "least two values; leave it out otherwise."
        )


def sliced_box(box: Box, names: Sequence[str], values: Sequence[tuple[float, ...]]) -> Box:
    """The box with a coordinate for each parameter, from its least to its largest value."""
    bounds = {name: box.bounds(name) for name in box.names}
    units = {name: box.unit(name) for name in box.names}
    for name, column in zip(names, zip(*values, strict=True), strict=True):
        check_several(name, column)
        bounds[name] = (min(column), max(column))
    return box_of(bounds, units)
