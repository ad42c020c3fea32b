"""Fair timing: candidates interleaved in shuffled rounds, with one of them listed twice."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime.latency import one_core as one_core

Array = NDArray[np.float64]
Call = Callable[[], object]

CONTROL = "control: "
"""Prefix of the name under which a candidate runs a second time."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long to measure.

    rounds: at most; budget_s: no round starts later than this, s, but `min_rounds` always run;
    min_batch_s: calls are repeated until one sample lasts this long, so that the clock's own
    share (about 50 ns) is negligible; seed: of the shuffle.
    """

    rounds: int = 100
    min_rounds: int = 10
    budget_s: float = 5.0
    min_batch_s: float = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.min_rounds <= self.rounds:
            raise ValueError(
                f"`Schedule` needs 1 <= min_rounds <= rounds, got {self.min_rounds}, {self.rounds}"
            )
        if self.min_batch_s <= 0 or self.budget_s < 0:
            raise ValueError(
                "`Schedule` needs min_batch_s > 0 and budget_s >= 0, got "
                f"{self.min_batch_s}, {self.budget_s}"
            )


@dataclass(frozen=True)
class Summary:
    """Statistics over the rounds, in s per call; a round's sample is the mean of one batch.

    mad: median absolute deviation from the median, not scaled. p99 is that of the rounds, and of
    single calls only where `calls` is 1.
    """

    median: float
    mad: float
    minimum: float
    p99: float
    count: int
    calls: int

    def to_dict(self) -> dict[str, Any]:
        """For JSON; keys end in their unit."""
        return {
            "median_s": self.median,
            "mad_s": self.mad,
            "min_s": self.minimum,
            "p99_s": self.p99,
            "rounds": self.count,
            "calls_per_round": self.calls,
        }


@dataclass(frozen=True, eq=False)
class Samples:
    """seconds (rounds,): mean time of one call in each round; calls: calls in a round."""

    seconds: Array
    calls: int

    def summary(self) -> Summary:
        """Median, MAD, minimum, 99th percentile, counts."""
        median = float(np.median(self.seconds))
        return Summary(
            median=median,
            mad=float(np.median(np.abs(self.seconds - median))),
            minimum=float(self.seconds.min()),
            p99=float(np.quantile(self.seconds, 0.99)),
            count=len(self.seconds),
            calls=self.calls,
        )


@dataclass(frozen=True)
class Ratio:
    """Median of a per-round ratio, and a 95 % confidence interval of that median."""

    median: float
    low: float
    high: float


def interleaved(
    candidates: Mapping[str, Call],
    schedule: Schedule | None = None,
    *,
    control: str | None = None,
    before_round: Call | None = None,
    clock: Callable[[], float] | None = None,
) -> dict[str, Samples]:
    """Time the candidates; every round runs each of them once, in a new order.

    control: name of the candidate that also runs under CONTROL + name, the A/A control.
    before_round: called off the clock before each round, e.g. to change the inputs.
    clock: in s, the wall's if None; `time.process_time` for pure computing on a shared machine.
    Garbage collection is off while the clock runs. Raises ValueError without candidates or for
    an unknown control.
    """
    schedule, clock = schedule or Schedule(), clock or time.perf_counter
    everyone = _with_control(candidates, control)
    calls = {name: _batch_size(fn, schedule.min_batch_s, clock) for name, fn in everyone.items()}
    if control is not None:  # both must repeat alike, or the control compares two things
        calls[CONTROL + control] = calls[control]
    seconds: dict[str, list[float]] = {name: [] for name in everyone}
    order, shuffle = list(everyone), random.Random(schedule.seed)
    end = time.perf_counter() + schedule.budget_s
    with _no_collection():
        for number in range(schedule.rounds):
            if number >= schedule.min_rounds and time.perf_counter() > end:
                break
            if before_round is not None:
                before_round()
            shuffle.shuffle(order)
            for name in order:
                seconds[name].append(_timed(everyone[name], calls[name], clock) / calls[name])
    return {name: Samples(np.array(seconds[name]), calls[name]) for name in everyone}


def ratio(slow: Samples, fast: Samples) -> Ratio:
    """slow / fast, paired by round, so that drifts of the clock rate cancel.

    The interval is free of assumptions about the distribution: order statistics of the ratios,
    ranks n/2 -+ 0.98 sqrt(n) (Conover, Practical Nonparametric Statistics, 1999, section 3.2).
    """
    ratios = np.sort(slow.seconds / fast.seconds)
    n = len(ratios)
    spread = 0.98 * np.sqrt(n)
    low, high = max(0, int(np.floor(n / 2 - spread))), min(n - 1, int(np.ceil(n / 2 + spread)))
    return Ratio(float(np.median(ratios)), float(ratios[low]), float(ratios[high]))


def noise(samples: Mapping[str, Samples], control: str) -> float:
    """Relative difference below which this run says nothing: the A/A interval's reach from 1."""
    twice = ratio(samples[CONTROL + control], samples[control])
    return max(abs(twice.low - 1.0), abs(twice.high - 1.0))


def _with_control(candidates: Mapping[str, Call], control: str | None) -> dict[str, Call]:
    if not candidates:
        raise ValueError("`interleaved` needs at least one candidate, got none")
    if control is None:
        return dict(candidates)
    if control not in candidates:
        raise ValueError(
            f"the control {control!r} is no candidate; candidates: {', '.join(candidates)}"
        )
    return {**candidates, CONTROL + control: candidates[control]}


def _batch_size(call: Call, min_batch_s: float, clock: Callable[[], float]) -> int:
    """Power of two whose batch lasts at least `min_batch_s`; warms the candidate up."""
    call()
    calls = 1
    while _timed(call, calls, clock) < min_batch_s:
        calls *= 2
    return calls


def _timed(call: Call, calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        call()
    return clock() - start


@contextmanager
def _no_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
