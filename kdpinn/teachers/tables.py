"""Tables of samples, joined and split: what they teach, and by which samples they judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.teachers.boxes import box_of
from kdpinn.teachers.reading import chosen, read_columns
from kdpinn.teachers.source import Source
from kdpinn.teachers.table import Table

Rows = tuple[FloatArray, FloatArray, FloatArray]
"""Points (n, d), values (n, m) and weights (n,) of one table."""


def table_of(
    sources: Sequence[Source],
    box: Box | None,
    fields: tuple[str, ...],
    problem_domain: Box | None = None,
) -> tuple[Table, Box]:
    """All tables as one teacher, and its domain.

    Args:
        box: the coordinates, without the parameters that the sources name; None: all columns but
            the fields, and the domain is the box of the samples.
        fields: columns; () for all that are no coordinates.
        problem_domain: the domain to take, if the user stated a problem.
    Raises:
        ValueError, OSError: see `reading`, `Table.of`.
    """
    names, outputs, rows = _rows(sources, box, fields)
    points, values, weights = (np.concatenate(part) for part in zip(*rows, strict=True))
    domain = problem_domain or _box(names, points, box)
    order = [names.index(name) for name in domain.names]
    return Table.of(domain, outputs, points[:, order], values, weights), domain


def _box(names: tuple[str, ...], points: FloatArray, box: Box | None) -> Box:
    """The given bounds; those of the samples where none are given."""
    bounds = {} if box is None else {name: box.bounds(name) for name in box.names}
    for name, column in zip(names, points.T, strict=True):
        bounds.setdefault(name, (float(column.min()), float(column.max())))
    return box_of(bounds)


def _rows(
    sources: Sequence[Source], box: Box | None, fields: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], list[tuple[FloatArray, FloatArray, FloatArray]]]:
    """Names of coordinates and fields, and (points, values, weights) of each table."""
    extra = tuple(sources[0].at)
    found = []
    for source in sources:
        if source.region:
            raise ValueError(f"Teacher {source.name}: samples are where they are, without a part.")
        columns = read_columns(source.path)
        if box is None and not fields:
            raise ValueError(
                f"{source.path} has the columns {', '.join(columns)}: say which are the fields, "
                '--fields u, or which are the coordinates, --domain "x=-1:1,t=0:1".'
            )
        if box is None:
            taken = tuple(n for n in columns if n not in fields)
        else:
            taken = box.names
            fields = fields or tuple(n for n in columns if n not in (*taken, *extra))
        points = chosen(source.path, columns, taken, "coordinates")
        values = chosen(source.path, columns, fields, "fields")
        constants = np.full((len(points), len(extra)), list(source.at.values()))
        weights = np.full(len(points), source.weight)
        found.append((taken, (np.hstack([points, constants]), values, weights)))
    names = {taken for taken, _ in found}
    if len(names) > 1 or not fields or not found[0][0]:
        raise ValueError(
            "The tables must have the same coordinates and at least one field, got the "
            f"coordinates {'; '.join(', '.join(n) for n in names)} and the fields "
            f"{', '.join(fields) or 'none'}."
        )
    return (*found[0][0], *extra), fields, [rows for _, rows in found]
