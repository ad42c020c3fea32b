"""What a device may deviate from the baseline: a margin, and room for float32 rounding.

Every limit is MARGIN times the figure that the model itself has in float64 arithmetic, plus
ROOM times the change of that figure's ingredients when everything is computed in float32. The
change is measured here with numpy; ROOM covers engines whose elementary functions are coarser
(the C core's tanh: 3.4 unit roundoffs against numpy's 1) and sum in another order.
"""

from __future__ import annotations

import numpy as np

from .arithmetic import FloatArray

MARGIN = 1.25
ROOM = 8.0
EPS32 = float(np.finfo(np.float32).eps)


def root_mean_square(a: FloatArray) -> float:
    """sqrt(mean(a^2)) in float64."""
    return float(np.sqrt(np.mean(np.square(a, dtype=np.float64))))


def value_limit(wide: FloatArray, narrow: FloatArray) -> float:
    """Permitted max |difference| from the expected outputs, relative to the largest of them.

    wide and narrow, (n, m): the model in float64 and in float32 arithmetic.
    """
    largest = float(np.max(np.abs(wide)))
    if largest == 0.0:
        return ROOM * EPS32
    return ROOM * max(float(np.max(np.abs(narrow - wide))) / largest, EPS32)


def distance_limit(wide: FloatArray, narrow: FloatArray, truth: FloatArray) -> float:
    """Permitted relative L2 distance to `truth` (reference or teacher), all (n, m)."""
    norm = root_mean_square(truth)
    if norm == 0.0:
        raise ValueError(
            "the reference is zero at every baseline point: a relative error has no meaning, "
            "leave it out of the file"
        )
    rounding = max(root_mean_square(narrow - wide) / norm, EPS32)
    return MARGIN * root_mean_square(wide - truth) / norm + ROOM * rounding


def residual_limit(wide: FloatArray, narrow: FloatArray) -> float:
    """Permitted RMS of an equation's residual.

    wide and narrow, (terms, n): its terms in float64 and in float32 arithmetic.
    """
    residual, rounded = wide.sum(axis=0), narrow.sum(axis=0)
    rounding = max(
        root_mean_square(rounded - residual),
        EPS32 * root_mean_square(np.abs(wide).sum(axis=0)),
        float(np.finfo(np.float32).tiny),
    )
    return MARGIN * root_mean_square(residual) + ROOM * rounding
