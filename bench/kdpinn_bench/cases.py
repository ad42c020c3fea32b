"""Networks with random weights: what the engines are timed on where no model is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal

import numpy as np

from kdpinn_export import BaselineTables, NetworkArrays, baseline_points, plain_network, to_kdp
from kdpinn_runtime.format import Generator, ModelFile, Symmetry, Variable

NETWORKS = {
    "A": (2, 20, 20, 20, 1),
    "B": (2, 50, 50, 50, 50, 1),
    "C": (3, 64, 64, 64, 64, 3),
    "D": (2, 128, 128, 128, 128, 128, 128, 1),
}
"""Name -> widths, from a small student to a large teacher."""

TIED = {
    "2-64x3-1, order 2": (3, 1),
    "2-64x3-1, order 4": (3, 2),
    "2-64x4-1, order 2": (4, 1),
    "2-64x4-1, order 4": (4, 2),
}
"""Name -> hidden layers of 64 neurons, and generators of the symmetry."""


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
    return _model(plain_network(weights, biases, activation, dtype=dtype))


def tied_model(hidden: int, generators: int, width: int = 64) -> ModelFile:
    """Random weights with u(-x0, x1) = -u(x0, x1) and, with two generators, u(x0, -x1) = u."""
    odd = Generator(signs=(-1, 1), outputs=(-1,))
    even = Generator(signs=(1, -1), outputs=(1,))
    symmetry = Symmetry(generators=(odd, even)[:generators])
    plain = random_model((2, *[width] * hidden, 1))
    last = replace(plain.layers[-1], bias=np.zeros(1, np.float32))
    layers = symmetry.expand(symmetry.free((*plain.layers[:-1], last)))
    weights, biases = zip(*((layer.weight, layer.bias) for layer in layers), strict=True)
    return replace(_model(plain_network(weights, biases, "tanh")), symmetry=symmetry)


def _model(network: NetworkArrays) -> ModelFile:
    d, m = len(network.input_shift), len(network.output_shift)
    return to_kdp(
        network,
        inputs=[Variable(name=f"x{k}", lower=-1.0, upper=1.0) for k in range(d)],
        outputs=[(f"u{k}", "") for k in range(m)],
        tables=BaselineTables(points=baseline_points(-np.ones(d), np.ones(d), 64)),
        card={"problem": "random"},
    )
