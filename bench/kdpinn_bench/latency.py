"""Time per call of every engine at several numbers of points."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdpinn_bench import peak
from kdpinn_bench.engine import Engine, Prepared, one_thread
from kdpinn_bench.engines import default_engines
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.peak import Share
from kdpinn_bench.timing import Call, Ratio, Samples, Schedule, interleaved, noise, one_core, ratio
from kdpinn_bench.truth import Points, Truth, truth
from kdpinn_runtime.format import ModelFile

POINT_COUNTS = (1, 100, 10_000, 65_536)


@dataclass(frozen=True, kw_only=True, eq=False)
class Cell:
    """One engine at one number of points.

    error: largest |difference| from float64, in the output's unit; samples is None where the
    output was wrong or the engine failed, and `note` says so. slowdown: time relative to the first
    engine of the table. share: of the measured multiply-add peak of the instruction set `isa`, the
    engine's own or, where that is unknown, the first engine's.
    """

    engine: str
    points: int
    error: float
    note: str
    samples: Samples | None
    slowdown: Ratio | None = None
    share: Share | None = None
    isa: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON, raw samples included."""
        entry: dict[str, Any] = {"engine": self.engine, "points": self.points, "note": self.note}
        entry["max_error"] = self.error if np.isfinite(self.error) else None
        if self.samples is not None:
            entry |= self.samples.summary().to_dict()
            entry["samples_s"] = self.samples.seconds.tolist()
        if self.slowdown is not None:
            entry["slowdown"] = vars(self.slowdown)
        if self.share is not None:
            entry |= {"share_of_peak": vars(self.share), "isa": self.isa}
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


def measure(
    model: ModelFile,
    *,
    points: Sequence[int] = POINT_COUNTS,
    engines: Sequence[Engine] | None = None,
    schedule: Schedule | None = None,
    name: str = "",
    derivatives: bool = False,
    pinned: bool = True,
) -> Latency:
    """Time the engines on this model, float32, one thread pinned to one core, warm caches.

    Every engine's output is compared with the model in float64 first; one that leaves the
    rounding bound, or fails, is not timed, and its cell says why. The inputs are drawn anew,
    uniformly in the domain, before every round. The first engine is also the A/A control, and
    bursts of multiply-adds run in the same rounds.

    Args:
        derivatives: the engines compute them too, see `Truth`.
        pinned: False leaves the thread where the system puts it, for engines with several.
    """
    engines = default_engines() if engines is None else engines
    schedule = schedule or Schedule()
    cells: list[Cell] = []
    noises: dict[int, float] = {}
    with one_core() if pinned else nullcontext() as core, one_thread():
        for count in points:
            row, noises[count] = _Row(model, count, derivatives).measure(engines, schedule)
            cells += row
    machine = fingerprint() | {"pinned_to_core": core, "threads": 1}
    what = ("derivatives",) if derivatives else ()
    return Latency(
        scenario="/".join([scenario(model, name), *what]),
        cells=tuple(cells),
        noise=noises,
        machine=machine,
    )


def scenario(model: ModelFile, name: str = "") -> str:
    """burgers/2-20x3-1/f32/1thread/warm."""
    widths = [len(model.inputs), *(len(layer.bias) for layer in model.layers)]
    hidden = widths[1:-1]
    middle = f"{hidden[0]}x{len(hidden)}" if len(set(hidden)) == 1 else "-".join(map(str, hidden))
    shape = f"{widths[0]}-{middle}-{widths[-1]}" if hidden else f"{widths[0]}-{widths[-1]}"
    return f"{name or model.card.get('problem', 'model')}/{shape}/f32/1thread/warm"


class _Row:
    """All engines at one number of points."""

    def __init__(self, model: ModelFile, count: int, derivatives: bool) -> None:
        self.model, self.count, self.derivatives = model, count, derivatives
        self.lower, upper = np.array(list(model.domain.values()), np.float32).T
        self.width = upper - self.lower
        self.x: Points = np.empty((count, len(self.lower)), np.float32)

    def measure(self, engines: Sequence[Engine], schedule: Schedule) -> tuple[list[Cell], float]:
        """The cells, and the noise."""
        generator = np.random.default_rng(schedule.seed)

        def draw() -> None:
            self.x[:] = self.lower + generator.random(self.x.shape, np.float32) * self.width

        draw()
        expected = truth(self.model, self.x, derivatives=self.derivatives)
        checked = {e.name: _checked(e, self.model, self.x, expected) for e in engines}
        ready = {name: p for name, (p, _, _) in checked.items() if p is not None}
        if not ready:
            return [self._cell(n, parts, "", {}, "") for n, parts in checked.items()], float("nan")
        first = next(iter(ready))
        bursts = _bursts(ready)
        samples = interleaved(
            {name: p.call for name, p in ready.items()} | bursts,
            schedule,
            control=first,
            before_round=draw,
        )
        isa = ready[first].isa
        cells = [self._cell(n, parts, first, samples, isa) for n, parts in checked.items()]
        return cells, noise(samples, first)

    def _cell(
        self,
        engine: str,
        parts: tuple[Prepared | None, float, str],
        first: str,
        samples: Mapping[str, Samples],
        first_isa: str,
    ) -> Cell:
        prepared, error, note = parts
        cell = Cell(engine=engine, points=self.count, error=error, note=note, samples=None)
        if prepared is None:
            return cell
        own, isa = samples[engine], prepared.isa or first_isa
        share, burst = None, samples.get(peak.PREFIX + isa)
        if burst is not None:
            work = peak.operations(self.model, self.count, derivatives=self.derivatives)
            share = peak.share(work, isa, burst, own)
        slowdown = ratio(own, samples[first])
        return replace(cell, samples=own, slowdown=slowdown, share=share, isa=isa)


def _bursts(ready: Mapping[str, Prepared]) -> dict[str, Call]:
    found: dict[str, Call] = {}
    for isa in dict.fromkeys(p.isa for p in ready.values() if p.isa):
        call = peak.burst(isa)
        if call is not None:
            found[peak.PREFIX + isa] = call
    return found


def _checked(
    engine: Engine, model: ModelFile, x: Points, expected: Truth
) -> tuple[Prepared | None, float, str]:
    """The prepared engine if its output is right; the error; a note."""
    try:
        prepared = engine.prepare(model, x)
        error, part = expected.error_of(prepared.output())
    except (RuntimeError, ValueError) as failure:
        return None, float("nan"), f"failed: {str(failure).splitlines()[0]}"
    if not part <= 1.0:
        return None, error, f"wrong: {error:.1e} from float64 is {part:.1f} times the bound"
    return prepared, error, prepared.note
