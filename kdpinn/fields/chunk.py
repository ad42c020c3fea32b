"""One chunk of a field: what a worker does, in this process or on another machine."""

from __future__ import annotations

import atexit
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn.fields.grid import Grid, Index
from kdpinn_runtime import Model, load

SLAB = 16_384
"""Points evaluated at a time: with their inputs they stay in the second-level cache."""


@lru_cache(maxsize=4)
def model_of(content: bytes) -> Model:
    """The model of a file's bytes, loaded once in each process."""
    return load(content, outside="count")


@lru_cache(maxsize=4)
def arrays_of(store: str, names: tuple[str, ...]) -> tuple[Any, ...]:
    """The arrays of the zarr group `store`, opened once in each process."""
    import zarr

    group = zarr.open_group(store, mode="r+")
    return tuple(group[name] for name in names)


# A model that outlives the modules that it needs would complain.
atexit.register(model_of.cache_clear)


def chunk_values(model: Model, grid: Grid, index: Index, dtype: Any) -> NDArray[Any]:
    """The outputs over a chunk, (outputs, *its shape), computed and stored in `dtype`.

    The chunk is evaluated slab by slab, so that no array of all its points is ever made.
    """
    part = grid.part(index)
    shape = tuple(s.stop - s.start for s in part)
    out = np.empty((len(model.outputs), *shape), dtype)
    width = int(np.prod(shape[1:]))
    rows = max(1, SLAB // width)
    column = next(k for k, axis in enumerate(grid.axes) if axis.count > 1)
    lead = grid.axes[column].values[part[0]]
    # Of the points only the first dimension changes from slab to slab.
    points = grid.points((slice(part[0].start, part[0].start + rows), *part[1:]), dtype)
    for first in range(0, shape[0], rows):
        values = lead[first : first + rows]
        slab = points[: len(values) * width]
        slab.reshape(len(values), width, -1)[:, :, column] = values[:, None]
        out[:, first : first + rows] = model(slab).T.reshape(-1, len(values), *shape[1:])
    return out


def write_chunk(content: bytes, grid: Grid, index: Index, dtype: str, store: str) -> Index:
    """Compute a chunk and write it to the zarr group `store`; its index."""
    model = model_of(content)
    values = chunk_values(model, grid, index, np.dtype(dtype))
    arrays = arrays_of(store, tuple(variable.name for variable in model.outputs))
    for array, part in zip(arrays, values, strict=True):
        array[grid.part(index)] = part
    return index
