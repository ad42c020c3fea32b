"""Which weights of a network a symmetry makes equal up to sign: the relation R."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kdpinn.structure.alignment import Alignment, SignedPermutation
from kdpinn.structure.fits import Array
from kdpinn.structure.group import InputMap

SIGNED_PERMUTATION = 1e-9


@dataclass(frozen=True, eq=False)
class Relation:
    """theta[k] = sign[k] * free[index[k]], or 0 where index[k] is -1.

    Attributes:
        index: (P,), in the order of `MLP`'s parameters; the free ones are numbered from 0 without
            gaps, in the order of their first use.
        sign: (P,), +1.0 or -1.0.
    """

    index: NDArray[np.int64]
    sign: Array

    @property
    def free(self) -> int:
        """Number of free parameters."""
        return int(self.index.max(initial=-1)) + 1


class SignedUnionFind:
    """Classes of numbers that are equal up to sign; a class that equals its negative is zero."""

    def __init__(self, n: int) -> None:
        self._parent = list(range(n))
        self._sign = [1] * n
        self._zero = [False] * n

    def find(self, i: int) -> tuple[int, int]:
        """Root of i, and the sign of i against it."""
        sign = 1
        while self._parent[i] != i:
            sign *= self._sign[i]
            i = self._parent[i]
        return i, sign

    def join(self, i: int, j: int, sign: int) -> None:
        """Make number i = sign * number j."""
        (root, of_i), (other, of_j) = self.find(i), self.find(j)
        if root == other:
            if of_i != sign * of_j:
                self._zero[root] = True
        else:
            self._parent[other] = root
            self._sign[other] = of_i * sign * of_j
            self._zero[root] = self._zero[root] or self._zero[other]

    def relation(self) -> Relation:
        """The classes, numbered by their first member."""
        n = len(self._parent)
        index, sign = np.full(n, -1, dtype=np.int64), np.ones(n)
        numbers: dict[int, int] = {}
        for k in range(n):
            root, s = self.find(k)
            if not self._zero[root]:
                index[k], sign[k] = numbers.setdefault(root, len(numbers)), s
        first = {number: sign[np.argmax(index == number)] for number in numbers.values()}
        signs = [s * first.get(i, 1.0) for i, s in zip(index.tolist(), sign.tolist(), strict=True)]
        return Relation(index, np.array(signs))


def on_inputs(g: InputMap) -> SignedPermutation:
    """A linear signed permutation of the inputs as such.

    Raises:
        ValueError: it is none, or moves the origin.
    """
    source = np.abs(g.matrix).argmax(1)
    sign = np.sign(g.matrix[np.arange(len(source)), source])
    exact = np.zeros_like(g.matrix)
    exact[np.arange(len(source)), source] = sign
    if np.abs(exact - g.matrix).max() > SIGNED_PERMUTATION or np.abs(g.offset).max() > (
        SIGNED_PERMUTATION
    ):
        raise ValueError(
            f"Weights are tied by signed permutations of centered inputs, not by {g.describe()}."
        )
    return SignedPermutation(source, sign)


def tie(sizes: Sequence[int], actions: Sequence[tuple[InputMap, Alignment]]) -> Relation:
    """All weights that the maps, with their actions on the hidden layers, make equal up to sign.

    u(g z) = chi u(z) holds for every z if in each layer W[o, i] = s_out[o] s_in[i]
    W[P_out(o), P_in(i)] and b[o] = s_out[o] b[P_out(o)]; see docs/derivations/discovery.md.

    Args:
        sizes: widths from the inputs to the outputs.
    """
    starts = np.concatenate([[0], np.cumsum([n * (k + 1) for k, n in pairwise(sizes)])])
    classes = SignedUnionFind(int(starts[-1]))
    for g, alignment in actions:
        characters = SignedPermutation(np.arange(sizes[-1]), g.characters)
        layers = [on_inputs(g), *alignment.hidden, characters]
        for k, (n_in, n_out) in enumerate(pairwise(sizes)):
            before, after, start = layers[k], layers[k + 1], int(starts[k])
            for o in range(n_out):
                p, s = int(after.source[o]), int(after.sign[o])
                for i in range(n_in):
                    j, t = int(before.source[i]), int(before.sign[i])
                    classes.join(start + o * n_in + i, start + p * n_in + j, s * t)
                bias = start + n_out * n_in
                classes.join(bias + o, bias + p, s)
    return classes.relation()
