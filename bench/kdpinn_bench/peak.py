"""The measured multiply-add peak of the core, and how much of it an evaluation needs."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

from kdpinn_bench.timing import Call, Samples
from kdpinn_runtime import _core
from kdpinn_runtime.format import ModelFile

STEPS = 400_000
"""Rounds of twelve chains in one burst: about 1 ms. What starts a burst takes some microseconds."""
PREFIX = "peak: "
"""Before the instruction set, in names of candidates."""
BURSTS = 500
"""Bursts in a row of which the fastest counts: half a second."""


@dataclass(frozen=True)
class Share:
    """Share of the peak: `best` in the fastest round, `typical` in the median one."""

    best: float
    typical: float


def burst(isa: str) -> Call | None:
    """A call that does nothing but float32 multiply-adds; None where `isa` has no peak."""
    if _core.fma_burst(isa, "f32", 1) == 0:
        return None
    return lambda: _core.fma_burst(isa, "f32", STEPS)


def burst_operations(isa: str) -> int:
    """Floating-point operations of one burst."""
    return _core.fma_burst(isa, "f32", 1) * STEPS


def operations(model: ModelFile, points: int, *, derivatives: bool = False) -> int:
    """Useful floating-point operations: 2 for each multiply-add of the layers, bends not counted.

    With derivatives, every layer but the first works on all channels; the first one's derivatives
    are its weights. Hidden layers that a group of order n = 2^k ties need an nth of their products.
    """
    widths = [len(model.input_shift), *(len(layer.bias) for layer in model.layers)]
    first, *hidden, last = (n_in * n_out for n_in, n_out in pairwise(widths))
    symmetry = model.symmetry
    order = symmetry.order if symmetry is not None and symmetry.doubling else 1
    channels = 1 + len(model.inputs) + len(model.pairs) if derivatives else 1
    return 2 * points * (first + channels * (sum(hidden) // order + last))


@cache
def fastest_burst(isa: str) -> float:
    """The least time of BURSTS bursts in a row, in s; `isa` has a peak."""
    call = burst(isa)
    if call is None:
        raise ValueError(f"`isa` must have a measured peak, got {isa!r}.")
    least = float("inf")
    for _ in range(BURSTS):
        start = time.perf_counter()
        call()
        least = min(least, time.perf_counter() - start)
    return least


def share(work: int, isa: str, bursts: Samples, own: Samples) -> Share:
    """Share of the peak that an evaluation of `work` operations reaches.

    The peak is the processor's best: the fastest burst of this row or of `fastest_burst`. Bursts of
    the same rounds would not do: a neighbor on the same physical core slows a loop that
    fills both multiply-add units more than one that does not, which then passes for more than
    the peak.
    """
    least = min(fastest_burst(isa), float(bursts.seconds.min()))
    factor = work / burst_operations(isa) * least
    summary = own.summary()
    return Share(best=factor / summary.minimum, typical=factor / summary.median)
