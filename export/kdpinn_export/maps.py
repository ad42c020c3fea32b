"""Functions of the coordinates and their derivatives, in any arithmetic: numbers, bounds, ONNX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from kdpinn_runtime.format import CoordinateMap, Operation

from .arithmetic import Arithmetic, Array

T = TypeVar("T")


@dataclass(frozen=True)
class Jets(Generic[T]):
    """Values and derivatives, each (n, m), by the inputs in their units.

    first[i] is the derivative by input i, second[p] the one by the inputs of pair p.
    """

    value: T
    first: tuple[T, ...]
    second: tuple[T, ...]

    def columns(self, start: int, stop: int, ar: Arithmetic[T]) -> Jets[T]:
        """Some of the m columns."""
        return Jets(
            ar.columns(self.value, start, stop),
            tuple(ar.columns(f, start, stop) for f in self.first),
            tuple(ar.columns(s, start, stop) for s in self.second),
        )


@dataclass(frozen=True)
class _Jet(Generic[T]):
    """One function, (n, 1) or (1, 1) each; None for what is zero everywhere."""

    value: T
    first: tuple[T | None, ...]
    second: tuple[T | None, ...]


class _Rules(Generic[T]):
    """Sum, product and chain rule, with nothing computed for what is zero."""

    def __init__(self, ar: Arithmetic[T], pairs: Sequence[tuple[int, int]]) -> None:
        self.ar, self.pairs = ar, pairs

    def add(self, *terms: T | None) -> T | None:
        """The sum of what is there."""
        total: T | None = None
        for term in terms:
            if term is not None:
                total = term if total is None else self.ar.add(total, term)
        return total

    def multiply(self, *factors: T | None) -> T | None:
        """The product, nothing if a factor is nothing."""
        product = factors[0]
        for factor in factors[1:]:
            if product is None or factor is None:
                return None
            product = self.ar.multiply(product, factor)
        return product

    def sum_of(self, a: _Jet[T], b: _Jet[T]) -> _Jet[T]:
        """a + b."""
        return _Jet(
            self.ar.add(a.value, b.value),
            tuple(self.add(p, q) for p, q in zip(a.first, b.first, strict=True)),
            tuple(self.add(p, q) for p, q in zip(a.second, b.second, strict=True)),
        )

    def product(self, a: _Jet[T], b: _Jet[T]) -> _Jet[T]:
        """a b, a_i b + a b_i, a_ij b + a_i b_j + a_j b_i + a b_ij."""
        first = tuple(
            self.add(self.multiply(p, b.value), self.multiply(a.value, q))
            for p, q in zip(a.first, b.first, strict=True)
        )
        second = []
        for (i, j), p, q in zip(self.pairs, a.second, b.second, strict=True):
            ends = self.multiply(p, b.value), self.multiply(a.value, q)
            crossed = (self.multiply(a.first[i], b.first[j]), self.multiply(a.first[j], b.first[i]))
            second.append(self.add(*ends, *crossed))
        return _Jet(self.ar.multiply(a.value, b.value), first, tuple(second))

    def composed(self, kind: str, a: _Jet[T]) -> _Jet[T]:
        """f(a), f' a_i, f' a_ij + f'' a_i a_j."""
        bent = any(f is not None for f in a.first)
        value, slope, bend = self.elementary(kind, a.value, bent)
        first = tuple(self.multiply(slope, f) for f in a.first)
        second = tuple(
            self.add(self.multiply(slope, s), self.multiply(bend, a.first[i], a.first[j]))
            for (i, j), s in zip(self.pairs, a.second, strict=True)
        )
        return _Jet(value, first, second)

    def elementary(self, kind: str, a: T, bent: bool) -> tuple[T, T | None, T | None]:
        """The function and, if `bent`, its first two derivatives."""
        ar, of = self.ar, {"reciprocal", "sin", "exp", "tanh"}
        assert kind in of, "operations check their kinds"
        value: T = ar.function(kind, a)  # type: ignore[arg-type]
        if not bent:
            return value, None, None
        if kind == "exp":
            return value, value, value
        if kind == "sin":
            return value, ar.function("cos", a), self.times(-1.0, value)
        square = ar.multiply(value, value)
        if kind == "reciprocal":
            return value, self.times(-1.0, square), self.times(2.0, ar.multiply(square, value))
        slope = ar.add(self.number(1.0), self.times(-1.0, square))
        return value, slope, ar.multiply(self.times(-2.0, value), slope)

    def number(self, value: float) -> T:
        """A constant, (1, 1)."""
        return self.ar.constant(np.full((1, 1), value))

    def times(self, factor: float, a: T) -> T:
        """factor * a."""
        return self.ar.multiply(self.number(factor), a)


def map_jets(
    program: CoordinateMap,
    x: T,
    d: int,
    pairs: Sequence[tuple[int, int]],
    ar: Arithmetic[T],
    *,
    derivatives: bool = True,
) -> Jets[T]:
    """All results of `program` at the points x (n, d), each channel (n, results).

    Without `derivatives` (and then without pairs) only the values.
    """
    rules = _Rules(ar, pairs)
    columns = d if derivatives else 0
    jets: list[_Jet[T]] = []
    for operation in program.operations:
        jets.append(_operation(operation, jets, x, columns, rules))
    chosen = [jets[k] for k in program.results]
    return Jets(
        ar.stack([jet.value for jet in chosen], x),
        tuple(ar.stack([jet.first[i] for jet in chosen], x) for i in range(columns)),
        tuple(ar.stack([jet.second[p] for jet in chosen], x) for p in range(len(pairs))),
    )


def _operation(o: Operation, jets: list[_Jet[T]], x: T, d: int, rules: _Rules[T]) -> _Jet[T]:
    flat: tuple[None, ...] = (None,) * len(rules.pairs)
    if o.kind == "coordinate":
        one = rules.number(1.0)
        first = tuple(one if i == o.a else None for i in range(d))
        return _Jet(rules.ar.columns(x, o.a, o.a + 1), first, flat)
    if o.kind == "constant":
        return _Jet(rules.number(o.value), (None,) * d, flat)
    if o.kind == "add":
        return rules.sum_of(jets[o.a], jets[o.b])
    if o.kind == "multiply":
        return rules.product(jets[o.a], jets[o.b])
    return rules.composed(o.kind, jets[o.a])


def impose(
    program: CoordinateMap,
    x: T,
    d: int,
    u: Jets[T],
    pairs: Sequence[tuple[int, int]],
    ar: Arithmetic[T],
) -> Jets[T]:
    """base + factor u with its derivatives; u and the result have m columns, `program` 2 m."""
    maps = map_jets(program, x, d, pairs, ar, derivatives=bool(u.first))
    m = len(program.results) // 2
    base, factor = maps.columns(0, m, ar), maps.columns(m, 2 * m, ar)
    rules: _Rules[Any] = _Rules(ar, pairs)
    whole = rules.sum_of(
        _Jet(base.value, base.first, base.second),
        rules.product(
            _Jet(factor.value, factor.first, factor.second), _Jet(u.value, u.first, u.second)
        ),
    )
    return Jets(whole.value, whole.first, whole.second)


def features_of(
    program: CoordinateMap,
    shift: Array,
    scale: Array,
    x: T,
    d: int,
    pairs: Sequence[tuple[int, int]],
    ar: Arithmetic[T],
    *,
    derivatives: bool = True,
) -> Jets[T]:
    """What the network takes: the features, shifted and scaled, (n, F)."""
    jets = map_jets(program, x, d, pairs, ar, derivatives=derivatives)
    factor = ar.constant(scale)
    return Jets(
        ar.multiply(ar.add(jets.value, ar.constant(-shift)), factor),
        tuple(ar.multiply(f, factor) for f in jets.first),
        tuple(ar.multiply(s, factor) for s in jets.second),
    )
