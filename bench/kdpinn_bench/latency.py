"""Time per call of every engine at several numbers of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdpinn_bench.engine import Engine, Points, Prepared, largest_error, one_thread
from kdpinn_bench.engines import default_engines
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.timing import Call, Ratio, Samples, Schedule, interleaved, noise, one_core, ratio
from kdpinn_runtime.format import ModelFile

POINT_COUNTS = (1, 100, 10_000, 65_536)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One engine at one number of points.

    error: largest |difference| from float64, in the output's unit; samples is None where the
    output was wrong or the engine failed, and `note` says so. slowdown: time relative to the first
    engine of the table.
    """

    engine: str
    points: int
    error: float
    note: str
    samples: Samples | None
    slowdown: Ratio | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON, raw samples included."""
        entry: dict[str, Any] = {"engine": self.engine, "points": self.points, "note": self.note}
        entry["max_error"] = self.error if np.isfinite(self.error) else None
        if self.samples is not None:
            entry |= self.samples.summary().to_dict()
            entry["samples_s"] = self.samples.seconds.tolist()
        if self.slowdown is not None:
            entry["slowdown"] = vars(self.slowdown)
        return entry


@dataclass(frozen=True, kw_only=True, eq=False)
class Latency:
    """The table of one model.

    noise: points -> relative difference below which the run says nothing (A/A control).
    """

    scenario: str
    cells: tuple[Cell, ...]
    noise: Mapping[int, float]
    machine: Mapping[str, Any]

    def median_ms(self) -> dict[str, dict[str, float]]:
        """{engine: {"1": ms, "100": ms, ...}}, timed cells only."""
        return self._by_engine(lambda samples: samples.summary().median)

    def p99_ms(self) -> dict[str, dict[str, float]]:
        """The same for the 99th percentile of the rounds."""
        return self._by_engine(lambda samples: samples.summary().p99)

    def _by_engine(self, statistic: Callable[[Samples], float]) -> dict[str, dict[str, float]]:
        table: dict[str, dict[str, float]] = {}
        for cell in self.cells:
            if cell.samples is not None:
                row = table.setdefault(cell.engine, {})
                row[str(cell.points)] = 1e3 * statistic(cell.samples)
        return table

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "scenario": self.scenario,
            "machine": dict(self.machine),
            "noise": {str(n): v if np.isfinite(v) else None for n, v in self.noise.items()},
            "cells": [cell.to_dict() for cell in self.cells],
        }

    def text(self) -> str:
        """A table for a terminal: median, slowdown with its interval, error, note."""
        lines = [self.scenario]
        for cell in self.cells:
            head = f"{cell.engine:16s} {cell.points:7d}"
            if cell.samples is None:
                lines.append(f"{head}  not timed: {cell.note}")
                continue
            summary, r = cell.samples.summary(), cell.slowdown
            times = "" if r is None else f"{r.median:7.2f}x [{r.low:.2f}, {r.high:.2f}]"
            lines.append(
                f"{head} {1e6 * summary.median:12.3f} us +-{1e6 * summary.mad:9.3f} {times:24s} "
                f"error {cell.error:.1e}  {cell.note}"
            )
        reach = ", ".join(f"{n}: {100 * value:.1f} %" for n, value in self.noise.items())
        return "\n".join([*lines, f"A/A control differs by up to {reach}"])


def measure(
    model: ModelFile,
    *,
    points: Sequence[int] = POINT_COUNTS,
    engines: Sequence[Engine] | None = None,
    schedule: Schedule | None = None,
    name: str = "",
) -> Latency:
    """Time the engines on this model, float32, one thread pinned to one core, warm caches.

    Every engine's output is compared with the model in float64 first; one that leaves the
    rounding bound, or fails, is not timed, and its cell says why. The inputs are drawn anew,
    uniformly in the domain, before every round. The first engine is also the A/A control.
    """
    engines = default_engines() if engines is None else engines
    cells: list[Cell] = []
    noises: dict[int, float] = {}
    with one_core() as core, one_thread():
        for count in points:
            row, noises[count] = _measure_at(model, count, engines, schedule or Schedule())
            cells += row
    machine = fingerprint() | {"pinned_to_core": core, "threads": 1}
    return Latency(
        scenario=scenario(model, name), cells=tuple(cells), noise=noises, machine=machine
    )


def scenario(model: ModelFile, name: str = "") -> str:
    """burgers/2-20x3-1/f32/1thread/warm."""
    widths = [len(model.inputs), *(len(layer.bias) for layer in model.layers)]
    hidden = widths[1:-1]
    middle = f"{hidden[0]}x{len(hidden)}" if len(set(hidden)) == 1 else "-".join(map(str, hidden))
    shape = f"{widths[0]}-{middle}-{widths[-1]}" if hidden else f"{widths[0]}-{widths[-1]}"
    return f"{name or model.card.get('problem', 'model')}/{shape}/f32/1thread/warm"


def _measure_at(
    model: ModelFile, count: int, engines: Sequence[Engine], schedule: Schedule
) -> tuple[list[Cell], float]:
    lower, upper = np.array(list(model.domain.values()), np.float32).T
    x = np.empty((count, len(lower)), np.float32)
    generator = np.random.default_rng(schedule.seed)

    def draw() -> None:
        x[:] = lower + generator.random(x.shape, np.float32) * (upper - lower)

    draw()
    checked = {engine.name: _checked(engine, model, x) for engine in engines}
    calls: dict[str, Call] = {name: p.call for name, (p, _, _) in checked.items() if p is not None}
    if not calls:
        return [_cell(name, count, *parts) for name, parts in checked.items()], float("nan")
    first = next(iter(calls))
    samples = interleaved(calls, schedule, control=first, before_round=draw)
    row = [_cell(n, count, *parts, samples=samples, first=first) for n, parts in checked.items()]
    return row, noise(samples, first)


def _checked(engine: Engine, model: ModelFile, x: Points) -> tuple[Prepared | None, float, str]:
    """The prepared engine if its output is right; the error; a note."""
    try:
        prepared = engine.prepare(model, x)
        error, part = largest_error(model, x, prepared.output())
    except (RuntimeError, ValueError) as failure:
        return None, float("nan"), f"failed: {str(failure).splitlines()[0]}"
    if not part <= 1.0:
        return None, error, f"wrong: {error:.1e} from float64 is {part:.1f} times the bound"
    return prepared, error, prepared.note


def _cell(
    engine: str,
    points: int,
    prepared: Prepared | None,
    error: float,
    note: str,
    *,
    samples: Mapping[str, Samples] | None = None,
    first: str = "",
) -> Cell:
    own = samples[engine] if samples is not None and prepared is not None else None
    slowdown = ratio(own, samples[first]) if own is not None and samples is not None else None
    return Cell(
        engine=engine, points=points, error=error, note=note, samples=own, slowdown=slowdown
    )
