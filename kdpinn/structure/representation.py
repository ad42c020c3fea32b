"""Regular representations: the layers of a network that has a symmetry whatever its weights are.

docs/derivations/regular_representation.md has the mathematics and the proof.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdpinn.structure.group import Group

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tie:
    """The linear map R from the free parameters of a network to all P of them.

    theta[rows[k]] is the sum of coefficients[k] * free[columns[k]]; with signs and permutations one
    term each, with rotations one for each input of the network in the first layer.

    Attributes:
        rows, columns: (n,), int64; coefficients: (n,), float64.
        representatives: (F,), positions in theta where the free parameters themselves stand.
        parameters: P.
    """

    rows: Tensor
    columns: Tensor
    coefficients: Tensor
    representatives: Tensor
    parameters: int

    @property
    def free(self) -> int:
        """Number of free parameters F."""
        return len(self.representatives)

    def expand(self, free: Tensor) -> Tensor:
        """All parameters (P,) from the free ones (F,); differentiable."""
        theta = free.new_zeros(self.parameters)
        return theta.index_add(0, self.rows, self.coefficients * free[self.columns])

    def reduce(self, gradient: Tensor) -> Tensor:
        """R^T: from derivatives by all parameters (P, ...) to those by the free ones (F, ...)."""
        terms = gradient[self.rows]
        coefficients = self.coefficients.view(-1, *[1] * (gradient.dim() - 1))
        return gradient.new_zeros(self.free, *gradient.shape[1:]).index_add(
            0, self.columns, coefficients * terms
        )

    def restrict(self, theta: Tensor) -> Tensor:
        """The free parameters (F,) of tied ones (P,)."""
        return theta[self.representatives]


def regular_tie(group: Group, sizes: tuple[int, ...]) -> Tie:
    """Ties of a network whose hidden layers are regular representations of the group.

    A hidden layer of width |G| p has a copy of p neurons for each element, the identity first:
    y_g = s(W g z + b), then y'_g = s(sum_h A[g h^-1] y_h + b'), u_j = d_j + sum_h c_j(h) w_j . y_h,
    with d_j = 0 where an element changes the sign of output j.

    Args:
        group: on the network's own inputs: d = sizes[0], m = sizes[-1], no offsets.
        sizes: widths from the inputs to the outputs.
    Raises:
        ValueError: no hidden layer, a hidden width that is no multiple of the group's order, a
            group on other inputs and outputs, or one that moves the origin.
    """
    _check(group, sizes)
    entries = _Entries()
    last = len(sizes) - 2
    for layer, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        if layer == 0:
            entries.first(group, n_in, n_out // group.order)
        elif layer < last:
            entries.hidden(group, n_in // group.order, n_out // group.order)
        else:
            entries.last(group, n_in // group.order, n_out)
    return entries.tie()


class _Entries:
    """The entries of R, layer by layer: of each its row, column and coefficient."""

    def __init__(self) -> None:
        self.parts: list[tuple[Integers, Integers, NDArray[np.float64]]] = []
        self.representatives: list[Integers] = []
        self.parameters = self.free = 0

    def first(self, group: Group, d: int, p: int) -> None:
        """Copy g of the weight is W M_g."""
        n = group.order
        weight, free = self._new(n * p, d), self._free(p, d)
        for g, element in enumerate(group.elements):
            rows = weight[g * p : (g + 1) * p]
            for k, i in zip(*np.nonzero(element.matrix), strict=True):
                self._add(rows[:, i], free[:, k], element.matrix[k, i])
        self.representatives.append(weight[:p].ravel())
        self._bias(n, p)

    def hidden(self, group: Group, p: int, q: int) -> None:
        """Block (g, h) of the weight is A[g h^-1]."""
        n = group.order
        weight, free = self._new(n * q, n * p), self._free(q, n * p)
        for g in range(n):
            for h in range(n):
                k = int(group.table[g, group.inverses[h]])
                block = weight[g * q : (g + 1) * q, h * p : (h + 1) * p]
                self._add(block, free[:, k * p : (k + 1) * p], 1.0)
        blocks = np.split(weight[:q], n, axis=1)
        first = np.concatenate([blocks[group.inverses[k]] for k in range(n)], axis=1)
        self.representatives.append(first.ravel())
        self._bias(n, q)

    def last(self, group: Group, p: int, m: int) -> None:
        """Block h of the weight is that of the identity, row j with the sign c_j(h)."""
        n = group.order
        weight, free = self._new(m, n * p), self._free(m, p)
        for h, element in enumerate(group.elements):
            for j in range(m):
                self._add(weight[j, h * p : (h + 1) * p], free[j], element.characters[j])
        self.representatives.append(weight[:, :p].ravel())
        signs = np.array([element.characters for element in group.elements])
        even = np.flatnonzero((signs > 0).all(axis=0))
        bias = self._new(m, 1)[even, 0]
        self._add(bias, self._free(len(even), 1)[:, 0], 1.0)
        self.representatives.append(bias)

    def _bias(self, copies: int, p: int) -> None:
        bias, free = self._new(copies, p), self._free(1, p)
        self._add(bias, np.broadcast_to(free, bias.shape), 1.0)
        self.representatives.append(bias[0])

    def _new(self, rows: int, columns: int) -> Integers:
        """Positions of the next parameters of the network."""
        start, self.parameters = self.parameters, self.parameters + rows * columns
        return np.arange(start, self.parameters).reshape(rows, columns)

    def _free(self, rows: int, columns: int) -> Integers:
        """Numbers of the next free parameters."""
        start, self.free = self.free, self.free + rows * columns
        return np.arange(start, self.free).reshape(rows, columns)

    def _add(self, rows: Integers, columns: Integers, coefficient: float) -> None:
        count = rows.size
        self.parts.append((rows.ravel(), columns.ravel(), np.full(count, coefficient)))

    def tie(self) -> Tie:
        """The map that the entries make."""
        rows, columns, coefficients = (
            np.concatenate(part) for part in zip(*self.parts, strict=True)
        )
        return Tie(
            rows=torch.from_numpy(rows),
            columns=torch.from_numpy(columns),
            coefficients=torch.from_numpy(coefficients),
            representatives=torch.from_numpy(np.concatenate(self.representatives)),
            parameters=self.parameters,
        )


def _check(group: Group, sizes: tuple[int, ...]) -> None:
    element = group.elements[0]
    d, m = len(element.offset), len(element.characters)
    if (d, m) != (sizes[0], sizes[-1]):
        raise ValueError(
            f"The group acts on {d} inputs and {m} outputs, the network {sizes} has {sizes[0]} and "
            f"{sizes[-1]}."
        )
    if len(sizes) < 3:
        raise ValueError(f"A network with a symmetry has a hidden layer, {sizes} has none.")
    for width in sizes[1:-1]:
        if width % group.order:
            raise ValueError(
                f"Hidden widths of a network with a symmetry are multiples of the group's order "
                f"{group.order}, got {width} in {sizes}."
            )
    for g in group.elements:
        if np.any(g.offset != 0):
            raise ValueError(
                f"A group that ties a network leaves the origin of its inputs in place, "
                f"{g.describe()} moves it: normalize about the group's center."
            )
