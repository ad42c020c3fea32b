r"""Allen-Cahn by cosines in space and exponential time differencing.

u_t = \nu u_xx + \rho (u - u^3) on [-1, 1], periodic, from u(x, 0) = x^2 \cos \pi x.

The solution stays even, so that u = \sum_k a_k(t) \cos k\pi x. Each a_k decays by diffusion
exactly; the nonlinear part is integrated by the fourth-order Runge-Kutta scheme ETDRK4 of Cox &
Matthews, J. Comput. Phys. 176 (2002) 430-455, doi:10.1006/jcph.2002.6995, eqs. 26-29, with the
coefficients of Kassam & Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214-1233,
doi:10.1137/S1064827502410633, section 2.

The initial state, continued periodically, has a kink at x = 1 (slope 2 on one side, -2 on the
other). Its cosines fall off as 1/k^2 only, and near it u moves as the root of t at first. Hence
many modes, and steps that grow from 2^-GRADES of the first output time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.fft import dct

from kdpinn.geometry import FloatArray

MODES = 2048
STEP = 1 / 1000
GRADES = 20
STEPS_PER_GRADE = 8
CONTOUR_POINTS = 32


@dataclass(frozen=True)
class Steps:
    """ETDRK4 coefficients for one step h: each (modes + 1,).

    half, full: exp(L h / 2), exp(L h); q: (exp(L h / 2) - 1) / L; f1, f2, f3: the weights of the
    nonlinear part at the start, twice at the middle, and at the end.
    """

    half: FloatArray
    full: FloatArray
    q: FloatArray
    f1: FloatArray
    f2: FloatArray
    f3: FloatArray


def allen_cahn(
    x: FloatArray,
    t: FloatArray,
    diffusion: float,
    rate: float,
    *,
    modes: int = MODES,
    step: float = STEP,
) -> FloatArray:
    """u at points x, t, each (n,), |x| <= 1 and t >= 0; (n,).

    Args:
        diffusion, rate: nu and rho, both > 0.
        modes: cosines, and intervals of the collocation grid on [0, 1].
        step: longest time step.
    Raises:
        ValueError: t < 0, or a coefficient that is not positive.
    """
    if not (diffusion > 0 and rate > 0) or np.any(t < 0):
        raise ValueError(
            f"`allen_cahn` needs diffusion > 0, rate > 0 and t >= 0, got {diffusion}, {rate} and "
            f"t from {np.min(t)}."
        )
    xs, at_x = np.unique(x, return_inverse=True)
    ts, at_t = np.unique(t, return_inverse=True)
    amplitudes = cosines(tuple(ts.tolist()), diffusion, rate, modes, step)
    table = np.cos(np.pi * np.outer(xs, np.arange(modes + 1))) @ amplitudes.T
    u = table[at_x, at_t]
    # The cosines of the kink converge slowly; the initial state is known.
    return np.asarray(np.where(t == 0, initial(x), u), dtype=np.float64)


def initial(x: FloatArray) -> FloatArray:
    """x^2 cos pi x, (n,)."""
    return np.asarray(x**2 * np.cos(np.pi * x), dtype=np.float64)


def initial_cosines(modes: int) -> FloatArray:
    """Amplitudes of the initial state, (modes + 1,).

    By integration: interpolation on the grid would fold the slow tail back onto the low modes,
    an error of 2e-5 at t = 0.01 with 2048 of them.
    """
    k = np.arange(2, modes + 1)
    tail = 2 / np.pi**2 * (-1.0) ** (k - 1) * (1 / (k - 1) ** 2 + 1 / (k + 1) ** 2)
    return np.concatenate([[-2 / np.pi**2, 1 / 3 + 1 / (2 * np.pi**2)], tail])


@lru_cache(maxsize=4)
def cosines(
    times: Sequence[float], diffusion: float, rate: float, modes: int, step: float
) -> FloatArray:
    """a_k at ascending times >= 0: (times, modes + 1); cached."""
    a, now = initial_cosines(modes), 0.0
    rows = []
    for time in times:
        for length, count in _plan(now, time, step):
            # Rounded, so that equal intervals share their coefficients.
            steps = _coefficients(modes, diffusion, float(f"{length / count:.12g}"))
            for _ in range(count):
                a = _advance(a, steps, rate)
        now = time
        rows.append(a)
    return np.stack(rows)


def _plan(now: float, time: float, step: float) -> list[tuple[float, int]]:
    """Stretches (length, number of steps) from `now` to `time`; graded where u starts to move."""
    if time == now:
        return []
    if now > 0:
        return [(time - now, int(np.ceil((time - now) / step * (1 - 1e-9))))]
    ends = time * 2.0 ** np.arange(-GRADES, 1)
    lengths = np.diff(ends, prepend=0.0)
    return [(float(s), max(STEPS_PER_GRADE, int(np.ceil(s / step)))) for s in lengths]


def _advance(a: FloatArray, s: Steps, rate: float) -> FloatArray:
    """One step of ETDRK4."""
    n = _nonlinear(a, rate)
    b = s.half * a + s.q * n
    nb = _nonlinear(b, rate)
    c = s.half * a + s.q * nb
    nc = _nonlinear(c, rate)
    d = s.half * b + s.q * (2 * nc - n)
    nd = _nonlinear(d, rate)
    return s.full * a + s.f1 * n + s.f2 * (nb + nc) + s.f3 * nd


def _nonlinear(a: FloatArray, rate: float) -> FloatArray:
    """Cosines of rho (u - u^3)."""
    u = _from_cosines(a)
    return _to_cosines(rate * u * (1 - u * u))


@lru_cache(maxsize=64)
def _coefficients(modes: int, diffusion: float, h: float) -> Steps:
    """Means over a circle around each L h: the formulas themselves cancel where L h is small."""
    linear = -diffusion * (np.pi * np.arange(modes + 1)) ** 2
    circle = np.exp(1j * np.pi * (np.arange(CONTOUR_POINTS) + 0.5) / CONTOUR_POINTS)
    z = h * linear[:, None] + circle
    e = np.exp(z)

    def mean(values: np.ndarray) -> FloatArray:
        return np.asarray(h * np.real(values.mean(axis=1)), dtype=np.float64)

    return Steps(
        half=np.exp(h * linear / 2),
        full=np.exp(h * linear),
        q=mean((np.exp(z / 2) - 1) / z),
        f1=mean((-4 - z + e * (4 - 3 * z + z**2)) / z**3),
        f2=mean(2 * (2 + z + e * (z - 2)) / z**3),
        f3=mean((-4 - 3 * z - z**2 + e * (4 - z)) / z**3),
    )


def _to_cosines(u: FloatArray) -> FloatArray:
    """Values at the modes + 1 points of [0, 1] -> amplitudes."""
    a = dct(u, type=1) / (len(u) - 1)
    a[[0, -1]] /= 2
    return np.asarray(a, dtype=np.float64)


def _from_cosines(a: FloatArray) -> FloatArray:
    b = a / 2
    b[[0, -1]] *= 2
    return np.asarray(dct(b, type=1), dtype=np.float64)
