"""What every engine is compared with before it is timed: the model in float64."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn_export import bounded_outputs
from kdpinn_export.taylor import evaluate
from kdpinn_runtime.format import ModelFile

Points = NDArray[np.float32]
FloatArray = NDArray[np.floating[Any]]

BOUNDED_POINTS = 1024
"""Points, evenly spread over the batch, whose rounding bound is computed; it takes 50 times as
long as the values."""
_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class Truth:
    """values (n, k), float64; bound (rows, k): what rounding in float32 can do at `rows`."""

    values: NDArray[np.float64]
    bound: NDArray[np.float64]
    rows: NDArray[np.int64]

    def error_of(self, output: FloatArray) -> tuple[float, float]:
        """Largest |difference|, and the largest ratio to its bound.

        A ratio up to 1 is rounding; beyond it the engine computes something else. Points without
        a bound of their own are judged by the largest one of their column.
        Raises ValueError for another shape.
        """
        if output.shape != self.values.shape:
            raise ValueError(f"expected outputs of shape {self.values.shape}, got {output.shape}")
        difference = np.abs(output.astype(np.float64) - self.values)
        own = difference[self.rows] / np.maximum(self.bound, 1e-300)
        others = difference / np.maximum(self.bound.max(axis=0), 1e-300)
        return float(np.max(difference)), float(max(np.max(own), np.max(others)))


def truth(model: ModelFile, x: Points, *, derivatives: bool = False) -> Truth:
    """Values at x, (n, outputs), or (n, channels * outputs) with the derivatives behind them.

    Channels: value, first derivatives by each input, the second derivatives of `model.pairs`.
    """
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), BOUNDED_POINTS)).astype(np.int64))
    wide = x.astype(np.float64)
    pairs = model.pairs if derivatives else ()
    parts = []
    for start in range(0, len(x), _CHUNK):
        jets = evaluate(model, wide[start : start + _CHUNK], pairs)
        channels = [jets.value, *jets.first, *jets.second] if derivatives else [jets.value]
        parts.append(np.hstack(channels))
    bounded = bounded_outputs(
        model if derivatives else without_pairs(model), wide[rows], np.float32
    )
    bounds = [b.error for b in bounded.values()]
    count = parts[0].shape[1]
    return Truth(np.vstack(parts), np.hstack(bounds[:count]), rows)


def without_pairs(model: ModelFile) -> ModelFile:
    """The same network without second derivatives and without the equations that use them."""
    return replace(model, pairs=(), equations=())


def with_one_pair(model: ModelFile) -> ModelFile:
    """The same network with one second derivative: the model's first, else the one by input 0."""
    return replace(model, pairs=model.pairs[:1] or ((0, 0),), equations=())
