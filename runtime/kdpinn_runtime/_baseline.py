"""The baseline of a model file: points, and what the model has to give there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ._limits import MAX_BASELINE_POINTS, MAX_DATA_COLUMNS
from ._parts import frozen_array, is_finite
from ._refusals import Problems

Array = NDArray[np.float64]

ROLES = ("points", "reference", "teacher", "expected", "data")
"""Tables of the baseline; the position plus one is the role in the file."""
LIMITED_ROLES = ("reference", "teacher", "expected")


@dataclass(frozen=True, kw_only=True, eq=False)
class Baseline:
    """What `verify` replays on a device; n points, d inputs, m outputs, c data columns.

    points (n, d), each value exact in float32, so that both arithmetics see the same input;
    expected (n, m): the model's own outputs from the stored weights, in float64 arithmetic;
    reference (n, m): the true solution; teacher (n, m): the teacher's outputs; data (n, c):
    source terms and the like for the equations. All float64, finite, copied, read-only.
    limits: for each of reference and teacher present, the permitted relative L2 error over all
    outputs; for expected, the permitted max |difference| relative to the largest |expected|.
    Raises FormatError (BASELINE, VALUE, TOO_LARGE).
    """

    points: Array
    expected: Array
    reference: Array | None = None
    teacher: Array | None = None
    data: Array | None = None
    limits: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = Problems()
        for role, array in self.tables().items():
            table = frozen_array(array, np.float64)
            object.__setattr__(self, role, table)
            _check_table(problems, role, table)
        problems.raise_if_any("baseline")
        rows = {role: len(table) for role, table in self.tables().items()}
        problems.require(
            len(set(rows.values())) == 1,
            "BASELINE",
            f"tables have different numbers of rows: {rows}, expected one row per point",
        )
        with np.errstate(over="ignore"):  # becomes infinite, and so is not exact
            inexact = np.argwhere(self.points.astype(np.float32) != self.points)
        if len(inexact):
            at = inexact[0].tolist()
            problems.add(
                "BASELINE",
                f"points{at} = {self.points[tuple(at)]!r} is not exact in float32: "
                "round the points to float32 before anything is computed from them",
            )
        self._check_limits(problems)
        problems.raise_if_any("baseline")

    def _check_limits(self, problems: Problems) -> None:
        object.__setattr__(self, "limits", dict(self.limits))
        wanted = [role for role in LIMITED_ROLES if role in self.tables()]
        problems.require(
            sorted(self.limits) == sorted(wanted),
            "BASELINE",
            f"limits are given for {sorted(self.limits)}, expected for {sorted(wanted)}",
        )
        for role, limit in self.limits.items():
            problems.require(
                is_finite(limit) and limit >= 0,
                "VALUE",
                f"limit of {role} is {limit!r}, expected a finite number >= 0",
            )

    def tables(self) -> dict[str, Array]:
        """The tables present, by role, in the order of the file."""
        return {role: getattr(self, role) for role in ROLES if getattr(self, role) is not None}


def _check_table(problems: Problems, role: str, table: Array) -> None:
    if table.ndim != 2 or table.size == 0:
        problems.add("BASELINE", f"{role} has shape {table.shape}, expected (points, columns)")
        return
    if role == "data":
        problems.require(
            table.shape[1] <= MAX_DATA_COLUMNS,
            "BASELINE",
            f"data has {table.shape[1]} columns, the cap is {MAX_DATA_COLUMNS}",
        )
    problems.require(
        len(table) <= MAX_BASELINE_POINTS,
        "TOO_LARGE",
        f"{role} has {len(table)} rows, the cap is {MAX_BASELINE_POINTS}",
    )
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        problems.add("VALUE", f"{role}{bad[0].tolist()} is not finite")
