"""Tables of samples from .csv and .npz files: named columns of numbers, nothing executed."""

from __future__ import annotations

import csv
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from kdpinn.geometry import FloatArray

Columns = dict[str, FloatArray]
DELIMITERS = (",", ";", "\t")
SHOWN = 3
"""Bad rows that a message names."""


def read_columns(path: Path) -> Columns:
    """Every column of the table, (n,) float64, by name.

    Raises:
        ValueError: naming the file and the cell, row or array that cannot be used.
        OSError: it cannot be read.
    """
    columns = _npz(path) if path.suffix == ".npz" else _csv(path)
    if not columns or not len(next(iter(columns.values()))):
        raise ValueError(f"{path} holds no samples.")
    return columns


def chosen(path: Path, columns: Columns, names: tuple[str, ...], what: str) -> FloatArray:
    """The named columns side by side, (n, names).

    Raises:
        ValueError: a column is missing, or holds numbers that are not finite.
    """
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(
            f"{path} has no column {', '.join(map(repr, missing))} for the {what}; it has "
            f"{', '.join(columns)}. Rename the columns, or say --domain and --fields."
        )
    table = np.stack([columns[name] for name in names], axis=1)
    for name, column in zip(names, table.T, strict=True):
        bad = np.flatnonzero(~np.isfinite(column))
        if bad.size:
            raise ValueError(
                f"{path}: column '{name}' is not finite in {bad.size} of {len(column)} rows, "
                f"{_rows(bad)}: leave these rows out of the file."
            )
        if column.min() == column.max():
            raise ValueError(
                f"{path}: column '{name}' is {column[0]:g} in all {len(column)} rows: nothing can "
                f"be learnt of it; leave it out of the {what}."
            )
    return table


def _csv(path: Path) -> Columns:
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        delimiter = max(DELIMITERS, key=first.count)
        names = [
            name.strip() for name in next(csv.reader([first.lstrip("# ")], delimiter=delimiter))
        ]
        _check_header(path, names)
        rows = [
            _numbers(path, names, number, row)
            for number, row in enumerate(csv.reader(file, delimiter=delimiter), start=2)
            if any(cell.strip() for cell in row)
        ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(names))
    return {name: table[:, i].copy() for i, name in enumerate(names)}


def _check_header(path: Path, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not all(names):
        raise ValueError(
            f"{path}: the first line names each column once, got {', '.join(map(repr, names))}."
        )
    if any(_is_number(name) for name in names):
        raise ValueError(
            f"{path}: the first line must name the columns, e.g. 'x,t,u'; it holds numbers: "
            f"{', '.join(names[:6])}."
        )


def _numbers(path: Path, names: list[str], line: int, row: list[str]) -> list[float]:
    if len(row) != len(names):
        raise ValueError(f"{path}, line {line}: expected {len(names)} cells, got {len(row)}.")
    for name, cell in zip(names, row, strict=True):
        if cell.strip() and not _is_number(cell):
            raise ValueError(f"{path}, line {line}, column '{name}': {cell!r} is no number.")
    return [float(cell) if cell.strip() else np.nan for cell in row]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _npz(path: Path) -> Columns:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in file.files}
    except (BadZipFile, ValueError, EOFError, AttributeError) as error:
        raise ValueError(
            f"{path} is no .npz file of plain arrays ({error}). Write it with "
            "numpy.savez(path, x=..., t=..., u=...)."
        ) from error
    lengths = {array.shape for array in arrays.values()}
    if any(array.ndim != 1 or array.dtype.kind not in "fiu" for array in arrays.values()) or (
        len(lengths) > 1
    ):
        found = ", ".join(f"{k} {v.dtype} {v.shape}" for k, v in arrays.items())
        raise ValueError(
            f"{path}: expected one array of numbers (n,) for each coordinate and field, all of "
            f"one length, got {found}."
        )
    return {name: array.astype(np.float64) for name, array in arrays.items()}


def _rows(bad: NDArray[np.intp]) -> str:
    listed = ", ".join(str(int(row) + 1) for row in bad[:SHOWN])
    return f"numbers {listed}" + (", ..." if bad.size > SHOWN else "")
