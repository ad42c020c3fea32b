"""Which students no other beats in everything, and what they look like in a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.table import Table

Row = dict[str, Any]
OBJECTIVES = ("error", "latency_us", "bytes")


def pareto(rows: Sequence[Row]) -> list[Row]:
    """Rows that no other row dominates, by ascending error; equal ones all stay.

    A row dominates another if none of its objectives is larger and one is smaller.
    """

    def values(row: Row) -> tuple[float, ...]:
        return tuple(float(row[name]) for name in OBJECTIVES)

    def dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    kept = [r for r in rows if not any(dominates(values(o), values(r)) for o in rows)]
    return sorted(kept, key=values)


def table(rows: Sequence[Row], title: str) -> Table:
    """The rows for a terminal."""
    out = Table(
        "trial", "hidden", "parameters", "rel L2", "latency", "bytes", box=None, title=title
    )
    for row in rows:
        hidden = "-".join([str(row["width"])] * row["depth"])
        out.add_row(
            str(row["trial"]),
            hidden,
            str(row["parameters"]),
            f"{row['error']:.3g}",
            f"{row['latency_us']:.2f} us",
            str(row["bytes"]),
        )
    return out
