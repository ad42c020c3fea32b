"""Derivatives of a network by forward Taylor propagation, all channels in one pass.

Rules and their derivation: docs/derivations/jets.md. The torch version here is the reference and
the path for GPUs; a plain float64 network on a CPU goes through `kdpinn_runtime.reverse`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from kdpinn import native_jets
from kdpinn.networks import ACTIVATIONS, MLP

Backend = Literal["auto", "torch", "native"]


@dataclass(frozen=True)
class JetSpec:
    """Value, first and chosen second derivatives with respect to `d` coordinates, as channels.

    Channel 0 is the value, 1..d the first derivatives, then one channel per pair (i, j), i <= j,
    for the second derivative by coordinates i and j.

    Args:
        d: number of coordinates, >= 1.
        order: 0 value, 1 and first derivatives, 2 and the second derivatives in `pairs`.
        pairs: distinct (i, j) with 0 <= i <= j < d; empty unless `order` is 2.
    Raises:
        ValueError: naming what is out of range.
    """

    d: int
    order: int
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.d < 1:
            raise ValueError(f"`JetSpec.d` is the number of coordinates, >= 1, got {self.d}.")
        if self.order not in (0, 1, 2):
            raise ValueError(f"`JetSpec.order` is 0, 1 or 2, got {self.order}.")
        if self.pairs and self.order < 2:
            raise ValueError(f"`JetSpec.pairs` needs order 2, got order {self.order}.")
        for i, j in self.pairs:
            if not 0 <= i <= j < self.d:
                raise ValueError(
                    f"`JetSpec.pairs` holds (i, j) with 0 <= i <= j < {self.d}, got ({i}, {j})."
                )
        if len(set(self.pairs)) != len(self.pairs):
            raise ValueError(f"`JetSpec.pairs` are distinct, got {self.pairs}.")

    @property
    def channels(self) -> int:
        """Number of channels K: 1, 1 + d or 1 + d + len(pairs)."""
        return 1 if self.order == 0 else 1 + self.d + len(self.pairs)

    def pair_index(self, i: int, j: int) -> int:
        """Position of the pair {i, j} in `pairs`; its channel is `1 + d + pair_index(i, j)`.

        Raises:
            ValueError: the pair was not asked for.
        """
        pair = (min(i, j), max(i, j))
        if pair not in self.pairs:
            raise ValueError(f"Second derivative {pair} is not among the pairs {self.pairs}.")
        return self.pairs.index(pair)


def network_jets(
    network: MLP,
    theta: Tensor,
    x: Tensor,
    spec: JetSpec,
    scale: Tensor,
    backend: Backend = "auto",
) -> Tensor:
    """Jets of the network's raw outputs with respect to the physical coordinates.

    Args:
        network: m outputs; `spec.d` inputs, or F.
        theta: (P,), parameters; the result is differentiable with respect to them.
        x: (N, d), *normalized* coordinates; or (K, N, F), channels of the F network inputs.
        spec: the derivatives wanted.
        scale: (d,), d(normalized coordinate) / d(physical coordinate); not read with channels.
        backend: "auto" takes the native kernels where they apply, else torch.
    Returns:
        (K, N, m) in the channel order of `spec`.
    Raises:
        ValueError: shapes that do not fit, or "native" where it does not apply.
    """
    _check(network, x, spec, scale)
    if _use_native(theta, x, backend):
        call = native_jets.Call(network, x, scale, spec.order, spec.pairs, spec.channels)
        return native_jets.jets(call, network.expand(theta))
    return _forward(network, theta, x, spec, scale)[-1][1]


def jets_jacobian(
    network: MLP,
    theta: Tensor,
    x: Tensor,
    spec: JetSpec,
    scale: Tensor,
    seed: Tensor,
    backend: Backend = "auto",
) -> Tensor:
    """Derivative of one scalar per point by the parameters, all points in one pass.

    With the scalars s_n = sum over k, m of seed[k, n, m] * jet[k, n, m], the result is
    d s_n / d theta_p.

    Args:
        seed: (K, N, m). The other arguments are those of `network_jets`.
    Returns:
        (P, N), parameters first.
    """
    _check(network, x, spec, scale)
    if _use_native(theta, x, backend):
        call = native_jets.Call(network, x, scale, spec.order, spec.pairs, spec.channels)
        return network.reduce(native_jets.jacobian(call, network.expand(theta), seed))
    layers = _forward(network, theta.detach().requires_grad_(), x, spec, scale)
    outputs = [z for _, z in layers]
    gradients = torch.autograd.grad(outputs[-1], outputs, grad_outputs=seed)
    rows: list[Tensor] = []
    for (a, _), g in zip(layers, gradients, strict=True):
        weight = torch.einsum("kno,kni->oin", g, a.detach())
        rows += [weight.reshape(-1, x.shape[-2]), g[0].T]
    return network.reduce(torch.cat(rows))


def _forward(
    network: MLP, theta: Tensor, x: Tensor, spec: JetSpec, scale: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Input and pre-activation channels (a (K, N, n_in), z (K, N, n_out)) of each layer."""
    a = _seed(x, spec, scale)
    layers: list[tuple[Tensor, Tensor]] = []
    for weight, bias in network.unpack(theta):
        if layers:
            a = _activate(layers[-1][1], network.activation, spec)
        z = a @ weight.T
        z = torch.cat([z[:1] + bias, z[1:]])
        layers.append((a, z))
    return layers


