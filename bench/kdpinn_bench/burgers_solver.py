r"""The viscous Burgers equation by a Fourier pseudospectral method: what a network is up against.

u_t + u u_x = \nu u_{xx} on [-1, 1] with u(x, 0) = -\sin \pi x is odd and periodic, so that
u(\pm 1, t) = 0 holds by itself. The product is dealiased by the 2/3 rule (Orszag, J. Atmos. Sci. 28
(1971) 1074); time steps are ETDRK4, exact for the stiff linear part (Cox & Matthews, J. Comput.
Phys. 176 (2002) 430-455; coefficients by contour integrals: Kassam & Trefethen, SIAM J. Sci.
Comput. 26 (2005) 1214-1233, doi:10.1137/S1064827502410633).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

FloatArray = NDArray[np.float64]
ComplexArray = NDArray[np.complex128]
Rate = Callable[[ComplexArray], ComplexArray]

_CONTOUR = 32
"""Points on the half circle of the contour integrals; more change nothing (cited paper: 32)."""


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """nodes: over [-1, 1), even; steps: in time between two rows of the output."""

    nodes: int
    steps: int

    def __post_init__(self) -> None:
        if self.nodes < 4 or self.nodes % 2 or self.steps < 1:
            raise ValueError(
                "`Resolution` needs an even number of nodes, 4 or more, and 1 step or more, got "
                f"{self.nodes} nodes, {self.steps} steps."
            )


class _Etdrk4:
    """Coefficients of a step of length h for u_t = L u + N(u), L diagonal, real."""

    def __init__(self, linear: FloatArray, h: float) -> None:
        self.whole, self.half = np.exp(h * linear), np.exp(h * linear / 2)
        angles = np.exp(1j * np.pi * (np.arange(1, _CONTOUR + 1) - 0.5) / _CONTOUR)
        z = h * linear[:, None] + angles[None, :]
        e = np.exp(z)

        def mean(values: ComplexArray) -> FloatArray:
            return np.asarray(h * np.real(values.mean(axis=1)))

        self.inner = mean((np.exp(z / 2) - 1) / z)
        self.first = mean((-4 - z + e * (4 - 3 * z + z**2)) / z**3)
        self.middle = 2 * mean((2 + z + e * (z - 2)) / z**3)
        self.last = mean((-4 - 3 * z - z**2 + e * (4 - z)) / z**3)


def solve(times: FloatArray, nu: float, resolution: Resolution) -> FloatArray:
    """u at the nodes x = -1 + 2 j / nodes, j = 0 .. nodes, and at `times`: (nodes + 1, times).

    times: evenly spaced from 0. The last row of nodes is x = 1, the first one's period.
    """
    n = resolution.nodes
    x = -1 + 2 * np.arange(n) / n
    wave = np.pi * np.arange(n // 2 + 1, dtype=np.float64)
    step = _Etdrk4(np.asarray(-nu * wave * wave), (times[1] - times[0]) / resolution.steps)
    product = -0.5j * wave * (np.arange(n // 2 + 1) < n / 3)

    def nonlinear(v: ComplexArray) -> ComplexArray:
        u = irfft(v, n)
        return np.asarray(product * rfft(u * u))

    v = np.asarray(rfft(-np.sin(np.pi * x)))
    out = np.empty((n + 1, len(times)))
    out[:n, 0] = -np.sin(np.pi * x)
    for column in range(1, len(times)):
        for _ in range(resolution.steps):
            v = _advance(v, step, nonlinear)
        out[:n, column] = irfft(v, n)
    out[n] = out[0]
    return out


def _advance(v: ComplexArray, step: _Etdrk4, rate: Rate) -> ComplexArray:
    """One step; eqs. 26-29 of Cox & Matthews."""
    now = rate(v)
    a = step.half * v + step.inner * now
    at_a = rate(a)
    b = step.half * v + step.inner * at_a
    at_b = rate(b)
    c = step.half * a + step.inner * (2 * at_b - now)
    moved = step.whole * v + step.first * now + step.middle * (at_a + at_b)
    return np.asarray(moved + step.last * rate(c))
