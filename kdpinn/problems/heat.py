r"""The heat equation on the unit square, from two modes that decay at their own rates.

u_t = \alpha (u_xx + u_yy),  u = 0 on the border,
u(x, y, 0) = \sin \pi x \sin \pi y + \frac{1}{2} \sin 3\pi x \sin 2\pi y,  \alpha = 0.05.

A mode \sin k\pi x \sin m\pi y decays as \exp(-\alpha \pi^2 (k^2 + m^2) t), so that
u^* = e^{-2\alpha\pi^2 t} \sin \pi x \sin \pi y + \frac{1}{2} e^{-13\alpha\pi^2 t} \sin 3\pi x
\sin 2\pi y.
"""

from __future__ import annotations

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Recipe, Training

ALPHA = 0.05
# (amplitude, k, m) of the modes.
MODES = ((1.0, 1, 1), (0.5, 3, 2))


def residual(j: PointJet) -> Value:
    """u_t - alpha (u_xx + u_yy)."""
    return j.u.t - j.alpha * (j.u.xx + j.u.yy)


def start(x: FloatArray, y: FloatArray) -> FloatArray:
    """The two modes at t = 0, (n,)."""
    return two_modes(x, y, np.zeros_like(x), ALPHA)


def two_modes(x: FloatArray, y: FloatArray, t: FloatArray, alpha: float) -> FloatArray:
    """u*, (n,)."""
    modes = [
        a
        * np.exp(-alpha * np.pi**2 * (k**2 + m**2) * t)
        * np.sin(k * np.pi * x)
        * np.sin(m * np.pi * y)
        for a, k, m in MODES
    ]
    return np.asarray(sum(modes), dtype=np.float64)


RECIPES = {
    "quick": Recipe(
        teacher=(20, 20, 20),
        students=((10, 10, 10),),
        training=Training(
            points=2000,
            condition_points=200,
            iterations=1200,
            last_iterations=300,
            last_points=3000,
        ),
        distillation=Distillation(points=2500, iterations=2000, tune_iterations=200),
    ),
    "best": Recipe(
        teacher=(20, 20, 20),
        students=((10, 10, 10), (16, 16, 16)),
        training=Training(
            points=3000,
            condition_points=300,
            iterations=6000,
            last_iterations=2000,
            last_points=6000,
        ),
        distillation=Distillation(points=4000, iterations=8000, tune_iterations=500),
    ),
}

HEAT = Problem(
    name="heat",
    title="Heat equation on a square, two modes",
    domain=Box(x=(0, 1), y=(0, 1), t=(0, 1)),
    fields=("u",),
    parameters={"alpha": ALPHA},
    residual=residual,
    conditions=(
        dirichlet("initial", on=[{"t": 0}], u=start),
        dirichlet("border", on=[{"x": 0}, {"x": 1}, {"y": 0}, {"y": 1}], u=0.0),
    ),
    reference=two_modes,
    grid=(65, 65, 33),
    recipes=RECIPES,
    source="Exact solution by separation of variables, see the module's docstring.",
)
