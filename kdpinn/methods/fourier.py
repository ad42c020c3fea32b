r"""Fourier features: the network also sees sines and cosines of random frequencies.

Beside its inputs z, which lie in [-1, 1], it sees \sin(b_j \cdot z) and \cos(b_j \cdot z) with
b_j drawn once from a normal distribution of standard deviation `scale`, so that a small network can
follow fast changes. They are part of the model and of its file.

Sources: Tancik et al., NeurIPS 33 (2020), arXiv:2006.10739; for equations, Wang, Wang & Perdikaris,
Comput. Methods Appl. Mech. Eng. 384 (2021) 113938, DOI 10.1016/j.cma.2021.113938.
"""

from __future__ import annotations

import math

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.coordinate_maps import feature_bounds
from kdpinn.recipe import Fourier
from kdpinn_runtime.format import CoordinateMap, Operation

MAX_OPERATIONS = 256
"""Of a map in a model file: docs/format.md."""


def fourier_features(
    fourier: Fourier, box: Box, features: CoordinateMap | None
) -> tuple[CoordinateMap, FloatArray, FloatArray]:
    """The inputs and 2 `count` waves of them, with the bounds (F,) of all.

    Args:
        features: of the problem, which the waves are then of: what is periodic stays so. None for
            the coordinates themselves.
    Raises:
        ValueError: more operations than a model file can hold.
    """
    if features is None:
        coordinates = [Operation("coordinate", a=i) for i in range(box.dim)]
        features = CoordinateMap(tuple(coordinates), tuple(range(box.dim)))
    needed = len(features.operations) + 1 + fourier.count * (4 + 3 * len(features.results))
    if needed > MAX_OPERATIONS:
        raise ValueError(
            f"`Fourier.count` = {fourier.count} makes {needed} operations on the coordinates, a "
            f"model file holds {MAX_OPERATIONS}: take fewer."
        )
    lower, upper = feature_bounds(features, box)
    shift, scale = (lower + upper) / 2, 2 / (upper - lower)
    frequencies = np.random.default_rng(fourier.seed).normal(
        scale=fourier.scale, size=(fourier.count, len(lower))
    )
    operations, results = list(features.operations), list(features.results)

    def put(operation: Operation) -> int:
        operations.append(operation)
        return len(operations) - 1

    quarter = put(Operation("constant", value=math.pi / 2))
    for row in frequencies * scale:
        phase = put(Operation("constant", value=float(-row @ shift)))
        for source, factor in zip(features.results, row, strict=True):
            number = put(Operation("constant", value=float(factor)))
            product = put(Operation("multiply", a=source, b=number))
            phase = put(Operation("add", a=phase, b=product))
        ahead = put(Operation("add", a=phase, b=quarter))
        results += [put(Operation("sin", a=phase)), put(Operation("sin", a=ahead))]
    ones = np.ones(2 * fourier.count)
    return (
        CoordinateMap(tuple(operations), tuple(results)),
        np.concatenate([lower, -ones]),
        np.concatenate([upper, ones]),
    )
