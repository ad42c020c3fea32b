"""Seconds per training step, answers compared first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from kdpinn.optimizers import SSBroyden
from kdpinn_bench.timing import Ratio, Samples, Schedule, interleaved, noise, one_core, ratio
from kdpinn_bench.training.cases import Case
from kdpinn_bench.training.contestant import ELSEWHERE, Contestant, Prepared, Setting
from kdpinn_bench.training.ours import Native, TorchJets
from kdpinn_bench.training.peers import DeepXDE, Pina

CONTESTANTS: tuple[Contestant, ...] = (
    Native(),
    Native(among=torch.float32),
    Native(SSBroyden()),
    TorchJets(),
    DeepXDE(),
    Pina(),
)
ROUNDINGS = 1000
"""Loss and gradient may differ from ours by this many roundings, relative to their size: they are
sums over 10,000 points in different orders."""


@dataclass(frozen=True, eq=False)
class Row:
    """One contestant: its time per step, and relative to the first one; or why there is none.

    loss, gradient: relative differences from the reference.
    """

    name: str
    note: str = ""
    loss: float = 0.0
    gradient: float = 0.0
    samples: Samples | None = None
    slowdown: Ratio | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        if self.samples is None or self.slowdown is None:
            return {"name": self.name, "note": self.note}
        return {
            "name": self.name,
            "loss_difference": self.loss,
            "gradient_difference": self.gradient,
            **self.samples.summary().to_dict(),
            "samples_s": self.samples.seconds.tolist(),
            "slowdown": vars(self.slowdown),
        }


@dataclass(frozen=True, eq=False)
class Measured:
    """A case in one setting; noise: relative difference below which it says nothing."""

    case: Case
    setting: Setting
    rows: tuple[Row, ...]
    noise: float

    @property
    def name(self) -> str:
        """burgers/2-50x4-1/10000/float64/cpu/1thread."""
        return f"{self.case.name}/{self.setting.name}/1thread"

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        rows = [row.to_dict() for row in self.rows]
        return {"scenario": self.name, "noise": self.noise, "rows": rows}


def measure(
    case: Case,
    setting: Setting,
    contestants: Sequence[Contestant] = CONTESTANTS,
    schedule: Schedule | None = None,
) -> Measured:
    """Steps of all contestants in shuffled rounds, on one thread of one core, in processor time.

    The first one that takes part is listed twice, as the control, and all others are told
    relative to it. One whose loss or gradient is wrong is not timed.
    """
    schedule = schedule or Schedule(rounds=40, min_rounds=8, budget_s=30)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with one_core():
            return _measured(case, setting, contestants, schedule)
    finally:
        torch.set_num_threads(before)


def _measured(
    case: Case, setting: Setting, contestants: Sequence[Contestant], schedule: Schedule
) -> Measured:
    rows: dict[str, Row] = {}
    calls: dict[str, Callable[[], object]] = {}
    wanted = TorchJets().prepare(case, Setting()).gradient()
    for one in contestants:
        note = one.missing(setting)
        if note:
            if note != ELSEWHERE:
                rows[one.name] = Row(one.name, note)
            continue
        prepared = one.prepare(case, setting)
        rows[one.name] = _compared(one.name, prepared, wanted, torch.finfo(setting.dtype).eps)
        if not rows[one.name].note:
            calls[one.name] = prepared.step
    first = next(iter(calls))
    # One thread that only computes: its processor time is its wall time, less what others take.
    clock = time.process_time if setting.device == "cpu" else time.perf_counter
    samples = interleaved(calls, schedule, control=first, clock=clock)
    timed = [
        row
        if row.name not in calls
        else Row(
            row.name,
            "",
            row.loss,
            row.gradient,
            samples[row.name],
            ratio(samples[row.name], samples[first]),
        )
        for row in rows.values()
    ]
    return Measured(case, setting, tuple(timed), noise(samples, first))


def _compared(name: str, prepared: Prepared, wanted: tuple[float, torch.Tensor], eps: float) -> Row:
    value, gradient = prepared.gradient()
    loss = abs(value - wanted[0]) / abs(wanted[0])
    slope = float((gradient - wanted[1]).norm() / wanted[1].norm())
    wrong = not max(loss, slope) <= ROUNDINGS * eps
    note = f"wrong: loss differs by {loss:.1e}, gradient by {slope:.1e}" if wrong else ""
    return Row(name, note, loss, slope)
