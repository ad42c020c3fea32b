"""How steep a teacher is, for placing points: by its derivatives, or by differences."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kdpinn.geometry import Box, FloatArray
from kdpinn.jets import JetSpec
from kdpinn.teachers.protocol import Sliced, Smooth, Teacher

STEP = 5e-3
"""Half a difference, as a share of the domain: far above the rounding of a float32 teacher."""


def gradients(box: Box, teacher: Teacher, points: Tensor) -> Tensor:
    """First derivatives of every field by every coordinate at points (N, d), (d, N, m).

    A teacher without derivatives is asked at two points on either side, no farther than the
    domain reaches. Coordinates that it knows at some values only count as flat.
    """
    if isinstance(teacher, Smooth):
        with torch.no_grad():
            return teacher.jets(points, JetSpec(box.dim, 1))[1:]
    slices = teacher.slices if isinstance(teacher, Sliced) else {}
    x = points.numpy()
    parts = [
        np.zeros((len(x), len(teacher.outputs)))
        if name in slices
        else _difference(box, teacher, x, column)
        for column, name in enumerate(box.names)
    ]
    return torch.from_numpy(np.stack(parts))


def _difference(box: Box, teacher: Teacher, x: FloatArray, column: int) -> FloatArray:
    """Central difference by one coordinate, (N, m); one-sided at the faces."""
    lower, upper = box.lower[column], box.upper[column]
    left, right = x.copy(), x.copy()
    left[:, column] = np.maximum(x[:, column] - STEP * (upper - lower), lower)
    right[:, column] = np.minimum(x[:, column] + STEP * (upper - lower), upper)
    width = (right - left)[:, column, None]
    return np.asarray((teacher.values(right) - teacher.values(left)) / width, dtype=np.float64)
