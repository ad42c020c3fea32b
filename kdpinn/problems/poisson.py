r"""Poisson's equation on the unit square with four sine modes.

u_xx + u_yy = f,  f = \sum_{k=1}^{4} \frac{1}{2} (-1)^{k+1} k^2 s_k,  s_k = \sin k\pi x \sin k\pi y.

With \Delta s_k = -2 k^2 \pi^2 s_k the solution that vanishes on the boundary is
u^* = -\frac{1}{4\pi^2} \sum_k (-1)^{k+1} s_k.
"""

from __future__ import annotations

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

MODES = (1, 2, 3, 4)


def residual(j: PointJet) -> Value:
    """u_xx + u_yy - f."""
    return j.u.xx + j.u.yy - j.f


def exact(c: PointJet) -> dict[str, tuple[Value, Value]]:
    """u = 16 x (1 - x) y (1 - y) * network.

    As a term of the loss, with weight 1000, the border left an error of 1.1e-4 where this form
    reaches 1.2e-5 with the same 2000 iterations, and a student of 261 parameters 1.2e-4 where
    this one reaches 1.4e-5.
    """
    return {"u": (0.0, 16 * c.x * (1 - c.x) * c.y * (1 - c.y))}


def forcing(x: FloatArray, y: FloatArray) -> FloatArray:
    """f, (n,)."""
    modes = [0.5 * (-1) ** (k + 1) * k**2 * _mode(k, x, y) for k in MODES]
    return np.asarray(sum(modes), dtype=np.float64)


def sine_modes(x: FloatArray, y: FloatArray) -> FloatArray:
    """u*, (n,)."""
    modes = [(-1) ** (k + 1) * _mode(k, x, y) for k in MODES]
    return np.asarray(sum(modes), dtype=np.float64) / (-4 * np.pi**2)


def _mode(k: int, x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(np.sin(k * np.pi * x) * np.sin(k * np.pi * y), dtype=np.float64)


RECIPES = {
    "quick": Recipe(
        teacher=(40, 20, 20),
        students=((10, 10, 10),),
        training=Training(points=1800, iterations=1600, last_iterations=400, last_points=2500),
        distillation=Distillation(points=2500, iterations=2500, tune_iterations=200),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(40, 20, 20),
        students=((8, 8, 8), (10, 10, 10), (20, 20, 20)),
        training=Training(points=3000, iterations=9000, last_iterations=3000, last_points=6000),
        distillation=Distillation(points=4000, iterations=10_000, tune_iterations=1000),
    ),
}

POISSON = Problem(
    name="poisson",
    title="Poisson equation, four sine modes",
    domain=Box(x=(0, 1), y=(0, 1)),
    fields=("u",),
    residual=residual,
    exact=exact,
    sources={"f": forcing},
    reference=sine_modes,
    grid=(201, 201),
    recipes=RECIPES,
    source="Exact solution, see the module's docstring.",
)
