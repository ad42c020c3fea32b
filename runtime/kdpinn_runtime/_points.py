"""Points as the core takes them: C-contiguous (n, d) arrays of float32 or float64."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._parts import Variable

Array = NDArray[Any]


def as_points(x: ArrayLike, inputs: tuple[Variable, ...]) -> Array:
    """`x` as a C-contiguous (n, d) array: float32 stays, any other real type becomes float64."""
    array = np.asarray(x)
    if array.ndim != 2 or array.shape[1] != len(inputs):
        names = ", ".join(variable.name for variable in inputs)
        raise ValueError(
            f"The model expects points of shape (n, {len(inputs)}), columns ({names}); got "
            f"{array.shape}. A single point is x[None, :]."
        )
    if array.dtype.kind not in "fiub":
        raise ValueError(f"The model expects points of real numbers, got {array.dtype}.")
    dtype = np.float32 if array.dtype.char == "f" else np.float64
    # Native byte order, memory order, whole addresses; nothing is copied that fits already.
    return np.require(array, dtype, ["C", "A"])


def columns_of(
    coordinates: Mapping[str, ArrayLike], inputs: tuple[Variable, ...]
) -> tuple[Array, tuple[int, ...]]:
    """Points (n, d) from named, broadcasting coordinates, and the broadcast shape."""
    names = [variable.name for variable in inputs]
    if set(coordinates) != set(names):
        missing = [name for name in names if name not in coordinates]
        unknown = [name for name in coordinates if name not in names]
        raise ValueError(
            f"The model has the inputs {names}; missing: {missing or 'none'}, "
            f"unknown: {unknown or 'none'}."
        )
    columns = np.broadcast_arrays(*(np.asarray(coordinates[name]) for name in names))
    return np.stack([column.ravel() for column in columns], axis=1), columns[0].shape
