"""How a symmetry of the inputs acts on the neurons: a signed permutation of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from kdpinn.structure.fits import Array
from kdpinn.structure.group import InputMap

EXACT_WIDTH = 13
"""Neurons up to which the best involution is searched among all, 2^n states."""


@dataclass(frozen=True, eq=False)
class SignedPermutation:
    """a(g x)[i] = sign[i] * a(x)[source[i]] for the n numbers a of a layer.

    Attributes:
        source: (n,), a permutation; sign: (n,), +1.0 or -1.0.
    """

    source: NDArray[np.int64]
    sign: Array

    def on_columns(self, weight: Array) -> Array:
        """W P, the weight (n_out, n) that acts on a(x) as W does on a(g x)."""
        moved = np.empty_like(weight)
        moved[:, self.source] = weight * self.sign
        return moved

    def on_rows(self, rows: Array) -> Array:
        """P R for rows (n, k)."""
        return self.sign[:, None] * rows[self.source]


@dataclass(frozen=True, eq=False)
class Alignment:
    """A map's action on the layers of one network, and how well it fits.

    Attributes:
        hidden: of each hidden layer.
        residuals: (layers,), |W_l P_(l-1) - P_l W_l| / |W_l|, biases included, Frobenius norms.
    """

    hidden: tuple[SignedPermutation, ...]
    residuals: Array


def align(layers: Sequence[tuple[Array, Array]], g: InputMap) -> Alignment:
    """The signed permutations with which the network comes nearest to u(g z) = chi u(z).

    Layer by layer, P_l minimizes |W_l P_(l-1) - P_l W_l|^2 + |b_l - P_l b_l|^2; in the first
    layer P_0 is the map itself, in the last P_l its characters. For a map that is its own inverse
    the P_l are too.

    Args:
        layers: W (n_out, n_in) and b (n_out,); odd activations between them.
        g: acts on the network's own inputs.
    """
    involution = g.after(g).moves_like(InputMap.identity(len(g.offset), len(g.characters)))
    hidden: list[SignedPermutation] = []
    residuals = []
    for number, (w, b) in enumerate(layers):
        rows = np.column_stack([w, b])
        if number == 0:
            moved = np.column_stack([w @ g.matrix, b + w @ g.offset])
        else:
            moved = np.column_stack([hidden[-1].on_columns(w), b])
        if number == len(layers) - 1:
            target = g.characters[:, None] * rows
        else:
            found = best_match(moved, rows, involution=involution)
            hidden.append(found)
            target = found.on_rows(rows)
        size = max(float(np.linalg.norm(rows)), 1e-300)
        residuals.append(float(np.linalg.norm(moved - target)) / size)
    return Alignment(tuple(hidden), np.array(residuals))


def best_match(moved: Array, rows: Array, *, involution: bool) -> SignedPermutation:
    """The signed permutation P that minimizes |moved - P rows|^2, both (n, k).

    Args:
        involution: whether P must be its own inverse. Found exactly up to `EXACT_WIDTH` rows;
            beyond, the best permutation's cycles are made pairs.
    """
    squares = (moved**2).sum(1)[:, None] + (rows**2).sum(1)
    product = moved @ rows.T
    if involution:  # i -> j and j -> i with one sign
        squares, product = squares + squares.T, product + product.T
    sign = np.where(product < 0, -1.0, 1.0)
    cost = squares - 2 * np.abs(product)
    source = _pairs(cost) if involution else linear_sum_assignment(cost)[1]
    return SignedPermutation(source, sign[np.arange(len(rows)), source])


def _pairs(cost: Array) -> NDArray[np.int64]:
    """The involution with the least sum of cost[i, j] (n, n), symmetric: pairs and single rows."""
    n = len(cost)
    source = np.arange(n)
    if n <= EXACT_WIDTH:
        for i, j in _best_pairing(cost):
            source[i], source[j] = j, i
        return source
    permutation = linear_sum_assignment(cost)[1]
    for cycle in _cycles(permutation):
        # A cycle too long for the exact search is cut: rare, and the tie's cost tells.
        for start in range(0, len(cycle), EXACT_WIDTH):
            part = np.array(cycle[start : start + EXACT_WIDTH])
            for i, j in _best_pairing(cost[np.ix_(part, part)]):
                source[part[i]], source[part[j]] = part[j], part[i]
    return source


def _best_pairing(cost: Array) -> tuple[tuple[int, int], ...]:
    """Exact: the least index that is free stays alone or takes any other free one."""
    n = len(cost)

    @cache
    def best(taken: int) -> tuple[float, tuple[tuple[int, int], ...]]:
        if taken == (1 << n) - 1:
            return 0.0, ()
        i = (~taken & (taken + 1)).bit_length() - 1
        options = []
        for j in range(i, n):
            if not taken >> j & 1:
                rest, pairs = best(taken | 1 << i | 1 << j)
                price = cost[i, i] / 2 if i == j else cost[i, j]
                options.append((price + rest, ((i, j), *pairs)))
        return min(options)

    return best(0)[1]


def _cycles(permutation: NDArray[np.int64]) -> list[list[int]]:
    left, cycles = set(range(len(permutation))), []
    while left:
        cycle = [min(left)]
        while (following := int(permutation[cycle[-1]])) != cycle[0]:
            cycle.append(following)
        left -= set(cycle)
        cycles.append(cycle)
    return cycles
