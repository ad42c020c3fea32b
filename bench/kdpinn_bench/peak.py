"""The measured multiply-add peak of the core, and how much of it an evaluation needs."""

from __future__ import annotations

from itertools import pairwise

from kdpinn_bench.timing import Call, Ratio
from kdpinn_runtime import _core
from kdpinn_runtime.format import ModelFile

STEPS = 5000
"""Rounds of twelve chains in one burst: 0.1 ms or less."""
PREFIX = "peak: "
"""Before the instruction set, in names of candidates."""


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


def share(work: int, isa: str, peak_over_own: Ratio) -> Ratio:
    """Share of the peak, from the paired ratios (time of a burst) / (time of the work)."""
    factor = work / burst_operations(isa)
    return Ratio(
        *(factor * v for v in (peak_over_own.median, peak_over_own.low, peak_over_own.high))
    )
