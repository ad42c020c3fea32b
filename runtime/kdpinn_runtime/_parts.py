"""The parts of a model file. Every part checks itself when it is made."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._limits import (
    MAX_FACTORS,
    MAX_TARGET_POINTS,
    MAX_TERMS,
    NAME_BYTES,
    UNIT_BYTES,
)
from ._refusals import Problems

ACTIVATIONS = ("identity", "tanh", "sin", "sigmoid", "silu", "relu", "gelu")
"""Activation names; the position is the number in the file."""

FactorKind = Literal["coordinate", "value", "first", "second", "parameter", "data"]
FACTOR_KINDS: tuple[FactorKind, ...] = (
    "coordinate",
    "value",
    "first",
    "second",
    "parameter",
    "data",
)
"""Factor kinds; the position plus one is the class in the file."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_INDEX_LIMIT = 4096  # twelve bits in the file


def check_name(problems: Problems, name: object, what: str) -> None:
    """Note a NAME problem unless `name` is an ASCII identifier of at most 23 bytes."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        problems.add(
            "NAME",
            f"name of {what} is {name!r}, expected a letter or '_', then letters, digits, '_'",
        )
    elif len(name) >= NAME_BYTES:
        problems.add(
            "NAME",
            f"name {name!r} of {what} has {len(name)} characters, at most {NAME_BYTES - 1} fit",
        )


def check_unit(problems: Problems, unit: object, what: str) -> None:
    """Note a NAME problem unless `unit` is text of at most 15 UTF-8 bytes without a zero."""
    try:
        size = len(unit.encode()) if isinstance(unit, str) and "\0" not in unit else -1
    except UnicodeEncodeError:
        size = -1
    if size < 0:
        problems.add("NAME", f"unit of {what} is {unit!r}, expected UTF-8 text without zeros")
    elif size >= UNIT_BYTES:
        problems.add(
            "NAME", f"unit {unit!r} of {what} takes {size} bytes, at most {UNIT_BYTES - 1} fit"
        )


def is_finite(*numbers: object) -> bool:
    """True if every argument is a real number and finite."""
    return all(
        isinstance(number, (int, float, np.integer, np.floating)) and math.isfinite(number)
        for number in numbers
    )


def frozen_array(value: ArrayLike, dtype: Any) -> NDArray[Any]:
    """A C-contiguous, read-only copy of `value`."""
    array = np.array(value, dtype=dtype, order="C")
    array.setflags(write=False)
    return array


@dataclass(frozen=True, kw_only=True)
class Variable:
    """An input or an output: its name, its unit, and its range in that unit.

    For an input the range is the domain of the model (lower < upper); for an output it is the
    range seen over the baseline points (lower <= upper).
    Raises FormatError (NAME, VALUE).
    """

    name: str
    unit: str = ""
    lower: float
    upper: float

    def __post_init__(self) -> None:
        problems = Problems()
        check_name(problems, self.name, "a variable")
        check_unit(problems, self.unit, f"variable {self.name!r}")
        problems.require(
            is_finite(self.lower, self.upper) and self.lower <= self.upper,
            "VALUE",
            f"variable {self.name!r} has the range [{self.lower}, {self.upper}], "
            "expected finite bounds in ascending order",
        )
        problems.raise_if_any()


class Parameter(NamedTuple):
    """A physical constant that the equations use, e.g. a viscosity, in `unit`."""

    name: str
    unit: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Factor:
    """One factor of a term of an equation.

    kind and indices: coordinate a; value of output a; first derivative of output a by input b;
    second derivative of output a by pair b (index into `ModelFile.pairs`); parameter a; data
    column a of the baseline. Unused indices are 0. Raises FormatError (RESIDUAL).
    """

    kind: FactorKind
    a: int
    b: int = 0

    def __post_init__(self) -> None:
        problems = Problems()
        problems.require(
            self.kind in FACTOR_KINDS,
            "RESIDUAL",
            f"a factor is of kind {self.kind!r}, known: {', '.join(FACTOR_KINDS)}",
        )
        for name, index in (("a", self.a), ("b", self.b)):
            problems.require(
                isinstance(index, int) and 0 <= index < _INDEX_LIMIT,
                "RESIDUAL",
                f"index {name} of a {self.kind} factor is {index!r}, expected 0 .. 4095",
            )
        problems.require(
            self.kind in ("first", "second") or self.b == 0,
            "RESIDUAL",
            f"index b of a {self.kind} factor is {self.b}, expected 0: only derivatives use it",
        )
        problems.raise_if_any()


@dataclass(frozen=True, kw_only=True)
class Term:
    """coefficient * product of at most ten factors. Raises FormatError (RESIDUAL, VALUE)."""

    coefficient: float
    factors: tuple[Factor, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "factors", tuple(self.factors))
        problems = Problems()
        problems.require(
            is_finite(self.coefficient),
            "VALUE",
            f"coefficient of a term is {self.coefficient!r}, expected a finite number",
        )
        problems.require(
            len(self.factors) <= MAX_FACTORS,
            "RESIDUAL",
            f"a term has {len(self.factors)} factors, at most {MAX_FACTORS} fit",
        )
        problems.raise_if_any()


@dataclass(frozen=True, kw_only=True)
class Equation:
    """residual = sum of the terms; `limit` is its permitted RMS over the baseline points.

    Raises FormatError (NAME, RESIDUAL, VALUE, RECORD).
    """

    name: str
    terms: tuple[Term, ...]
    limit: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(self.terms))
        problems = Problems()
        check_name(problems, self.name, "an equation")
        problems.require(
            len(self.terms) > 0,
            "RESIDUAL",
            f"equation {self.name!r} has no terms: its check would pass whatever the model is",
        )
        problems.require(
            len(self.terms) <= MAX_TERMS,
            "RECORD",
            f"equation {self.name!r} has {len(self.terms)} terms, the cap is {MAX_TERMS}",
        )
        problems.require(
            is_finite(self.limit) and self.limit > 0,
            "VALUE",
            f"limit of equation {self.name!r} is {self.limit!r}, expected a finite number > 0",
        )
        problems.raise_if_any()


@dataclass(frozen=True, kw_only=True)
class Target:
    """Latency target: `quantile` of the calls with `points` points take <= `limit_ms`.

    Raises FormatError (VALUE).
    """

    points: int
    limit_ms: float
    quantile: float

    def __post_init__(self) -> None:
        problems = Problems()
        problems.require(
            isinstance(self.points, int) and 1 <= self.points <= MAX_TARGET_POINTS,
            "VALUE",
            f"a target has {self.points!r} points, expected 1 .. {MAX_TARGET_POINTS}",
        )
        problems.require(
            is_finite(self.limit_ms) and self.limit_ms > 0,
            "VALUE",
            f"a target has the limit {self.limit_ms!r} ms, expected a finite number > 0",
        )
        problems.require(
            is_finite(self.quantile) and 0 < self.quantile < 1,
            "VALUE",
            f"a target has the quantile {self.quantile!r}, expected 0 < quantile < 1",
        )
        problems.raise_if_any()


DEFAULT_TARGETS = (
    Target(points=10_000, limit_ms=10.0, quantile=0.999),
    Target(points=1, limit_ms=0.05, quantile=0.999),
)
