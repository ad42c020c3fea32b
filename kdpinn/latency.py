"""A latency table of the benchmarks as a run keeps it and the report reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kdpinn.metrics import finite


class CellLike(Protocol):
    """One engine at one number of points; samples is None where it was not timed."""

    @property
    def engine(self) -> str:
        """Name."""

    @property
    def error(self) -> float:
        """Largest difference from float64."""

    @property
    def note(self) -> str:
        """Settings, or why it was not timed."""

    @property
    def samples(self) -> object | None:
        """The raw times."""


class TableLike(Protocol):
    """`kdpinn_bench.Latency`, which this package must not import."""

    @property
    def cells(self) -> Sequence[CellLike]:
        """Engine by engine, ours first."""

    @property
    def noise(self) -> Mapping[int, float]:
        """Points -> relative difference that says nothing."""

    @property
    def machine(self) -> Mapping[str, Any]:
        """What it was measured on."""

    def median_ms(self) -> dict[str, dict[str, float]]:
        """Engine -> points -> ms."""

    def p99_ms(self) -> dict[str, dict[str, float]]:
        """Engine -> points -> ms."""


def kept(table: TableLike) -> dict[str, Any]:
    """For JSON: "engines" (a row per engine: median_ms and p99_ms by number of points as text,
    max_error, note), "note", "noise", "machine".
    """
    found: dict[str, Any] = finite(
        {
            "engines": _rows(table),
            "note": _note(table),
            "noise": {str(n): value for n, value in table.noise.items()},
            "machine": {k: v for k, v in table.machine.items() if k != "versions"},
        }
    )
    return found


def _rows(table: TableLike) -> list[dict[str, Any]]:
    median, p99 = table.median_ms(), table.p99_ms()
    rows = []
    for engine in dict.fromkeys(cell.engine for cell in table.cells):
        cells = [cell for cell in table.cells if cell.engine == engine]
        errors = [cell.error for cell in cells if cell.samples is not None]
        notes = [cell.note for cell in cells if cell.samples is None] or [cells[-1].note]
        rows.append(
            {
                "engine": engine,
                "median_ms": median.get(engine, {}),
                "p99_ms": p99.get(engine, {}),
                "max_error": max(errors, default=None),
                "note": notes[0],
            }
        )
    return rows


def _note(table: TableLike) -> str:
    reach = ", ".join(
        f"{100 * value:.1f} % at {n:,}".replace(",", "\u202f") for n, value in table.noise.items()
    )
    return f"The same engine measured twice differs by up to {reach} points: less says nothing."
