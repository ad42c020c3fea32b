"""What students minimize: the misfit to sampled values plus a penalty on whole layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdpinn.networks import MLP
from kdpinn.optimizers import Objective, SSBroyden
from kdpinn_runtime import reverse

Array = NDArray[np.float64]

CHECK_EVERY = 50
CONVERGED = 1e-5
"""A polish ends when `CHECK_EVERY` iterations lower the objective by less, relatively."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Values of a function at points, both made dimensionless.

    Attributes:
        points: (N, d) in [-1, 1]^d; values: (N, m), each column of unit root mean square.
    """

    points: Array
    values: Array


class PenalizedFit:
    r"""J(theta) = mean_n |net(z_n) - u_n|^2 + \lambda \sum_l ||[W_l, b_l]||_F.

    The norms are not squared: then a layer pays for its size, not for each weight, and the
    cheapest network is one whose neurons repeat each other, up to sign and symmetry.

    Args:
        network: d inputs, m outputs.
        penalty: lambda >= 0.
    """

    def __init__(self, network: MLP, samples: Samples, penalty: float) -> None:
        n, m = samples.values.shape
        self.network, self.penalty = network, penalty
        self._none = np.zeros(0)
        self._sizes = np.array([n_out * (n_in + 1) for n_out, n_in in network.shapes])
        self._starts = np.cumsum(self._sizes) - self._sizes
        points = np.ascontiguousarray(samples.points)
        trainee = reverse.Network(
            sizes=network.sizes,
            activation=network.activation,
            theta=np.zeros(network.parameters),
            x=points,
            scale=np.ones(points.shape[1]),
            order=0,
        )
        products = [term for e in range(m) for term in ((1.0, e, [e]), (-1.0, e, [m + m + e]))]
        columns = np.concatenate([np.full((m, n), n**-0.5), samples.values.T])
        equations = reverse.Equations(
            products=products, equations=m, columns=np.ascontiguousarray(columns)
        )
        self._squares = reverse.Squares([(trainee, equations)])

    def value_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """J and its gradient (P,)."""
        value, gradient = self.misfit(theta)
        # In numpy: for a few hundred numbers torch's calls would take twice as long as the misfit.
        weights = theta.numpy()
        norms = np.sqrt(np.add.reduceat(weights * weights, self._starts))
        push = np.repeat(self.penalty / np.maximum(norms, 1e-300), self._sizes)
        gradient.numpy()[:] += push * weights
        return value + self.penalty * float(norms.sum()), gradient

    def misfit(self, theta: Tensor) -> tuple[float, Tensor]:
        """The mean square alone, and its gradient (P,)."""
        gradient = torch.empty(self.network.parameters, dtype=torch.float64)
        value = self._squares.evaluate(
            theta.detach().contiguous().numpy(),
            self._none,
            gradient.numpy(),
            np.zeros(0),
            threads=torch.get_num_threads(),
        )
        return value, gradient


class TiedFit:
    """The same objective over the free parameters of a tied network, theta = R(free).

    Args:
        index: (P,), the free parameter of each weight; -1 for a weight that is zero.
        sign: (P,), +1 or -1.
    """

    def __init__(self, fit: PenalizedFit, index: NDArray[np.int64], sign: Array) -> None:
        self.fit = fit
        self._used = torch.from_numpy(index >= 0)
        self._index = torch.from_numpy(np.maximum(index, 0))
        self._sign = torch.from_numpy(np.where(index >= 0, sign, 0.0))
        self.free = int(index.max(initial=-1)) + 1

    def expanded(self, free: Tensor) -> Tensor:
        """theta (P,) of the free parameters (F,)."""
        return free[self._index] * self._sign if self.free else torch.zeros_like(self._sign)

    def nearest(self, theta: Tensor) -> Tensor:
        """The free parameters (F,) whose expansion is nearest to theta (P,): signed means."""
        sums = torch.zeros(self.free, dtype=theta.dtype)
        counts = torch.zeros_like(sums)
        index = self._index[self._used]
        sums.index_add_(0, index, (theta * self._sign)[self._used])
        counts.index_add_(0, index, torch.ones_like(index, dtype=theta.dtype))
        return sums / counts

    def value_and_gradient(self, free: Tensor) -> tuple[float, Tensor]:
        """J at the expansion, and its gradient (F,)."""
        value, gradient = self.fit.value_and_gradient(self.expanded(free))
        reduced = torch.zeros_like(free)
        reduced.index_add_(0, self._index, gradient * self._sign)
        return value, reduced


def polished(objective: Objective, theta: Tensor, iterations: int) -> tuple[Tensor, float]:
    """Self-scaled Broyden from theta until it converges or the iterations are used up.

    Returns:
        The parameters reached and the objective there.
    """
    method = SSBroyden()
    state = method.start(theta)
    before = np.inf
    for k in range(1, iterations + 1):
        state = method.step(objective, state)
        if state.stuck:
            break
        if k % CHECK_EVERY == 0:
            if before - state.value <= CONVERGED * abs(state.value):
                break
            before = state.value
    return state.theta, objective.value_and_gradient(state.theta)[0]


def flat(layers: Sequence[tuple[Array, Array]]) -> Tensor:
    """Layers (W (n_out, n_in), b (n_out,)) as the parameter vector of their `MLP`."""
    return torch.from_numpy(np.concatenate([part.ravel() for pair in layers for part in pair]))


def unpacked(network: MLP, theta: Tensor) -> list[tuple[Array, Array]]:
    """Copies of the layers as numpy arrays, W (n_out, n_in) and b (n_out,)."""
    return [(w.numpy().copy(), b.numpy().copy()) for w, b in network.unpack(theta)]
