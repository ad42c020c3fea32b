"""A user's file of teachers: what it names is what `--teacher teacher_module.py:NAME` finds."""

from __future__ import annotations

import numpy as np
import torch


def bump(x):
    """tanh of a plane: a single tanh neuron can be it exactly."""
    return 0.3 + 0.5 * np.tanh(1.2 * x[:, 0] - 0.4 * x[:, 1] + 0.1)


def shifted(x):
    return bump(x) + 0.01 * x[:, :1].ravel()


def pair(x):
    return np.stack([bump(x), x[:, 0]], axis=1)


class Net(torch.nn.Module):
    """float32, as frameworks make them."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1)
        )
        with torch.no_grad():
            for parameter in self.layers.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator) / 2)

    def forward(self, x):
        return self.layers(x)


def factory():
    return Net()


ready = Net()


def broken():
    raise RuntimeError("no licence server")


def chance(x):
    return np.random.default_rng().normal(size=len(x))


def holes(x):
    return np.where(x[:, 0] > 0, np.nan, 1.0)


def column(x):
    return np.zeros((2, len(x), 1))


number = 3
