"""A smooth function in the place of a table of samples, and how far it can be trusted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch

from kdpinn.geometry import Box
from kdpinn.networks import MLP
from kdpinn.structure.fits import Array, PenalizedFit, Samples, polished
from kdpinn.teachers.table import Table

HIDDEN = ((8, 8), (16, 16, 16))
PENALTIES = (1e-3, 1e-4, 1e-6)
ITERATIONS = 800
MOST_SAMPLES = 4000
SEED = 300_007


@dataclass(frozen=True, eq=False)
class StandIn:
    """A network fitted to samples.

    Attributes:
        error: (m,), relative L2 misfit to the samples that were held out, their noise included.
    """

    network: MLP
    theta: torch.Tensor
    domain: Box
    mean: Array
    spread: Array
    error: Array

    def values(self, x: Array) -> Array:
        """Fields (N, m) at physical points (N, d)."""
        a = (x - self.domain.shift) * self.domain.scale
        layers = [(w.numpy(), b.numpy()) for w, b in self.network.unpack(self.theta)]
        for w, b in layers[:-1]:
            a = np.tanh(a @ w.T + b)
        w, b = layers[-1]
        return np.asarray(self.mean + self.spread * (a @ w.T + b))


def stand_in(table: Table, domain: Box) -> StandIn:
    """The network that predicts the held-out samples best, of a few sizes and penalties.

    A table cannot be asked at the images of its points, a fit can. Its own error bounds the
    asymmetry that it may show: samples that are too few or too noisy make it too large to use.
    """
    points, _ = table.part(held_out=False)
    if len(points) > MOST_SAMPLES:
        points = points[np.random.default_rng(SEED).permutation(len(points))[:MOST_SAMPLES]]
    aside, _ = table.part(held_out=True)
    values, wanted = table.values(points), table.values(aside)
    spread = np.where(values.std(0) > 0, values.std(0), 1.0)
    mean = values.mean(0)
    samples = Samples((points - domain.shift) * domain.scale, (values - mean) / spread)
    size = np.sqrt((wanted**2).mean(0))
    best: StandIn | None = None
    for hidden, penalty in itertools.product(HIDDEN, PENALTIES):
        network = MLP((domain.dim, *hidden, len(mean)))
        start = network.init(torch.Generator().manual_seed(SEED))
        theta, _ = polished(PenalizedFit(network, samples, penalty), start, ITERATIONS)
        fitted = StandIn(network, theta, domain, mean, spread, size)
        misfit = np.sqrt(((fitted.values(aside) - wanted) ** 2).mean(0))
        error = misfit / np.where(size > 0, size, 1.0)
        if best is None or error.max() < best.error.max():
            best = StandIn(network, theta, domain, mean, spread, error)
    assert best is not None, "there are sizes and penalties"
    return best
