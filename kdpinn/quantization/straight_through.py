"""Quantization-aware training with straight-through gradients: what the refit is compared with."""

from __future__ import annotations

import numpy as np
import torch

from kdpinn.losses import LeastSquares
from kdpinn.quantization.coding import Array, Coding


def straight_through(
    coding: Coding, objective: LeastSquares, *, steps: int = 1500, rate: float = 1e-3
) -> tuple[Array, Array]:
    """Numbers (F,) on the grids of the first scales (rows,), and these scales.

    Adam on float weights; values and gradients are taken at the nearest grid points, and the
    gradient is applied to the floats (Bengio, Leonard & Courville 2013, arXiv:1308.3432). The rate
    falls to zero by a cosine; the best step's weights are kept.
    """
    scales = coding.scales()
    latent = torch.from_numpy(coding.values.copy())
    optimizer = torch.optim.Adam([latent], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    place, sign = torch.from_numpy(coding.place), torch.from_numpy(coding.sign)
    best, kept = np.inf, coding.nearest(coding.values, scales)
    for _ in range(steps):
        rounded = coding.nearest(latent.numpy(), scales)
        value, gradient = objective.value_and_gradient(torch.from_numpy(coding.theta(rounded)))
        if value < best:
            best, kept = value, rounded
        latent.grad = torch.zeros_like(latent).index_add_(0, place, gradient * sign)
        latent.grad[torch.from_numpy(coding.pinned)] = 0.0
        optimizer.step()
        schedule.step()
    return kept, scales
