"""Single calls against their budget: warm or cold caches, alone or beside a busy process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import kdpinn_runtime
from kdpinn_runtime.format import ModelFile, Target, pack
from kdpinn_runtime.latency import (
    Company,
    Timing,
    call_times,
    company,
    flusher,
    one_core,
    quantile,
    summary,
)

CONDITIONS: tuple[tuple[str, Company], ...] = (
    ("warm", "quiet"),
    ("cold", "quiet"),
    ("warm", "neighbor"),
    ("cold", "neighbor"),
    ("warm", "shared core"),
)
"""State of the caches, and who else runs."""
_KEPT = np.array([0, 1, 5, 10, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 100]) / 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """Bound calls of our runtime in float32; misses: how many took longer than limit_ms.

    curve: (share of the calls, ms that they did not exceed), from the fastest to the slowest.
    """

    net: str
    caches: str
    company: Company
    timing: Timing
    limit_ms: float
    misses: int
    curve: tuple[tuple[float, float], ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**vars(self), "timing": self.timing.to_dict()}


def conditions(model: ModelFile, net: str, budget_s: float) -> Iterator[Condition]:
    """Every latency target of the model under every condition that this machine can make.

    budget_s: longest time for each of them. A cold call comes after emptying the caches, which
    takes far longer than itself: there are few of them, and high quantiles are then the maximum.
    """
    loaded = kdpinn_runtime.load(pack(model), outside="count")
    generator = np.random.default_rng(0)
    lower, upper = np.array(list(model.domain.values()), np.float32).T
    for target in model.targets:
        x = lower + generator.random((target.points, len(lower)), np.float32) * (upper - lower)
        out = np.empty((target.points, len(model.outputs)), np.float32)
        call = loaded.bind(x, out)
        for caches, kind in CONDITIONS:
            before = flusher() if caches == "cold" else None
            with one_core() as core, company(kind, core) as possible:
                if possible:
                    times = call_times(call, budget_s=budget_s, before=before)
                    yield _judged(times, target, net, caches, kind)


def _judged(
    times: NDArray[np.int64], target: Target, net: str, caches: str, kind: Company
) -> Condition:
    return Condition(
        net=net,
        caches=caches,
        company=kind,
        timing=summary(target.points, times),
        limit_ms=target.limit_ms,
        misses=int(np.count_nonzero(times > target.limit_ms * 1e6)),
        curve=tuple((float(q), quantile(times, q) / 1e6) for q in _KEPT),
    )
