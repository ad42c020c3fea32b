"""Weights on their grids while they are being fitted: codes, scales, biases, and what is free.

All numbers of a network that are independent stand in one vector `values` (F,): layer by layer the
weight row by row, then the bias; of tied layers the free part. A narrow weight lies on the grid
of its row once it is frozen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kdpinn_export.grids import (
    check_precision,
    fitted_scale,
    from_codes,
    largest_code,
    largest_scale,
    rounded_half,
)
from kdpinn_runtime.format import INTEGER_BITS, Layer, ModelFile

Array = NDArray[np.float64]
Index = NDArray[np.int64]

FEW_BITS = 6
"""Up to so many bits a scale that clips the largest weights is considered."""
HALF = 2048.0
"""As fine as float16 counts among the integers, by their largest codes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Coding:
    """How the independent numbers of a network are stored.

    Attributes:
        layers: the free part of each layer, as it was.
        precisions: one for each layer.
        place, sign: theta[k] = sign[k] * values[place[k]], (P,) each, for the whole network.
        row: (F,), the scale that a number is measured in; -1 for biases and floats.
        most: (F,), the largest code; 0 where there is no grid, 1 for float16.
        pinned: (F,), numbers that stay 0: biases of outputs that change their sign.
    """

    layers: tuple[Layer, ...]
    precisions: tuple[str, ...]
    place: Index
    sign: Array
    row: Index
    most: Array
    pinned: NDArray[np.bool_]

    @classmethod
    def of(cls, file: ModelFile, precisions: Sequence[str]) -> Coding:
        """Of a file's layers in these precisions. Raises ValueError for an unknown precision."""
        if len(precisions) != len(file.layers):
            raise ValueError(
                f"{len(precisions)} precisions for {len(file.layers)} layers: give one for each."
            )
        for precision in precisions:
            check_precision(precision)
        free = file.stored_layers
        row, most, rows = [], [], 0
        for layer, precision in zip(free, precisions, strict=True):
            n_out, n_in = layer.weight.shape
            integer = precision in INTEGER_BITS
            own = (
                np.repeat(np.arange(rows, rows + n_out), n_in)
                if integer
                else -np.ones(n_out * n_in)
            )
            row += [own, -np.ones(n_out)]
            grid = largest_code(precision) if integer else precision == "f16"
            most += [np.full(n_out * n_in, float(grid)), np.zeros(n_out)]
            rows += n_out if integer else 0
        place, sign, pinned = _expansion(file)
        return cls(
            layers=free,
            precisions=tuple(precisions),
            place=place,
            sign=sign,
            row=np.concatenate(row).astype(np.int64),
            most=np.concatenate(most),
            pinned=pinned,
        )

    @property
    def values(self) -> Array:
        """The numbers as the file had them, (F,), float64."""
        return flat(self.layers)

    @property
    def narrow(self) -> NDArray[np.bool_]:
        """(F,), whether a number has to go to a grid."""
        return self.most > 0

    def coarsest_first(self) -> tuple[Coding, ...]:
        """Codings that grow to this one: the numbers on the coarsest grids, then finer ones too.

        What is not yet in a coding is a float there.
        """
        fineness = np.where(self.narrow & (self.row < 0), HALF, self.most)
        parts = [
            replace(
                self,
                row=np.where(fineness <= finest, self.row, -1),
                most=np.where(fineness <= finest, self.most, 0.0),
            )
            for finest in np.unique(fineness[self.narrow])
        ]
        return tuple(parts) or (self,)

    def scales(self, values: Array | None = None) -> Array:
        """First scales, (rows,), from the numbers (F,), by default those of the file."""
        found, at = [], 0
        values = self.values if values is None else values
        for layer, precision in zip(self.layers, self.precisions, strict=True):
            if precision in INTEGER_BITS:
                few = INTEGER_BITS[precision] <= FEW_BITS
                weight = values[at : at + layer.weight.size].reshape(layer.weight.shape)
                found.append((fitted_scale if few else largest_scale)(weight, precision))
            at += layer.weight.size + layer.bias.size
        return np.concatenate([*found, np.zeros(0)]).astype(np.float64)

    def theta(self, values: Array) -> Array:
        """The whole network's parameters (P,) from the independent numbers (F,)."""
        return self.sign * values[self.place]

    def steps(self, values: Array, scales: Array) -> Array:
        """Distance to the next number of the grid, (F,); 1 where there is no grid."""
        step = np.ones(len(values))
        integer = self.row >= 0
        step[integer] = scales[self.row[integer]]
        half = self.narrow & ~integer
        step[half] = np.spacing(np.abs(values[half]).astype(np.float16)).astype(np.float64)
        return step

    def nearest(self, values: Array, scales: Array) -> Array:
        """The nearest numbers of the grids, (F,); others as they are."""
        out = values.copy()
        integer = self.row >= 0
        scale = scales[self.row[integer]]
        most = self.most[integer]
        out[integer] = np.clip(np.rint(values[integer] / scale), -most, most) * scale
        half = self.narrow & ~integer
        out[half] = rounded_half(values[half])
        return out

    def codes(self, values: Array, scales: Array) -> Array:
        """Whole numbers values / scale, (F,); 0 where there is no scale."""
        out = np.zeros(len(values))
        integer = self.row >= 0
        out[integer] = np.rint(values[integer] / scales[self.row[integer]])
        return out

    def stored(self, values: Array, scales: Array) -> tuple[Layer, ...]:
        """The free part of each layer with frozen numbers (F,) on grids of these scales (rows,)."""
        narrow = scales.astype(np.float32)
        layers, at, first = [], 0, 0
        for layer, precision in zip(self.layers, self.precisions, strict=True):
            n_out, n_in = layer.weight.shape
            exact = values[at : at + n_out * n_in].reshape(n_out, n_in)
            bias = values[at + n_out * n_in : at + n_out * (n_in + 1)].astype(np.float32)
            at += n_out * (n_in + 1)
            scale = None
            if precision in INTEGER_BITS:
                scale, first = narrow[first : first + n_out], first + n_out
                weight = from_codes(np.rint(exact / scale[:, None].astype(np.float64)), scale)
            else:
                weight = exact.astype(np.float32)
            layers.append(
                replace(layer, weight=weight, bias=bias, precision=precision, scale=scale)
            )
        return tuple(layers)


