"""Jets and their reverse pass through the native kernels: float64, CPU, plain networks."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdpinn.networks import MLP
from kdpinn_runtime import reverse

Array: TypeAlias = NDArray[np.float64]


class Call(NamedTuple):
    """What one evaluation of `network_jets` is about, theta apart.

    x: (N, d) with scale (d,), or (K, N, F), whose scale is not read.
    """

    network: MLP
    x: Tensor
    scale: Tensor
    order: int
    pairs: tuple[tuple[int, int], ...]
    channels: int

    def at(self, theta: Tensor) -> reverse.Network:
        """What the functions of `kdpinn_runtime.reverse` take; theta (D,) is not tied."""
        coordinates = self.x.dim() == 2
        return reverse.Network(
            sizes=self.network.sizes,
            activation=self.network.activation,
            theta=array(theta),
            x=array(self.x) if coordinates else None,
            scale=array(self.scale) if coordinates else None,
            inputs=None if coordinates else array(self.x),
            pairs=self.pairs,
            order=self.order,
        )

    def shape(self) -> tuple[int, int, int]:
        """(K, N, m)."""
        return self.channels, self.x.shape[-2], self.network.sizes[-1]


def unavailable(theta: Tensor, x: Tensor) -> str:
    """Why the native kernels do not apply here; empty where they do."""
    if theta.dtype != torch.float64 or x.dtype != torch.float64:
        return f"they are float64, theta is {theta.dtype} and x {x.dtype}."
    if theta.device.type != "cpu" or x.device.type != "cpu":
        return f"they run on the CPU, theta is on {theta.device} and x on {x.device}."
    if x.requires_grad:
        return "they have no gradient with respect to x."
    return ""


def jets(call: Call, theta: Tensor) -> Tensor:
    """(K, N, m), differentiable once with respect to theta (D,), all weights and biases."""
    return _NativeJets.apply(theta, call)  # type: ignore[no-any-return, no-untyped-call]


def jacobian(call: Call, theta: Tensor, seed: Tensor) -> Tensor:
    """(D, N), by all weights and biases theta (D,); see `kdpinn.jets.jets_jacobian`."""
    out = torch.empty(call.network.dense_parameters, call.x.shape[-2], dtype=torch.float64)
    threads = torch.get_num_threads()
    reverse.jacobian(call.at(theta), array(seed), out.numpy(), threads=threads)
    return out


class _NativeJets(torch.autograd.Function):
    """Forward pass, and a reverse pass that computes the forward pass again."""

    @staticmethod
    def forward(ctx: Any, theta: Tensor, call: Call) -> Tensor:
        ctx.save_for_backward(theta)
        ctx.call = call
        out = torch.empty(call.shape(), dtype=torch.float64)
        reverse.jets(call.at(theta), out.numpy(), threads=torch.get_num_threads())
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, seed: Tensor) -> tuple[Tensor, None]:
        (theta,) = ctx.saved_tensors
        call: Call = ctx.call
        gradient = torch.empty_like(theta, memory_format=torch.contiguous_format)
        threads = torch.get_num_threads()
        reverse.vjp(call.at(theta), array(seed), gradient.numpy(), threads=threads)
        return gradient, None


def array(tensor: Tensor) -> Array:
    """C-contiguous view where there is one, else a copy."""
    result: Array = tensor.detach().contiguous().numpy()
    return result
