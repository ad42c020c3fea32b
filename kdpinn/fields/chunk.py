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
    rows = max(1, SLAB // max(1, int(np.prod(shape[1:]))))
    for first in range(0, shape[0], rows):
        last = min(shape[0], first + rows)
        lead = slice(part[0].start + first, part[0].start + last)
        values = model(grid.points((lead, *part[1:]), dtype))
        out[:, first:last] = values.T.reshape(-1, last - first, *shape[1:])
    return out


def write_chunk(content: bytes, grid: Grid, index: Index, dtype: str, store: str) -> Index:
    """Compute a chunk and write it to the zarr group `store`; its index."""
    model = model_of(content)
    values = chunk_values(model, grid, index, np.dtype(dtype))
    arrays = arrays_of(store, tuple(variable.name for variable in model.outputs))
    for array, part in zip(arrays, values, strict=True):
        array[grid.part(index)] = part
    return index
