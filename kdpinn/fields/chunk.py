"""One chunk of a field: what a worker does, in this process or on another machine."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn.fields.grid import Grid, Index
from kdpinn_runtime import Model, load
from kdpinn_runtime.atomic import replacing

SLAB = 16_384
"""Points evaluated at a time: with their inputs they stay in the second-level cache."""


@lru_cache(maxsize=4)
def model_of(content: bytes) -> Model:
    """The model of a file's bytes, loaded once in each process."""
    return load(content, outside="count")


# A model that outlives the modules that it needs would complain.
atexit.register(model_of.cache_clear)


def slabs(model: Model, grid: Grid, index: Index, dtype: Any) -> Iterator[NDArray[Any]]:
    """The outputs over a chunk, some rows of its first dimension at a time: (rows, ..., outputs).

    Computed in `dtype`, in a buffer that the next slab takes.
    """
    part = grid.part(index)
    shape = tuple(s.stop - s.start for s in part)
    width = int(np.prod(shape[1:]))
    rows = max(1, SLAB // width)
    column = next(k for k, axis in enumerate(grid.axes) if axis.count > 1)
    lead = grid.axes[column].values[part[0]]
    # Of the points only the first dimension changes from slab to slab.
    points = grid.points((slice(part[0].start, part[0].start + rows), *part[1:]), dtype)
    values = np.empty((len(points), len(model.outputs)), dtype)
    bound: tuple[int, Callable[[], None]] = (0, lambda: None)
    for first in range(0, shape[0], rows):
        here = lead[first : first + rows]
        count = len(here) * width
        if bound[0] != count:
            bound = (count, model.bind(points[:count], values[:count]))
        points[:count].reshape(len(here), width, -1)[:, :, column] = here[:, None]
        bound[1]()
        yield values[:count].reshape(len(here), *shape[1:], -1)


def chunk_values(model: Model, grid: Grid, index: Index, dtype: Any) -> NDArray[Any]:
    """The outputs over a chunk, (outputs, *its shape), computed and stored in `dtype`."""
    shape = tuple(s.stop - s.start for s in grid.part(index))
    out = np.empty((len(model.outputs), *shape), dtype)
    row = 0
    for slab in slabs(model, grid, index, dtype):
        out[:, row : row + len(slab)] = np.moveaxis(slab, -1, 0)
        row += len(slab)
    return out


def write_chunk(content: bytes, grid: Grid, index: Index, dtype: str, store: str) -> Index:
    """Compute a chunk into the zarr group `store`; its index.

    The arrays are not compressed, so that a chunk is a file of its numbers in their order, those
    past the field's end NaN (Zarr core specification 3.1, sections on chunk keys and the `bytes`
    codec). It is written as it is computed: through zarr each number would be copied three times.
    """
    model = model_of(content)
    folders = [Path(store, v.name, "c", *map(str, index[:-1])) for v in model.outputs]
    number = np.dtype(dtype).newbyteorder("<")
    with ExitStack() as files:
        streams = []
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            streams.append(files.enter_context(replacing(folder / str(index[-1]), sync=False)))
        left = grid.chunk[0]
        for slab in slabs(model, grid, index, np.dtype(dtype)):
            left -= len(slab)
            for k, stream in enumerate(streams):
                stream.write(_filled(slab[..., k], grid.chunk[1:]).astype(number, copy=False).data)
        for stream in streams:
            stream.write(np.full((left, *grid.chunk[1:]), np.nan, number).data)
    return index


def _filled(rows: NDArray[Any], chunk: Index) -> NDArray[Any]:
    """(n, *chunk), contiguous: `rows`, and NaN where they end before the chunk does."""
    if rows.shape[1:] == chunk:
        return np.ascontiguousarray(rows)
    out = np.full((len(rows), *chunk), np.nan, rows.dtype)
    out[tuple(map(slice, rows.shape))] = rows
    return out
