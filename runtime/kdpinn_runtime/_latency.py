"""Latency of single calls on this device: quantiles, not averages."""

from __future__ import annotations

import gc
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from ._evaluator import Evaluator, domain_points

MAX_CALLS = 20_000
"""Enough for p99.9 to rest on the 20 slowest calls."""
BUDGET_S = 3.0
_WARM_UP_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Times of `count` calls with `points` points each, one thread, in milliseconds."""

    points: int
    count: int
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float

    def to_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


def quantile(times: NDArray[np.int64], q: float) -> float:
    """The smallest of `times` (sorted, any unit) that at least a share q of them does not exceed.

    The nearest rank, without interpolation: with fewer than 1 / (1 - q) times it is the largest,
    so that too few calls never look faster than they were.
    """
    rank = min(max(math.ceil(q * len(times) * (1 - 1e-12)), 1), len(times))
    return float(times[rank - 1])


def call_times(
    call: Callable[[], object],
    *,
    calls: int = MAX_CALLS,
    budget_s: float = BUDGET_S,
    before: Callable[[], object] | None = None,
) -> NDArray[np.int64]:
    """Sorted times of single calls, in ns: `calls` of them, or as many as end within the budget.

    At least one. The garbage collector rests meanwhile; what the operating system does in
    between counts, as it does in use. `before` runs before each call, off the clock.
    """
    clock = time.perf_counter_ns
    warm = clock() + int(min(_WARM_UP_S, budget_s / 10) * 1e9)
    call()
    while clock() < warm:
        call()
    times: list[int] = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        deadline = clock() + int(budget_s * 1e9)
        while len(times) < calls:
            if before is not None:
                before()
            start = clock()
            call()
            stop = clock()
            times.append(stop - start)
            if stop > deadline:
                break
    finally:
        if collecting:
            gc.enable()
    return np.sort(np.array(times, dtype=np.int64))


def model_times(
    model: Evaluator,
    points: int,
    *,
    calls: int = MAX_CALLS,
    budget_s: float = BUDGET_S,
    before: Callable[[], object] | None = None,
) -> NDArray[np.int64]:
    """Sorted times, in ns, of `model.bind` calls with `points` random points of the domain.

    In the arithmetic of the stored weights, on one thread.
    """
    x = domain_points(model.file, points)
    out = np.empty((points, len(model.file.outputs)), dtype=model.file.dtype)
    return call_times(model.bind(x, out), calls=calls, budget_s=budget_s, before=before)


@contextmanager
def one_core() -> Iterator[int | None]:
    """Keep the calling thread, and threads that it starts, on one core; yields the core.

    The last permitted core is taken: the first one also serves most interrupts. Yields None where
    the system cannot pin (macOS, Windows).
    """
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    before = os.sched_getaffinity(0)
    core = max(before)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


def summary(points: int, times: NDArray[np.int64]) -> Timing:
    """The quantiles of sorted `times` in ns."""
    return Timing(
        points=points,
        count=len(times),
        p50_ms=quantile(times, 0.5) / 1e6,
        p99_ms=quantile(times, 0.99) / 1e6,
        p999_ms=quantile(times, 0.999) / 1e6,
        max_ms=float(times[-1]) / 1e6,
    )
