"""What every library is asked for: a loss with its gradient, and one step of Adam."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from kdpinn_bench.training.cases import Case

RATE = 1e-3
"""Learning rate of Adam; no step is judged by what it reaches."""

ELSEWHERE = "in another table"
"""Why a contestant does not take part where it has no row either."""


@dataclass(frozen=True)
class Setting:
    """Where and in which numbers: dtype torch.float64 or torch.float32, device "cpu" or "cuda"."""

    dtype: torch.dtype = torch.float64
    device: str = "cpu"

    @property
    def name(self) -> str:
        """float64/cpu."""
        return f"{str(self.dtype).removeprefix('torch.')}/{self.device}"


@dataclass(frozen=True, eq=False)
class Prepared:
    """One library on one case, at the case's parameters.

    gradient: () -> loss and gradient in the order of `kdpinn.networks.MLP`; changes nothing.
    step: one step of Adam, loss and gradient included.
    """

    gradient: Callable[[], tuple[float, Tensor]]
    step: Callable[[], object]


class Contestant(Protocol):
    """A library at its sensible settings."""

    name: str

    def missing(self, setting: Setting) -> str:
        """Why it cannot take part; empty if it can."""
        ...

    def prepare(self, case: Case, setting: Setting) -> Prepared:
        """Builds everything that a training builds once."""
        ...


def load_parameters(layers: Sequence[torch.nn.Linear], case: Case, setting: Setting) -> None:
    """The case's parameters into a network of torch modules, first layer first."""
    with torch.no_grad():
        for layer, (weight, bias) in zip(
            layers, case.field.network.unpack(case.field.theta), strict=True
        ):
            layer.weight.copy_(weight.to(setting.device, setting.dtype))
            layer.bias.copy_(bias.to(setting.device, setting.dtype))


def gradient_of(layers: Sequence[torch.nn.Linear]) -> Tensor:
    """Gradients of such a network in the order of `kdpinn.networks.MLP`, float64 on the CPU."""
    parts = []
    for layer in layers:
        for parameter in (layer.weight, layer.bias):
            # None: the loss does not depend on it, as on the last bias without conditions.
            slope = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parts.append(slope.detach().reshape(-1))
    return torch.cat(parts).double().cpu()


@contextmanager
def defaults(setting: Setting) -> Iterator[None]:
    """torch's default type of numbers for the time being."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(setting.dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def quiet_environment() -> None:
    """Before DeepXDE is imported: its backend, which it otherwise asks for in writing."""
    os.environ.setdefault("DDE_BACKEND", "pytorch")
