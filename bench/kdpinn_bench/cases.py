"""Networks with random weights: what the engines are timed on where no model is given."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np

from kdpinn_export import BaselineTables, baseline_points, plain_network, to_kdp
from kdpinn_runtime.format import ModelFile, Variable

NETWORKS = {
    "A": (2, 20, 20, 20, 1),
    "B": (2, 50, 50, 50, 50, 1),
    "C": (3, 64, 64, 64, 64, 3),
    "D": (2, 128, 128, 128, 128, 128, 128, 1),
}
"""Name -> widths, from a small student to a large teacher."""


def random_model(
    sizes: Sequence[int],
    activation: str = "tanh",
    dtype: Literal["f32", "f64"] = "f32",
    seed: int = 0,
) -> ModelFile:
    """Xavier normal weights on the box [-1, 1]^d, no physics."""
    generator = np.random.default_rng(seed)
    shapes = [(n_out, n_in) for n_in, n_out in pairwise(sizes)]
    weights = [generator.normal(size=s) * np.sqrt(2 / sum(s)) for s in shapes]
    biases = [0.1 * generator.normal(size=n_out) for n_out, _ in shapes]
    d, m = sizes[0], sizes[-1]
    return to_kdp(
        plain_network(weights, biases, activation, dtype=dtype),
        inputs=[Variable(name=f"x{k}", lower=-1.0, upper=1.0) for k in range(d)],
        outputs=[(f"u{k}", "") for k in range(m)],
        tables=BaselineTables(points=baseline_points(-np.ones(d), np.ones(d), 64)),
        card={"problem": "random"},
    )