def flat(layers: Sequence[Layer]) -> Array:
    """Weights row by row and biases of all layers, float64."""
    parts = [part.ravel() for layer in layers for part in (layer.weight, layer.bias)]
    return np.concatenate(parts).astype(np.float64)


def _expansion(file: ModelFile) -> tuple[Index, Array, NDArray[np.bool_]]:
    """place and sign of every parameter of the network, and the pinned numbers.

    Found by letting the symmetry expand a network whose weights are their own numbers.
    """
    count, numbered = 0, []
    for layer in file.stored_layers:
        n_out, n_in = layer.weight.shape
        weight = np.arange(count + 1, count + 1 + n_out * n_in, dtype=np.float64)
        bias = np.arange(n_out, dtype=np.float64) + count + 1 + n_out * n_in
        count += n_out * (n_in + 1)
        plain = Layer(weight=weight.reshape(n_out, n_in), bias=bias, activation=layer.activation)
        numbered.append(plain)
    pinned = np.zeros(count, bool)
    if file.symmetry is not None:
        odd = np.array([g.outputs for g in file.symmetry.generators]).min(axis=0) < 0
        pinned[count - len(odd) :] = odd
    whole = numbered if file.symmetry is None else file.symmetry.expand(numbered)
    signed = flat(whole)
    return np.abs(signed).astype(np.int64) - 1, np.sign(signed), pinned
