"""Known answers that travel with every artefact, and how far an engine may be from them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kdpinn_runtime import Check
from kdpinn_runtime.format import ModelFile

from .arithmetic import Array, FloatArray
from .check import bounded_outputs, default_points

COUNT = 64
"""Points of a known-answer file."""


@dataclass(frozen=True, eq=False)
class KnownAnswers:
    """points (n, d), exact in float32; expected and permitted (n, k), a column for each name.

    expected: float64 values of the model; permitted: bound of the rounding error of a float32
    evaluation at that point, in any order of summation.
    """

    inputs: tuple[str, ...]
    names: tuple[str, ...]
    points: Array
    expected: Array
    permitted: Array

    def permitting(self, error: Array) -> KnownAnswers:
        """The same answers with other permitted errors, (n, k)."""
        return replace(self, permitted=error)

    def compared(self, got: FloatArray, engine: str) -> Check:
        """How far `got` (n, k) is from them, as a share of what is permitted; passes up to 1."""
        difference = np.abs(np.asarray(got, np.float64) - self.expected)
        ratio = difference / np.maximum(self.permitted, np.finfo(np.float64).tiny)
        row, column = np.unravel_index(int(np.argmax(ratio)), ratio.shape)  # NaN is the largest
        error = float(np.max(difference))
        worst = float(ratio[row, column])
        return Check(
            name=f"{engine}: error / bound",
            passed=worst <= 1.0,
            measured=worst,
            limit=1.0,
            note=f"{self.names[column]} at point {row} of {len(ratio)}; "
            f"largest difference anywhere {error:.3g}",
            detail={"error": error, "bound": float(self.permitted[row, column])},
        )

    def to_json(self, **about: Any) -> bytes:
        """The file answers.json; `about` goes to its top."""
        content = about | {
            "inputs": self.inputs,
            "outputs": self.names,
            "points": self.points.tolist(),
            "expected": self.expected.tolist(),
            "permitted": self.permitted.tolist(),
        }
        return (json.dumps(content, indent=1, allow_nan=False) + "\n").encode()


def known_answers(
    model: ModelFile,
    *,
    derivatives: bool = False,
    count: int = COUNT,
    copies: int | None = None,
    dtype: type[np.float16] | type[np.float32] = np.float32,
) -> KnownAnswers:
    """`count` of the model's baseline points, evenly picked, and what the model says there.

    copies: of a tied network, for engines that evaluate it as such (the default); else 1. dtype:
    in which the engine computes.
    """
    points = default_points(model)
    points = points[np.linspace(0, len(points) - 1, min(count, len(points))).astype(int)]
    if copies is None:
        symmetry = model.symmetry
        copies = symmetry.order if symmetry is not None and symmetry.doubling else 1
    bounded = bounded_outputs(model, points, dtype, copies)
    if not derivatives:
        bounded = {v.name: bounded[v.name] for v in model.outputs}
    return KnownAnswers(
        inputs=tuple(v.name for v in model.inputs),
        names=tuple(bounded),
        points=points,
        expected=np.hstack([b.value for b in bounded.values()]),
        permitted=np.hstack([b.error for b in bounded.values()]),
    )
