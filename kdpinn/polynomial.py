"""Residuals as sums of products of jets and given numbers: what needs no automatic differentiation.

A residual that is such a sum is evaluated, squared and differentiated by the native kernels while
the jets of its points are still in the cache (`kdpinn.native_squares`).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from kdpinn.jets import JetSpec

MAX_FACTORS = 10
"""Of one product; the native kernels have room for no more."""


class Jet(NamedTuple):
    """A channel of an output."""

    channel: int
    output: int


class Column(NamedTuple):
    """A row of `Polynomial.columns`: a number for each point."""

    row: int


class Unknown(NamedTuple):
    """An unknown parameter of the equation; `given` counts where a field does not train it."""

    number: int
    given: float


Factor: TypeAlias = Jet | Column | Unknown


class Product(NamedTuple):
    """coefficient * the product of the factors."""

    coefficient: float
    factors: tuple[Factor, ...] = ()


Sum: TypeAlias = tuple[Product, ...]


@dataclass(frozen=True, eq=False)
class Polynomial:
    """One residual or several at N points.

    Attributes:
        equations: each a sum of products.
        columns: (c, N), what their factors of kind `Column` are.
    """

    equations: tuple[Sum, ...]
    columns: Tensor

    def __call__(self, channels: Tensor, unknown: Tensor) -> Tensor:
        """Residuals (N, equations) from channels (K, N, m) and unknowns (q,)."""
        n = channels.shape[1]

        def value(factor: Factor) -> Tensor:
            if isinstance(factor, Jet):
                return channels[factor.channel, :, factor.output]
            if isinstance(factor, Column):
                return self.columns[factor.row]
            return unknown[factor.number] if len(unknown) else channels.new_tensor(factor.given)

        rows = []
        for products in self.equations:
            row = channels.new_zeros(n)
            for coefficient, factors in products:
                product = channels.new_full((n,), coefficient)
                for factor in factors:
                    product = product * value(factor)
                row = row + product
            rows.append(row)
        return torch.stack(rows, 1)

    def take(self, rows: Tensor) -> Polynomial:
        """The equations at some of the points (k,)."""
        return replace(self, columns=self.columns[:, rows])

    def minus(self, target: Tensor) -> Polynomial:
        """The equations less given numbers, (N, equations)."""
        first = len(self.columns)
        equations = tuple(
            (*products, Product(-1.0, (Column(first + e),)))
            for e, products in enumerate(self.equations)
        )
        return Polynomial(equations, torch.cat([self.columns, target.T]))

    def over(self, scale: float) -> Polynomial:
        """All equations over a number."""
        equations = tuple(
            tuple(Product(p.coefficient / scale, p.factors) for p in products)
            for products in self.equations
        )
        return replace(self, equations=equations)

    def known(self, values: Sequence[float] | None = None) -> Polynomial:
        """The equations with numbers in place of the unknowns: `values`, or those given."""

        def without(product: Product) -> Product:
            coefficient = product.coefficient
            for factor in product.factors:
                if isinstance(factor, Unknown):
                    coefficient *= values[factor.number] if values else factor.given
            kept = (factor for factor in product.factors if not isinstance(factor, Unknown))
            return Product(coefficient, tuple(kept))

        return replace(self, equations=tuple(tuple(map(without, e)) for e in self.equations))

    def with_jets(self, meaning: Mapping[Jet, Sum], columns: Tensor) -> Polynomial | None:
        """The equations with other jets: each one read is a sum of products of new factors.

        Args:
            meaning: jet -> sum; a column's row there is one of the `columns`.
            columns: (b, N).
        Returns:
            None if a product has more than `MAX_FACTORS` factors then.
        """
        shift = len(self.columns)
        moved = {jet: tuple(_moved(p, shift) for p in known) for jet, known in meaning.items()}
        equations = tuple(
            tuple(new for old in products for new in _expanded(old, moved))
            for products in self.equations
        )
        if any(len(p.factors) > MAX_FACTORS for products in equations for p in products):
            return None
        return Polynomial(equations, torch.cat([self.columns, columns]))


def jets_less(channels: Sequence[int], target: Tensor, scale: Tensor) -> Polynomial:
    """(jet - target) / scale, an equation for each channel and output.

    Args:
        channels: numbers of k channels.
        target, scale: (k, N, m).
    """
    jets = [Jet(channel, output) for channel in channels for output in range(target.shape[2])]
    equations = tuple(
        (Product(1.0, (jet, Column(2 * e))), Product(-1.0, (Column(2 * e + 1),)))
        for e, jet in enumerate(jets)
    )
    columns = torch.stack([1 / scale, target / scale]).permute(1, 3, 0, 2)
    return Polynomial(equations, columns.flatten(0, 2))


def joined(parts: Sequence[Polynomial]) -> Polynomial:
    """The equations of all parts, which have the same points."""
    starts = itertools.accumulate((len(part.columns) for part in parts), initial=0)
    equations = tuple(
        tuple(_moved(product, start) for product in products)
        for part, start in zip(parts, starts, strict=False)
        for products in part.equations
    )
    return Polynomial(equations, torch.cat([part.columns for part in parts]))


def product_rule(spec: JetSpec, output: int) -> dict[Jet, list[tuple[int, int]]]:
    """Jets of a product f g of functions: (channel of f, channel of g), to be summed.

    f g, f_i g + f g_i, and f_ij g + f_i g_j + f_j g_i + f g_ij.
    """
    rule = {Jet(0, output): [(0, 0)]}
    if spec.order > 0:
        rule |= {Jet(1 + i, output): [(1 + i, 0), (0, 1 + i)] for i in range(spec.d)}
    for p, (i, j) in enumerate(spec.pairs):
        k = 1 + spec.d + p
        rule[Jet(k, output)] = [(k, 0), (1 + i, 1 + j), (1 + j, 1 + i), (0, k)]
    return rule


def _moved(product: Product, shift: int) -> Product:
    factors = (
        Column(factor.row + shift) if isinstance(factor, Column) else factor
        for factor in product.factors
    )
    return Product(product.coefficient, tuple(factors))


def _expanded(product: Product, meaning: Mapping[Jet, Sum]) -> list[Product]:
    """The product, multiplied out."""
    result = [Product(product.coefficient)]
    for factor in product.factors:
        terms = meaning[factor] if isinstance(factor, Jet) else (Product(1.0, (factor,)),)
        result = [
            Product(a.coefficient * b.coefficient, a.factors + b.factors)
            for a in result
            for b in terms
        ]
    return result