def product(a: Tensor, b: Tensor, spec: JetSpec) -> Tensor:
    """Channels of the product of two functions, all (K, N, m).

    ab, a_i b + a b_i, and a_ij b + a_i b_j + a_j b_i + a b_ij.
    """
    parts = [a[:1] * b[:1]]
    if spec.order > 0:
        first = slice(1, 1 + spec.d)
        parts.append(a[first] * b[:1] + a[:1] * b[first])
    if spec.pairs:
        second = slice(1 + spec.d, None)
        left, right = ([1 + pair[side] for pair in spec.pairs] for side in (0, 1))
        crossed = a[left] * b[right] + a[right] * b[left]
        parts.append(a[second] * b[:1] + crossed + a[:1] * b[second])
    return torch.cat(parts)


def _seed(x: Tensor, spec: JetSpec, scale: Tensor) -> Tensor:
    """Channels of the network's inputs, (K, N, d): those of the normalized coordinates, or x."""
    if x.dim() == 3:
        return x
    a = x.new_zeros(spec.channels, *x.shape)
    a[0] = x
    if spec.order > 0:
        for i in range(spec.d):
            a[1 + i, :, i] = scale[i]
    return a


def _activate(z: Tensor, activation: str, spec: JetSpec) -> Tensor:
    """Channels of s(z): s, s' z_i, and s' z_ij + s'' z_i z_j (docs/derivations/jets.md)."""
    value, first, second = ACTIVATIONS[activation](z[0], spec.order)
    channels = [value[None]]
    if first is not None:
        channels.append(first * z[1 : 1 + spec.d])
    if first is not None and second is not None and spec.pairs:
        left = z[[1 + i for i, _ in spec.pairs]]
        right = z[[1 + j for _, j in spec.pairs]]
        channels.append(first * z[1 + spec.d :] + second * (left * right))
    return torch.cat(channels)


def _check(network: MLP, x: Tensor, spec: JetSpec, scale: Tensor) -> None:
    d = network.sizes[0]
    if x.dim() == 3:
        if (x.shape[0], x.shape[2]) != (spec.channels, d):
            raise ValueError(
                f"Jets of a network with {d} inputs and {spec} need input channels of shape "
                f"({spec.channels}, N, {d}), got {tuple(x.shape)}."
            )
    elif spec.d != d or x.dim() != 2 or x.shape[1] != d or scale.shape != (d,):
        raise ValueError(
            f"Jets of a network with {d} inputs need x (N, {d}), scale ({d},) and a spec with "
            f"d = {d}, got x {tuple(x.shape)}, scale {tuple(scale.shape)}, spec.d = {spec.d}."
        )


def _use_native(theta: Tensor, x: Tensor, backend: Backend) -> bool:
    if backend == "torch":
        return False
    reason = native_jets.unavailable(theta, x)
    if backend == "native" and reason:
        raise ValueError(f"Native jets do not apply: {reason} Use backend 'auto' or 'torch'.")
    return not reason
