"""Values and derivatives of a model at some points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._parts import Variable

Array = NDArray[Any]
PairIndices = tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Jet:
    """Values, first and chosen second derivatives; n points, m outputs, d inputs, p pairs.

    Derivatives are by the physical inputs, in output unit per input unit. Select by name:
    `jet["u"]`, `jet["u_x"]`, `jet["u_xt"]`, each (n,); names of several letters need a second
    underscore, `jet["u_radius_radius"]`.

    Attributes:
        channels: all of it as the core writes it, (1 + d + p, n, m).
        pairs: the input indices of each second derivative.
    """

    channels: Array
    pairs: PairIndices
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @property
    def value(self) -> Array:
        """Values, (n, m)."""
        value: Array = self.channels[0]
        return value

    @property
    def first(self) -> Array:
        """First derivatives, (n, m, d)."""
        return np.moveaxis(self.channels[1 : 1 + len(self.inputs)], 0, -1)

    @property
    def second(self) -> Array:
        """Second derivatives, (n, m, p), in the order of `pairs`."""
        return np.moveaxis(self.channels[1 + len(self.inputs) :], 0, -1)

    def __getitem__(self, name: str) -> Array:
        for column, output in enumerate(self.outputs):
            channel = self._names(output).get(name)
            if channel is not None:
                chosen: Array = self.channels[channel, :, column]
                return chosen
        known = [key for output in self.outputs for key in self._names(output)]
        raise KeyError(f"no {name!r} in this jet, which has: {', '.join(known)}")

    def _names(self, output: str) -> dict[str, int]:
        """Every spelling of the output's channels -> channel."""
        names = {output: 0}
        for i, a in enumerate(self.inputs):
            names[f"{output}_{a}"] = 1 + i
        for p, (i, j) in enumerate(self.pairs):
            for a, b in ((self.inputs[i], self.inputs[j]), (self.inputs[j], self.inputs[i])):
                joint = "" if len(a) == len(b) == 1 else "_"
                names[f"{output}_{a}{joint}{b}"] = 1 + len(self.inputs) + p
        return names


def pair_indices(
    second: Literal["all"] | Sequence[Sequence[str]], inputs: tuple[Variable, ...]
) -> PairIndices:
    """Pairs of input indices, i <= j, from pairs of input names or "all"."""
    d = len(inputs)
    if isinstance(second, str):
        if second != "all":
            raise ValueError(f'`second` must be "all" or pairs of input names, got {second!r}.')
        return tuple((i, j) for i in range(d) for j in range(i, d))
    names = [variable.name for variable in inputs]
    pairs = []
    for pair in second:
        if len(pair) != 2 or any(name not in names for name in pair):
            raise ValueError(
                f"`second` takes pairs of input names out of {names}, got {tuple(pair)!r}."
            )
        i, j = sorted(names.index(name) for name in pair)
        pairs.append((i, j))
    return tuple(pairs)
