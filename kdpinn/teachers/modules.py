"""Teachers that are torch modules: in float64 where they allow it, derivatives by autograd."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kdpinn.geometry import Box, FloatArray
from kdpinn.jets import JetSpec
from kdpinn.teachers.functions import checked

CHUNK = 8192
Call = Callable[[Tensor], Tensor]
STEPS = {torch.float64: 1e-5, torch.float32: 1e-2}
"""Half a difference, as a share of the domain; about the cube root of the rounding."""


@dataclass(frozen=True, kw_only=True)
class TorchModule:
    """A torch function of (n, d) tensors that treats every point by itself.

    Attributes:
        name: for messages.
        call: (n, d) -> (n, m), of `dtype`, differentiable.
    """

    name: str
    call: Call
    dtype: torch.dtype
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def values(self, x: FloatArray) -> FloatArray:
        """Fields (N, m) at x (N, d)."""
        with torch.no_grad():
            parts = [
                checked(self.name, self._of(p).numpy(), p.numpy(), self.outputs)
                for p in torch.split(torch.as_tensor(x), CHUNK)
            ]
        return np.concatenate(parts)

    def jets(self, x: Tensor, spec: JetSpec) -> Tensor:
        """Channels (K, N, m) at x (N, d), by reverse mode: once per output and first derivative.

        Raises:
            RuntimeError: the module is not that often differentiable.
        """
        return torch.cat([self._jets(part, spec) for part in torch.split(x, CHUNK)], 1)

    def _of(self, x: Tensor) -> Tensor:
        result = self.call(x.to(self.dtype)).to(torch.float64)
        return result if result.dim() == 2 else result[:, None]

    def _jets(self, x: Tensor, spec: JetSpec) -> Tensor:
        x = x.detach().clone().requires_grad_()
        with torch.enable_grad():
            outputs = self._of(x)
            channels = [_channels(u, x, spec) for u in outputs.unbind(1)]
        return torch.stack(channels, 2).detach()


def _channels(u: Tensor, x: Tensor, spec: JetSpec) -> Tensor:
    """Channels (K, N) of one output u (N,): its points are independent, so their sum will do."""
    parts = [u[None]]
    if spec.order > 0:
        first = _gradient(u, x, again=bool(spec.pairs))
        parts.append(first.T)
        wanted = sorted({i for i, _ in spec.pairs})
        second = {i: _gradient(first[:, i], x, again=True) for i in wanted}
        parts += [second[i][None, :, j] for i, j in spec.pairs]
    return torch.cat(parts)


def _gradient(u: Tensor, x: Tensor, *, again: bool) -> Tensor:
    """du/dx, (N, d); zero where u does not depend on x."""
    if not u.requires_grad:
        return torch.zeros_like(x)
    (gradient,) = torch.autograd.grad(
        u.sum(), x, create_graph=again, retain_graph=True, allow_unused=True
    )
    return torch.zeros_like(x) if gradient is None else gradient


def settled(module: torch.nn.Module) -> torch.nn.Module:
    """A copy on the CPU in evaluation mode; the module itself where it cannot be copied."""
    # What a user's module holds is unknown: open files, locks, a trainer. Then there is no copy.
    with contextlib.suppress(Exception):
        module = copy.deepcopy(module)
    return module.cpu().eval()


def widest(module: torch.nn.Module, call: Call, probe: Tensor) -> torch.dtype:
    """float64 if the module computes in it once converted, else the type of its parameters.

    Args:
        call: the module as a function of (n, d) tensors.
        probe: (n, d), float64.
    Raises:
        ValueError: it does not run on such points at all.
    """
    own = next((p.dtype for p in module.parameters()), torch.float64)
    try:
        with torch.no_grad():
            module.double()
            if call(probe).dtype == torch.float64:
                return torch.float64
    except (RuntimeError, TypeError):  # a constant of its own type inside, say
        pass
    module.to(own)
    return own


def derivatives_hold(teacher: TorchModule, box: Box, probe: Tensor) -> bool:
    """Whether first and diagonal second derivatives by autograd are those of the values.

    A module may detach a part of its graph, or have an operation without a derivative: autograd
    then gives zeros, or fails. Differences see both; for small steps they err by far less than
    the half of all derivatives that must be wrong to be noticed.

    Args:
        probe: (n, d), a few points.
    """
    d, step = box.dim, STEPS.get(teacher.dtype, 0.05)
    spec = JetSpec(d, 2, tuple((i, i) for i in range(d)))
    try:
        jets = teacher.jets(probe, spec)
        for i, width in enumerate(box.upper - box.lower):
            shift = torch.zeros(d, dtype=torch.float64)
            shift[i] = step * width
            left, right = (teacher.jets(probe + sign * shift, spec) for sign in (-1, 1))
            for channel, known in ((0, 1 + i), (1 + i, 1 + d + i)):
                difference = (right[channel] - left[channel]) / (2 * shift[i])
                wrong = (jets[known] - difference).abs().sum()
                if not wrong <= difference.abs().sum() / 2 + 1e-3 * jets[0].abs().sum():
                    return False
    except RuntimeError:
        return False
    return bool(torch.isfinite(jets).all())
