"""Small students of a teacher under a penalty that makes their neurons repeat each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from kdpinn.networks import MLP
from kdpinn.optimizers import Adam
from kdpinn.structure.fits import PenalizedFit, Samples, flat, polished, unpacked
from kdpinn.structure.merging import Layers, condensed, network_of

POOR = 0.1
"""Relative misfit above which a student shows nothing of its teacher."""


@dataclass(frozen=True, kw_only=True)
class StudentSettings:
    """How students are trained.

    Attributes:
        hidden: widths of the hidden layers, tanh.
        penalty: lambda on the sum of the layers' Frobenius norms. Without one no structure
            appears; ten times the default collapses a student to one neuron a layer.
        adam: iterations of Adam, its rate falling exponentially from `first_rate` to `last_rate`.
        polish: self-scaled Broyden iterations after that, before anything is merged.
    """

    hidden: tuple[int, ...] = (8, 8, 8)
    penalty: float = 1e-3
    adam: int = 1500
    first_rate: float = 1e-2
    last_rate: float = 1e-4
    polish: int = 600

    def __post_init__(self) -> None:
        if not self.hidden or min(self.hidden) < 1:
            raise ValueError(f"`StudentSettings.hidden` is widths >= 1, got {self.hidden}.")
        if not 0 <= self.penalty < 1:
            raise ValueError(f"`StudentSettings.penalty` is in [0, 1), got {self.penalty}.")


@dataclass(frozen=True, eq=False)
class Student:
    """A trained student, condensed.

    Attributes:
        layers: W (n_out, n_in) and b (n_out,), after merging.
        objective: J there.
        misfit: root of the mean square alone, relative to the teacher's root mean square.
        trained: the layers before anything was merged.
        seed: of its initialization.
    """

    layers: Layers
    objective: float
    misfit: float
    trained: Layers
    seed: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Of the hidden layers, after merging."""
        return tuple(len(w) for w, _ in self.layers[:-1])

    @property
    def failure(self) -> str:
        """Why it shows nothing of its teacher; empty if it does."""
        if not self.misfit <= POOR:
            return f"it misses its teacher by {self.misfit:.2g}, more than {POOR:g}"
        if max(self.widths) == 1:
            return "it collapsed to one neuron a layer"
        return ""


def train_student(samples: Samples, settings: StudentSettings, seed: int) -> Student:
    """Adam, self-scaled Broyden, then merging and polishing; float64, deterministic by the seed.

    Raises:
        ValueError: samples that are not finite.
    """
    if not (np.isfinite(samples.points).all() and np.isfinite(samples.values).all()):
        raise ValueError("A student needs finite points and values.")
    sizes = (samples.points.shape[1], *settings.hidden, samples.values.shape[1])
    network = MLP(sizes)
    fit = PenalizedFit(network, samples, settings.penalty)
    theta = network.init(torch.Generator().manual_seed(seed))
    fall = (settings.last_rate / settings.first_rate) ** (1 / max(settings.adam, 1))
    adam = Adam(rate=settings.first_rate, decay=fall)
    state = adam.start(theta)
    for _ in range(settings.adam):
        state = adam.step(fit, state)
    theta, _ = polished(fit, state.theta, settings.polish)
    trained = unpacked(network, theta)
    layers, objective = condensed(trained, samples, settings.penalty)
    misfit = PenalizedFit(network_of(layers), samples, 0.0).misfit(flat(layers))[0]
    norm = float((samples.values**2).sum(1).mean())
    return Student(layers, objective, float(np.sqrt(misfit / norm)), trained, seed)
