"""Symmetries of a network: its layers are tied, and only their free part is stored.

docs/derivations/walsh_hadamard.md has the mathematics. In short: the group has 2^k elements, each a
product of k generators that undo themselves and may change places. Element g moves the inputs by a
signed permutation P_g. A hidden layer has one copy of its neurons for each element; copy g of the
first one is computed from P_g z by the same weights, W_gh = A_(g xor h) takes copy h of one hidden
layer to copy g of the next, and an output is the sum over the copies, each with the sign that the
output has under g. Then u(g x) = ± u(x), whatever the free weights are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._layer import Layer
from ._limits import MAX_GENERATORS
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
    """A group of 2^k elements, given by its k generators. Raises FormatError (SYMMETRY)."""

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
        problems = Problems()
        for number, g in enumerate(self.generators):
            twice = g.after(g)
            problems.require(
                twice.order == tuple(range(len(g.signs))) and set(twice.signs) == {1},
                "SYMMETRY",
                f"generator {number}, applied twice, does not give every input back",
            )
        for (a, one), (b, other) in combinations(enumerate(self.generators), 2):
            problems.require(
                one.after(other) == other.after(one),
                "SYMMETRY",
                f"generators {a} and {b} give another result in the other order",
            )
        problems.raise_if_any()

    @property
    def order(self) -> int:
        """Number of elements, and of copies of a hidden neuron."""
        return 1 << len(self.generators)

    def elements(self) -> tuple[Generator, ...]:
        """Every element; bit b of its position says whether generator b is in it."""
        first = self.generators[0]
        found = [Generator(signs=(1,) * len(first.signs), outputs=(1,) * len(first.outputs))]
        for generator in self.generators:
            found += [generator.after(element) for element in found]
        return tuple(found)

    def free(self, layers: Sequence[Layer]) -> tuple[Layer, ...]:
        """The part of each layer that the others follow from: the first copy's weights."""
        parts = []
        for index, layer in enumerate(layers):
            rows, columns = layer.weight.shape
            if index == len(layers) - 1:
                columns //= self.order
            else:
                rows //= self.order
            parts.append(
                replace(
                    layer,
                    weight=layer.weight[:rows, :columns],
                    bias=layer.bias[:rows],
                    scale=None if layer.scale is None else layer.scale[:rows],
                )
            )
        return tuple(parts)

    def expand(self, free: Sequence[Layer]) -> tuple[Layer, ...]:
        """The network from its free part; the inverse of `free`.

        The first layer's weight is (p, d), a hidden one's (q, order * p) with the blocks A_0, A_1,
        ... side by side, the last one's (m, q); biases (p,), (q,), (m,).
        """
        elements, xor = self.elements(), range(self.order)
        expanded = []
        for index, layer in enumerate(free):
            weight, bias, scale = layer.weight, layer.bias, layer.scale
            if index == 0:
                weight = np.concatenate([_moved(weight, element) for element in elements])
            elif index < len(free) - 1:
                blocks = np.split(weight, self.order, axis=1)
                weight = np.block([[blocks[g ^ h] for h in xor] for g in xor])
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
        blocks = np.split(row, self.order, axis=1)
        return np.concatenate([blocks[g ^ h] for h in range(self.order)], axis=1)

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
