"""Symmetries of a network: its layers are tied, and only their free part is stored.

docs/derivations/regular_representation.md has the mathematics. In short: element g of the group
moves the network's inputs by a signed permutation P_g. A hidden layer has one copy of its neurons
for each element; copy g of the first one is computed from P_g z by the same weights,
W_gh = A_(g h^-1) takes copy h of one hidden layer to copy g of the next, and an output is the sum
over the copies, each with the sign that the output has under g. Then u(P_g z) = ± u(z), whatever
the free weights are.

Where the generators undo themselves and may change places, the group has 2^k elements, g h^-1 is
g xor h, and the core evaluates the layers in the Walsh-Hadamard basis
(docs/derivations/walsh_hadamard.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._layer import Layer
from ._limits import MAX_GENERATORS, MAX_ORDER
from ._refusals import FormatError, Problems

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Generator:
    """One symmetry of the field: output j at g x is outputs[j] times output j at x.

    g x has signs[i] * z[order[i]] as its normalized input i; without `order` every input stays in
    its place. All signs are +1 or -1. Raises FormatError (SYMMETRY).
    """

    signs: tuple[int, ...]
    outputs: tuple[int, ...]
    order: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name in ("signs", "outputs", "order"):
            object.__setattr__(self, name, tuple(int(value) for value in getattr(self, name)))
        if not self.order:
            object.__setattr__(self, "order", tuple(range(len(self.signs))))
        problems = Problems()
        for name in ("signs", "outputs"):
            problems.require(
                set(getattr(self, name)) <= {-1, 1} and len(getattr(self, name)) > 0,
                "SYMMETRY",
                f"{name} of a generator are {getattr(self, name)}, expected 1 and -1",
            )
        problems.require(
            sorted(self.order) == list(range(len(self.signs))),
            "SYMMETRY",
            f"order of a generator is {self.order}, expected each of the {len(self.signs)} "
            "inputs once",
        )
        problems.raise_if_any()

    def after(self, other: Generator) -> Generator:
        """The element that applies `other` first and then this one."""
        return Generator(
            signs=tuple(s * other.signs[i] for s, i in zip(self.signs, self.order, strict=True)),
            outputs=tuple(a * b for a, b in zip(self.outputs, other.outputs, strict=True)),
            order=tuple(other.order[i] for i in self.order),
        )


@dataclass(frozen=True, kw_only=True)
class Symmetry:
    """A group of at most 16 elements, given by its generators. Raises FormatError (SYMMETRY).

    Of other generators than those that undo themselves and may change places, none follows from
    those before it.
    """

    generators: tuple[Generator, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "generators", tuple(self.generators))
        if not 1 <= len(self.generators) <= MAX_GENERATORS:
            raise FormatError(
                "SYMMETRY",
                f"a symmetry has {len(self.generators)} generators, expected 1 .. {MAX_GENERATORS}",
            )
        if len({(len(g.signs), len(g.outputs)) for g in self.generators}) > 1:
            raise FormatError("SYMMETRY", "the generators differ in their numbers of variables")
        _ = self._elements  # raises where there are too many

    @cached_property
    def doubling(self) -> bool:
        """Whether the generators undo themselves and may change places."""
        identity = Generator(signs=(1,) * self.inputs, outputs=(1,) * self.outputs)
        undone = all(g.after(g) == identity for g in self.generators)
        pairs = combinations(self.generators, 2)
        return undone and all(one.after(other) == other.after(one) for one, other in pairs)

    @property
    def inputs(self) -> int:
        """Number of inputs of the network."""
        return len(self.generators[0].signs)

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.generators[0].outputs)

    @property
    def order(self) -> int:
        """Number of elements, and of copies of a hidden neuron."""
        return len(self._elements)

    def elements(self) -> tuple[Generator, ...]:
        """Every element, the identity first.

        Where generators undo themselves and may change places, bit b of an element's position says
        whether generator b is in it.
        """
        return self._elements

    @cached_property
    def _elements(self) -> tuple[Generator, ...]:
        found = [Generator(signs=(1,) * self.inputs, outputs=(1,) * self.outputs)]
        for number, generator in enumerate(self.generators):
            if self.doubling:
                found += [generator.after(element) for element in found]
            else:
                found = self._extended(found, number)
        return tuple(found)

    def _extended(self, subgroup: list[Generator], number: int) -> list[Generator]:
        """The subgroup with one more generator, coset by coset (Dimino's algorithm)."""
        if self.generators[number] in subgroup:
            raise FormatError(
                "SYMMETRY", f"generator {number} follows from those before it: leave it out"
            )
        found, firsts = list(subgroup), [self.generators[number]]
        for first in firsts:  # grows while it is walked
            if first in found:
                continue
            if len(found) + len(subgroup) > MAX_ORDER:
                raise FormatError("SYMMETRY", f"the group has more than {MAX_ORDER} elements")
            found += [first.after(element) for element in subgroup]
            firsts += [generator.after(first) for generator in self.generators[: number + 1]]
        return found

    @cached_property
    def blocks(self) -> tuple[tuple[int, ...], ...]:
        """blocks[g][h] is the position of g h^-1."""
        if self.doubling:
            return tuple(tuple(g ^ h for h in range(self.order)) for g in range(self.order))
        position = {element: k for k, element in enumerate(self._elements)}
        table = [[0] * self.order for _ in range(self.order)]
        for f, left in enumerate(self._elements):
            for h, right in enumerate(self._elements):
                table[position[left.after(right)]][h] = f
        return tuple(map(tuple, table))

    def free(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """The part of each layer that the others follow from: the first copy's weights."""
        parts = []
        for index, layer in enumerate(layers):
            rows, columns = layer.weight.shape
            if index == len(layers) - 1:
                columns //= self.order
            else:
                rows //= self.order
            weight = layer.weight[:rows, :columns]
            if 0 < index < len(layers) - 1 and not self.doubling:
                weight = np.concatenate(self._blocks_of(weight), axis=1)
            scale = None if layer.scale is None else layer.scale[:rows]
            parts.append(replace(layer, weight=weight, bias=layer.bias[:rows], scale=scale))
        return tuple(parts)

    def _blocks_of(self, row: Array) -> list[Array]:
        """A_0, A_1, ... from the first row of blocks, which has A_(h^-1) in the place of copy h."""
        blocks = np.split(row, self.order, axis=1)
        return [blocks[self.blocks[0].index(k)] for k in range(self.order)]

    def expand(self, free: Sequence[Layer]) -> tuple[Layer, ...]:
        """The network from its free part; the inverse of `free`.

        The first layer's weight is (p, d), a hidden one's (q, order * p) with the blocks A_0, A_1,
        ... side by side, the last one's (m, q); biases (p,), (q,), (m,).
        """
        elements = self.elements()
        expanded = []
        for index, layer in enumerate(free):
            weight, bias, scale = layer.weight, layer.bias, layer.scale
            if index == 0:
                weight = np.concatenate([_moved(weight, element) for element in elements])
            elif index < len(free) - 1:
                blocks = np.split(weight, self.order, axis=1)
                weight = np.block([[blocks[k] for k in row] for row in self.blocks])
            else:
                signs = [np.array(element.outputs, weight.dtype)[:, None] for element in elements]
                weight = np.concatenate([sign * weight for sign in signs], axis=1)
            if index < len(free) - 1:
                bias = np.tile(bias, self.order)
                scale = None if scale is None else np.tile(scale, self.order)
            expanded.append(replace(layer, weight=weight, bias=bias, scale=scale))
        return tuple(expanded)

    def aligned(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """The same function from a network whose copies are tied up to signs.

        With odd activations a copy may hold its neurons with the other sign: [[A, -B], [B, -A]]
        computes what [[A, B], [B, A]] does. Looks for the sign of every copy that makes the layers
        tied without signs; where there is none, the copy is left as it is, and `ModelFile` says
        which layer is not tied.
        """
        elements, done = self.elements(), list(layers)
        for index, layer in enumerate(layers[:-1]):
            weight = done[index].weight
            copies = np.split(weight, self.order)
            first = done[index].bias[: len(copies[0])]
            signs = []
            for g, (copy, bias) in enumerate(
                zip(copies, np.split(layer.bias, self.order), strict=True)
            ):
                wanted = (
                    _moved(copies[0], elements[g]) if index == 0 else self._turned(copies[0], g)
                )
                flipped = np.array_equal(-copy, wanted) and np.array_equal(-bias, first)
                signs.append(-1 if flipped and layer.activation in _ODD else 1)
            sign = np.repeat(np.array(signs, weight.dtype), len(copies[0]))
            done[index] = replace(layer, weight=weight * sign[:, None], bias=layer.bias * sign)
            following = done[index + 1]
            done[index + 1] = replace(following, weight=following.weight * sign)
        return tuple(done)

    def _turned(self, row: Array, g: int) -> Array:
        """Block row g of a hidden layer from its block row 0."""
        blocks = self._blocks_of(row)
        return np.concatenate([blocks[k] for k in self.blocks[g]], axis=1)

    def untied(self, layers: Sequence[Layer]) -> Iterator[str]:
        """What keeps `layers` from having this symmetry; nothing if they have it."""
        if len(layers) < 2:
            yield "a network with a symmetry has at least two layers, this one has one"
            return
        for index, layer in enumerate(layers[:-1]):
            if len(layer.bias) % self.order:
                yield (
                    f"layer {index} gives {len(layer.bias)} values, expected a multiple of the "
                    f"{self.order} copies"
                )
                return
        tied = self.expand(self.free(layers))
        for index, (layer, wanted) in enumerate(zip(layers, tied, strict=True)):
            same = np.array_equal(layer.weight, wanted.weight)
            if not same or not np.array_equal(layer.bias, wanted.bias):
                yield f"layer {index} is not tied: its copies' weights or biases differ"
        signs = np.array([g.outputs for g in self.generators])
        for j in np.flatnonzero((signs < 0).any(axis=0) & (layers[-1].bias != 0)):
            yield f"output {j} changes its sign, its bias is {layers[-1].bias[j]}, expected 0"


_ODD = ("identity", "tanh", "sin")


def _moved(weight: Array, element: Generator) -> Array:
    """Weights on z from weights on P z, with (P z)_i = signs[i] z[order[i]]."""
    moved = np.empty_like(weight)
    moved[:, list(element.order)] = weight * np.array(element.signs, weight.dtype)
    return moved
