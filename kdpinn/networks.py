"""Fully connected networks as plain data: sizes, an activation, and one flat parameter vector."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import torch
from torch import Tensor

from kdpinn.structure.group import Group
from kdpinn.structure.representation import Tie, regular_tie

Derivatives = tuple[Tensor, Tensor | None, Tensor | None]


def _identity(z: Tensor, order: int) -> Derivatives:
    return z, torch.ones_like(z) if order else None, torch.zeros_like(z) if order > 1 else None


def _tanh(z: Tensor, order: int) -> Derivatives:
    y = torch.tanh(z)
    first = 1 - y * y if order else None
    return y, first, -2 * y * first if first is not None and order > 1 else None


def _sin(z: Tensor, order: int) -> Derivatives:
    y = torch.sin(z)
    return y, torch.cos(z) if order else None, -y if order > 1 else None


def _sigmoid(z: Tensor, order: int) -> Derivatives:
    y = torch.sigmoid(z)
    first = y * (1 - y) if order else None
    return y, first, first * (1 - 2 * y) if first is not None and order > 1 else None


def _silu(z: Tensor, order: int) -> Derivatives:
    gate = torch.sigmoid(z)
    slope = gate * (1 - gate)
    first = gate + z * slope if order else None
    return z * gate, first, slope * (2 + z * (1 - 2 * gate)) if order > 1 else None


def _relu(z: Tensor, order: int) -> Derivatives:
    first = (z > 0).to(z.dtype) if order else None
    return torch.relu(z), first, torch.zeros_like(z) if order > 1 else None


def _gelu(z: Tensor, order: int) -> Derivatives:
    """z Phi, Phi + z q, q (2 - z^2) with the normal distribution Phi and its density q."""
    phi = torch.erfc(-math.sqrt(0.5) * z) / 2  # 1 + erf would cancel for z < 0
    if not order:
        return z * phi, None, None
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return z * phi, phi + z * density, density * (2 - z * z) if order > 1 else None


ACTIVATIONS: Mapping[str, Callable[[Tensor, int], Derivatives]] = MappingProxyType(
    {
        "identity": _identity,
        "tanh": _tanh,
        "sin": _sin,
        "sigmoid": _sigmoid,
        "silu": _silu,
        "relu": _relu,
        "gelu": _gelu,
    }
)
"""Name -> function of (z, order) giving s(z), s'(z) from order 1 on and s''(z) from order 2 on."""


@dataclass(frozen=True)
class MLP:
    """Multilayer perceptron; all hidden layers share one activation, the last layer is linear.

    The parameters live outside, in one vector theta of shape (parameters,): layer by layer the
    weight (n_out, n_in) row by row, then the bias (n_out,). With a symmetry theta holds the free
    ones of them, from which all others follow.

    Args:
        sizes: widths from the inputs to the outputs, at least two, each >= 1.
        activation: a key of `ACTIVATIONS`.
        symmetry: a group of the network's own inputs, u(g z) = c(g) u(z) for any parameters:
            hidden widths are multiples of its order (`kdpinn.structure.representation`).
    Raises:
        ValueError: naming the width or activation that is out of range.
    """

    sizes: tuple[int, ...]
    activation: str = "tanh"
    symmetry: Group | None = None

    def __post_init__(self) -> None:
        if len(self.sizes) < 2 or any(width < 1 for width in self.sizes):
            raise ValueError(f"`MLP.sizes` is two or more widths >= 1, got {self.sizes}.")
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"`MLP` has no activation {self.activation!r}. Supported: {', '.join(ACTIVATIONS)}."
            )
        _ = self.tie  # what the group does not allow is refused here

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Shape (n_out, n_in) of each layer's weight."""
        return tuple(zip(self.sizes[1:], self.sizes[:-1], strict=True))

    @cached_property
    def tie(self) -> Tie | None:
        """How all weights and biases follow from the free ones; None if all are free."""
        return None if self.symmetry is None else regular_tie(self.symmetry, self.sizes)

    @property
    def parameters(self) -> int:
        """Number of free weights and biases, P."""
        return self.dense_parameters if self.tie is None else self.tie.free

    @property
    def dense_parameters(self) -> int:
        """Number of all weights and biases, D."""
        return sum(n_out * (n_in + 1) for n_out, n_in in self.shapes)

    def init(self, generator: torch.Generator) -> Tensor:
        """Xavier normal weights, zero biases: (P,), float64.

        Weight variance 2 / (n_in + n_out): Glorot & Bengio, AISTATS 2010, eq. 16.
        """
        layers: list[Tensor] = []
        for n_out, n_in in self.shapes:
            spread = math.sqrt(2 / (n_in + n_out))
            weight = torch.randn(n_out * n_in, generator=generator, dtype=torch.float64)
            layers += [weight * spread, torch.zeros(n_out, dtype=torch.float64)]
        dense = torch.cat(layers)
        return dense if self.tie is None else self.tie.restrict(dense)

    def expand(self, theta: Tensor) -> Tensor:
        """All weights and biases (D,) from theta (P,), differentiable; theta itself if untied."""
        if theta.shape != (self.parameters,):
            raise ValueError(
                f"`MLP{self.sizes}` has {self.parameters} parameters, got {tuple(theta.shape)}."
            )
        return theta if self.tie is None else self.tie.expand(theta)

    def reduce(self, gradient: Tensor) -> Tensor:
        """Derivatives by theta (P, ...) from those by all weights and biases (D, ...)."""
        return gradient if self.tie is None else self.tie.reduce(gradient)

    def unpack(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Each layer's (weight (n_out, n_in), bias (n_out,)) from theta (P,); views if untied."""
        dense = self.expand(theta)
        layers, start = [], 0
        for n_out, n_in in self.shapes:
            middle, stop = start + n_out * n_in, start + n_out * (n_in + 1)
            layers.append((dense[start:middle].view(n_out, n_in), dense[middle:stop]))
            start = stop
        return layers
