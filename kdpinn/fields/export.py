"""Fields in single files: NetCDF, and VTK's XML for ParaView; written chunk by chunk as well."""

from __future__ import annotations

import importlib
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from kdpinn.fields.chunk import chunk_values
from kdpinn.fields.grid import Grid
from kdpinn.fields.store import attributes, described
from kdpinn_runtime import Model

VTK_TYPES = {"float32": "Float32", "float64": "Float64"}
MOST_CELLS = 5_000_000
"""Of a .vtu file, which is made in memory."""


def export_field(
    model: Model, grid: Grid, target: Path, dtype: str, count: Callable[[], None]
) -> int:
    """Write the field to `target`, whole or not at all.

    Args:
        target: its suffix is a key of EXPORTS; an existing file is replaced at the end.
        dtype: "float32" or "float64", of computing and of the file.
        count: called after each chunk.
    Returns:
        How many chunks that were.
    Raises:
        OSError: the folder or the disk refuses; what stood at `target` is then unchanged.
    """
    with _replacing(target) as part:
        EXPORTS[target.suffix](model, grid, part, dtype, count)
    return len(list(grid.indices()))


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """A sibling file that takes the name `target` at the end, or vanishes."""
    handle, name = tempfile.mkstemp(
        dir=target.parent, prefix=f".{target.stem}.", suffix=target.suffix
    )
    os.close(handle)
    try:
        yield Path(name)
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _netcdf(model: Model, grid: Grid, path: Path, dtype: str, count: Callable[[], None]) -> None:
    netCDF4: Any = importlib.import_module("netCDF4")

    with netCDF4.Dataset(path, "w", format="NETCDF4") as file:
        for key, value in attributes(model, grid, dtype).items():
            file.setncattr(key, str(value) if isinstance(value, (list, dict)) else value)
        names = [axis.variable.name for axis in grid.dimensions]
        for axis in grid.dimensions:
            name = axis.variable.name
            file.createDimension(name, axis.count)
            values = file.createVariable(name, "f8", (name,))
            values.setncatts(described(axis.variable))
            values[:] = axis.values
        for variable in model.outputs:
            column = file.createVariable(variable.name, dtype, names, chunksizes=grid.chunk)
            column.setncatts(described(variable))
        for index in grid.indices():
            values = chunk_values(model, grid, index, np.dtype(dtype))
            for variable, array in zip(model.outputs, values, strict=True):
                file[variable.name][grid.part(index)] = array
            count()


def _vti(model: Model, grid: Grid, path: Path, dtype: str, count: Callable[[], None]) -> None:
    """ImageData with raw appended data, VTK's x being the first dimension and fastest.

    Source: The VTK File Formats, https://docs.vtk.org/en/latest/design_documents/VTKFileFormats.html.
    """
    axes = grid.dimensions
    if len(axes) > 3:
        raise ValueError(
            f"A .vti file has 3 dimensions, the grid has {len(axes)}: fix some inputs."
        )
    item = np.dtype(dtype).itemsize
    size = int(np.prod(grid.shape)) * item
    head = _vti_head(model, grid, dtype, size)
    with path.open("wb") as file:
        file.write(head)
        begin = file.tell()
        for k in range(len(model.outputs)):
            file.seek(begin + k * (8 + size))
            file.write(struct.pack("<Q", size))
        file.truncate(begin + len(model.outputs) * (8 + size))
        file.seek(0, os.SEEK_END)
        file.write(b"\n</AppendedData>\n</VTKFile>\n")
        file.flush()
        for k in range(len(model.outputs)):
            # Reversed: VTK's fastest dimension is the first.
            array: Any = np.memmap(
                path, f"<f{item}", "r+", begin + 8 + k * (8 + size), grid.shape[::-1]
            )
            for index in grid.indices():
                values = chunk_values(model, grid, index, np.dtype(dtype))[k]
                array[grid.part(index)[::-1]] = values.T
                if k == 0:
                    count()
            array.flush()


def _vti_head(model: Model, grid: Grid, dtype: str, size: int) -> bytes:
    axes = grid.dimensions
    filler = 3 - len(axes)
    extent = " ".join([f"0 {axis.count - 1}" for axis in axes] + ["0 0"] * filler)
    origin = " ".join([f"{axis.lower!r}" for axis in axes] + ["0"] * filler)
    steps = [(axis.upper - axis.lower) / (axis.count - 1) for axis in axes]
    spacing = " ".join([f"{step!r}" for step in steps] + ["1"] * filler)
    arrays = "\n".join(
        f'<DataArray type="{VTK_TYPES[dtype]}" Name="{v.name}" format="appended" '
        f'offset="{k * (8 + size)}"/>'
        for k, v in enumerate(model.outputs)
    )
    return (
        '<?xml version="1.0"?>\n'
        '<VTKFile type="ImageData" version="1.0" byte_order="LittleEndian" header_type="UInt64">\n'
        f'<ImageData WholeExtent="{extent}" Origin="{origin}" Spacing="{spacing}">\n'
        f'<Piece Extent="{extent}">\n<PointData>\n{arrays}\n</PointData>\n</Piece>\n</ImageData>\n'
        '<AppendedData encoding="raw">\n_'
    ).encode()


def _vtu(model: Model, grid: Grid, path: Path, dtype: str, count: Callable[[], None]) -> None:
    """An unstructured grid of lines, quadrilaterals or hexahedra, through meshio."""
    meshio: Any = importlib.import_module("meshio")

    axes = grid.dimensions
    points = int(np.prod(grid.shape))
    if len(axes) > 3 or points > MOST_CELLS:
        raise ValueError(
            f"A .vtu file is made in memory, of at most 3 dimensions and {MOST_CELLS} points; the "
            f"grid has {len(axes)} and {points}: write .vti or .zarr."
        )
    values = np.empty((len(model.outputs), *grid.shape), dtype)
    for index in grid.indices():
        values[(slice(None), *grid.part(index))] = chunk_values(model, grid, index, np.dtype(dtype))
        count()
    places = np.zeros((points, 3))
    mesh = np.meshgrid(*(axis.values for axis in axes), indexing="ij")
    places[:, : len(axes)] = np.stack([part.ravel() for part in mesh], axis=1)
    data = {v.name: a.ravel() for v, a in zip(model.outputs, values, strict=True)}
    meshio.Mesh(places, _cells(grid.shape), point_data=data).write(path, binary=True)


def _cells(shape: tuple[int, ...]) -> list[tuple[str, Any]]:
    """Corners of the cells in VTK's order: around the bottom face, then around the top."""
    number = np.arange(int(np.prod(shape))).reshape(shape)
    corners: dict[int, list[tuple[int, ...]]] = {
        1: [(0,), (1,)],
        2: [(0, 0), (1, 0), (1, 1), (0, 1)],
    }
    corners[3] = [(*c, k) for k in (0, 1) for c in corners[2]]
    kind = {1: "line", 2: "quad", 3: "hexahedron"}[len(shape)]
    columns = [
        number[tuple(slice(o, n - 1 + o) for o, n in zip(corner, shape, strict=True))].ravel()
        for corner in corners[len(shape)]
    ]
    return [(kind, np.stack(columns, axis=1))]


EXPORTS = {".nc": _netcdf, ".vti": _vti, ".vtu": _vtu}
