"""How large functions of the coordinates get, and how far two evaluations can be apart.

Interval arithmetic beside a first-order error analysis; the core has the same in core/ranges.c.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ._coordinates import CoordinateMap, Operation

_HALF_ULP = 2.0**-53  # of 1
_UNBOUNDED = 1e300  # far beyond every limit


class Range(NamedTuple):
    """Where a value lies, and the error of one float64 evaluation of it."""

    lower: float
    upper: float
    error: float

    @property
    def size(self) -> float:
        """The largest magnitude."""
        return max(abs(self.lower), abs(self.upper))


def coordinate_ranges(points: NDArray[np.float64]) -> list[Range]:
    """The range of every column of `points` (n, d), which are exact."""
    pairs = zip(points.min(axis=0).tolist(), points.max(axis=0).tolist(), strict=True)
    return [Range(lower, upper, 0.0) for lower, upper in pairs]


def result_ranges(program: CoordinateMap, coordinates: list[Range]) -> list[Range]:
    """The ranges of the results of `program` where the coordinates have theirs."""
    found: list[Range] = []
    with np.errstate(over="ignore"):
        for operation in program.operations:
            found.append(_bound(operation, found, coordinates))
    return [found[k] for k in program.results]


def _bound(operation: Operation, found: list[Range], coordinates: list[Range]) -> Range:
    if operation.kind == "coordinate":
        return coordinates[operation.a]
    if operation.kind == "constant":
        return Range(operation.value, operation.value, 0.0)
    a, b = found[operation.a], found[operation.b]
    if operation.kind == "add":
        sum_of = Range(a.lower + b.lower, a.upper + b.upper, 0.0)
        return sum_of._replace(error=a.error + b.error + 2 * _HALF_ULP * sum_of.size)
    if operation.kind == "multiply":
        return _product(a, b, operation.a == operation.b)
    if operation.kind == "reciprocal":
        return _reciprocal(a)
    return _function(operation.kind, a)


def _product(a: Range, b: Range, square: bool) -> Range:
    ends = (a.lower * b.lower, a.lower * b.upper, a.upper * b.lower, a.upper * b.upper)
    lower, upper = min(ends), max(ends)
    if square:  # which is not negative
        lower, upper = min(ends[0], ends[3]), max(ends[0], ends[3])
        lower = 0.0 if a.lower < 0 < a.upper else lower
    error = a.size * b.error + b.size * a.error + a.error * b.error
    return Range(lower, upper, error + 2 * _HALF_ULP * max(abs(lower), abs(upper)))


def _reciprocal(a: Range) -> Range:
    least = min(abs(a.lower), abs(a.upper))
    if a.lower <= 0 <= a.upper or not a.error < least:
        return Range(-_UNBOUNDED, _UNBOUNDED, _UNBOUNDED)
    error = a.error / (least * (least - a.error)) + 4 * _HALF_ULP / least
    return Range(1 / a.upper, 1 / a.lower, error)


def _function(kind: str, a: Range) -> Range:
    """An elementary function errs by 8 units of its argument or of 1 at most."""
    own = 8 * _HALF_ULP * max(a.size, 1.0)
    if kind == "tanh":
        lower = max(a.lower, -1.0) if a.lower < 0 else 0.0
        upper = min(a.upper, 1.0) if a.upper > 0 else 0.0
        return Range(lower, upper, a.error + own)
    if kind == "exp":
        upper = _above_exp(a.upper)  # and e^x - 1 <= 2 x up to x = 1
        return Range(0.0, upper, upper * (2 * a.error + own) if a.error < 1 else _UNBOUNDED)
    return Range(-1.0, 1.0, a.error + own)


def _above_exp(a: float) -> float:
    """A power of two that e^a does not exceed."""
    if a > 700:
        return _UNBOUNDED
    if a < -700:
        return 1e-304
    power = 1.0
    while a > 0:
        power, a = power * 2, a - 0.69  # ln 2 = 0.693
    while a < -0.7:
        power, a = power / 2, a + 0.7
    return power
