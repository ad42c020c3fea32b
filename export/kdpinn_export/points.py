"""Where a model file is checked: low-discrepancy points that float32 holds exactly."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .arithmetic import Array


def baseline_points(lower: ArrayLike, upper: ArrayLike, count: int = 512) -> Array:
    """`count` evenly spread points of the box [lower, upper], (count, d), float64.

    Additive recurrence with the powers of 1/phi_d, phi_d the positive root of
    x^(d+1) = x + 1 (Roberts, "The unreasonable effectiveness of quasirandom sequences", 2018):
    as even as Sobol points for any count, and the same on every machine.
    Every value is exact in float32 and not outside the box, so that a device that computes in
    float32 and one that computes in float64 see the same inputs.
    Raises ValueError for an empty or infinite box, for one too narrow to hold a float32, and for
    `count` < 1.
    """
    low, high = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    if low.ndim != 1 or low.shape != high.shape or not np.all(low < high):
        raise ValueError(f"expected bounds lower < upper, one per input, got {low} and {high}")
    if not np.all(np.isfinite(high - low)):
        raise ValueError(f"expected finite bounds, got {low} and {high}")
    if count < 1:
        raise ValueError(f"expected at least one baseline point, got count={count}")
    steps = 1.0 / _ratio(len(low)) ** np.arange(1, len(low) + 1)
    unit = np.mod(0.5 + np.arange(1, count + 1)[:, None] * steps, 1.0)
    return _into_float32(low + unit * (high - low), low, high)


def _ratio(d: int) -> float:
    """Positive root of x^(d+1) = x + 1 by a contracting iteration (factor <= 1/(d+1))."""
    x = 1.5
    for _ in range(64):
        x = (1.0 + x) ** (1.0 / (d + 1))
    return x


def _into_float32(points: Array, low: Array, high: Array) -> Array:
    """Round to float32, but never across a bound."""
    first = low.astype(np.float32)
    first = np.where(first < low, np.nextafter(first, np.float32(np.inf)), first)
    last = high.astype(np.float32)
    last = np.where(last > high, np.nextafter(last, np.float32(-np.inf)), last)
    if np.any(first > last):
        raise ValueError(f"no float32 lies between {low} and {high}: shift the coordinate")
    return np.clip(points.astype(np.float32), first, last).astype(np.float64)
