"""Functions of the coordinates: straight-line programs, with exact first and second derivatives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._limits import MAX_OPERATIONS
from ._parts import is_finite
from ._refusals import Problems

Array = NDArray[np.float64]

OperationKind = Literal[
    "coordinate", "constant", "add", "multiply", "reciprocal", "sin", "exp", "tanh"
]
OPERATION_KINDS: tuple[OperationKind, ...] = (
    "coordinate",
    "constant",
    "add",
    "multiply",
    "reciprocal",
    "sin",
    "exp",
    "tanh",
)
"""Kinds of operations; the position plus one is the number in the file."""

_OPERANDS = {"add": 2, "multiply": 2, "reciprocal": 1, "sin": 1, "exp": 1, "tanh": 1}


@dataclass(frozen=True)
class Operation:
    """One value of a straight-line program.

    kind, and what it needs: "coordinate" (a: the column), "constant" (value), "add" and "multiply"
    (a, b), "reciprocal", "sin", "exp" and "tanh" (a). a and b are indices of earlier operations.
    What a kind does not need is 0. Raises FormatError (MAP, VALUE).
    """

    kind: str
    a: int = 0
    b: int = 0
    value: float = 0.0

    def __post_init__(self) -> None:
        problems = Problems()
        problems.require(
            self.kind in OPERATION_KINDS,
            "MAP",
            f"an operation is of kind {self.kind!r}, known: {', '.join(OPERATION_KINDS)}",
        )
        for name, index, needed in (
            ("a", self.a, self.kind == "coordinate" or self.operands > 0),
            ("b", self.b, self.operands > 1),
        ):
            problems.require(
                isinstance(index, int) and (0 <= index < MAX_OPERATIONS if needed else index == 0),
                "MAP",
                f"{name} of a {self.kind} operation is {index!r}, expected "
                + (f"0 .. {MAX_OPERATIONS - 1}" if needed else "0: it is not used"),
            )
        problems.require(
            is_finite(self.value),
            "VALUE",
            f"the value of a {self.kind} operation is {self.value!r}, expected a finite number",
        )
        problems.require(
            self.kind == "constant" or (self.value == 0 and math.copysign(1, self.value) > 0),
            "MAP",
            f"the value of a {self.kind} operation is {self.value!r}, expected 0: it is not used",
        )
        problems.raise_if_any()

    @property
    def operands(self) -> int:
        """How many earlier operations it refers to: 0, 1 or 2."""
        return _OPERANDS.get(self.kind, 0)


@dataclass(frozen=True)
class CoordinateMap:
    """r functions of d coordinates: `results` are the operations whose values they are, in order.

    Each operation refers to earlier ones only; at most 256. Raises FormatError (MAP).
    """

    operations: tuple[Operation, ...]
    results: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(self.operations))
        object.__setattr__(self, "results", tuple(int(k) for k in self.results))
        problems = Problems()
        count = len(self.operations)
        problems.require(
            0 < count <= MAX_OPERATIONS,
            "MAP",
            f"a map has {count} operations, expected 1 .. {MAX_OPERATIONS}",
        )
        for place, operation in enumerate(self.operations):
            for name, index in (("a", operation.a), ("b", operation.b))[: operation.operands]:
                problems.require(
                    index < place,
                    "MAP",
                    f"operation {place}, {operation.kind}, takes {name} from operation {index}, "
                    "expected an earlier one",
                )
        problems.require(len(self.results) > 0, "MAP", "a map has no results")
        for place, index in enumerate(self.results):
            problems.require(
                0 <= index < count,
                "MAP",
                f"result {place} is operation {index}, the map has {count}",
            )
        problems.raise_if_any()

    @property
    def columns(self) -> int:
        """The smallest number of coordinates that it can be evaluated at."""
        return max((o.a + 1 for o in self.operations if o.kind == "coordinate"), default=0)

    def __call__(self, x: ArrayLike) -> Array:
        """Values (n, r) at the points `x` (n, d), in float64. Raises ValueError for too small d."""
        return self.jet(x, ())[0]

    def jet(self, x: ArrayLike, pairs: Sequence[tuple[int, int]]) -> tuple[Array, Array, Array]:
        """Values (n, r), first derivatives (n, r, d), and second ones (n, r, p), in float64.

        `pairs` are the p pairs of columns of the second ones. Raises ValueError
        for an `x` that is not (n, d) with as many columns as the map reads.
        """
        points = np.asarray(x, dtype=np.float64)
        if points.ndim != 2 or points.shape[1] < self.columns:
            raise ValueError(
                f"The map reads {self.columns} coordinates: `x` must have the shape (n, d), "
                f"d >= {self.columns}, got {points.shape}."
            )
        jets: list[Array] = []
        for operation in self.operations:
            jets.append(_operation_jet(operation, jets, points, pairs))
        chosen = np.stack([jets[k] for k in self.results], axis=1)  # (channels, r, n)
        d = points.shape[1]
        first, second = np.moveaxis(chosen[1 : 1 + d], 0, -1), np.moveaxis(chosen[1 + d :], 0, -1)
        return chosen[0].T, np.swapaxes(first, 0, 1), np.swapaxes(second, 0, 1)


def _operation_jet(
    operation: Operation, jets: list[Array], x: Array, pairs: Sequence[tuple[int, int]]
) -> Array:
    """Channels (1 + d + p, n): value, first and second derivatives of one operation."""
    n, d = x.shape
    out = np.zeros((1 + d + len(pairs), n))
    if operation.kind == "coordinate":
        out[0], out[1 + operation.a] = x[:, operation.a], 1.0
        return out
    if operation.kind == "constant":
        out[0] = operation.value
        return out
    a, b = jets[operation.a], jets[operation.b]
    if operation.kind == "add":
        return a + b
    if operation.kind == "multiply":
        out[0] = a[0] * b[0]
        out[1 : 1 + d] = a[1 : 1 + d] * b[0] + a[0] * b[1 : 1 + d]
        for k, (i, j) in enumerate(pairs, start=1 + d):
            crossed = a[1 + i] * b[1 + j] + a[1 + j] * b[1 + i]
            out[k] = a[k] * b[0] + crossed + a[0] * b[k]
        return out
    value, slope, curve = elementary(operation.kind, a[0])
    out[0] = value
    out[1 : 1 + d] = slope * a[1 : 1 + d]
    for k, (i, j) in enumerate(pairs, start=1 + d):
        out[k] = slope * a[k] + curve * a[1 + i] * a[1 + j]
    return out


def elementary(kind: str, a: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Value, first and second derivative of "reciprocal", "sin", "exp" or "tanh" at `a`."""
    if kind == "reciprocal":
        inverse = 1 / a
        return inverse, -(inverse**2), 2 * inverse**3
    if kind == "sin":
        return np.sin(a), np.cos(a), -np.sin(a)
    if kind == "exp":
        return np.exp(a), np.exp(a), np.exp(a)
    value = np.tanh(a)
    return value, 1 - value**2, -2 * value * (1 - value**2)
