"""Latency of a model file on this machine, as a run's stage and as the command `kdpinn bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kdpinn.metrics import POINT_COUNTS, finite
from kdpinn_bench import Latency, Schedule, default_engines
from kdpinn_bench import measure as timed
from kdpinn_runtime import read


def measure(path: Path, seconds: float, *, compile_too: bool = False) -> dict[str, Any]:
    """Time every engine that is installed, ours first.

    Args:
        path: the model file.
        seconds: longest time for each number of points, without preparation.
        compile_too: whether torch.compile takes part; it compiles for half a minute.
    Returns:
        For JSON: "engines" (a row per engine: median_ms and p99_ms by number of points as text,
        max_error, note), "note", "noise", "machine".
    """
    table = timed(
        read(path),
        points=POINT_COUNTS,
        engines=default_engines(compile_too),
        schedule=Schedule(budget_s=seconds),
    )
    found: dict[str, Any] = finite(
        {
            "engines": _rows(table),
            "note": _note(table),
            "noise": {str(n): value for n, value in table.noise.items()},
            "machine": {k: v for k, v in table.machine.items() if k != "versions"},
        }
    )
    return found


def _rows(table: Latency) -> list[dict[str, Any]]:
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


def _note(table: Latency) -> str:
    reach = ", ".join(
        f"{100 * value:.1f} % at {n:,}".replace(",", "\u202f") for n, value in table.noise.items()
    )
    return f"The same engine measured twice differs by up to {reach} points: less says nothing."
