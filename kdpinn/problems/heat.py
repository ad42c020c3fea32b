r"""The heat equation on the unit square, from two modes that decay at their own rates.

u_t = \alpha (u_xx + u_yy),  u = 0 on the border,
u(x, y, 0) = \sin \pi x \sin \pi y + \frac{1}{2} \sin 3\pi x \sin 2\pi y,  \alpha = 0.05.

A mode \sin k\pi x \sin m\pi y decays as \exp(-\alpha \pi^2 (k^2 + m^2) t), so that
u^* = e^{-2\alpha\pi^2 t} \sin \pi x \sin \pi y + \frac{1}{2} e^{-13\alpha\pi^2 t} \sin 3\pi x
\sin 2\pi y.

Initial and border values hold exactly, see `exact`: as conditions they cost a factor of six in the
error after 1500 iterations (1.5e-4 for 2.4e-5).
"""

from __future__ import annotations

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.field_jet import Value
from kdpinn.problems.functions import sin
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

ALPHA = 0.05
# (amplitude, k, m) of the modes.
MODES = ((1.0, 1, 1), (0.5, 3, 2))


def residual(j: PointJet) -> Value:
    """u_t - alpha (u_xx + u_yy)."""
    return j.u.t - j.alpha * (j.u.xx + j.u.yy)


def exact(c: PointJet) -> dict[str, tuple[Value, Value]]:
    """u = u(x, y, 0) + 16 t x (1 - x) y (1 - y) * network."""
    modes = (a * sin(k * np.pi * c.x) * sin(m * np.pi * c.y) for a, k, m in MODES)
    return {"u": (sum(modes), 16 * c.t * c.x * (1 - c.x) * c.y * (1 - c.y))}


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
            points=2000, iterations=1200, last_iterations=300, last_points=3000, check_every=100
        ),
        distillation=Distillation(
            points=2500, iterations=2000, tune_iterations=200, check_every=200
        ),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(20, 20, 20),
        students=((8, 8, 8), (10, 10, 10), (16, 16, 16)),
        training=Training(
            points=3000, iterations=6000, last_iterations=2000, last_points=5000, check_every=250
        ),
        distillation=Distillation(
            points=4000, iterations=8000, tune_iterations=500, check_every=250
        ),
    ),
}

HEAT = Problem(
    name="heat",
    title="Heat equation on a square, two modes",
    domain=Box(x=(0, 1), y=(0, 1), t=(0, 1)),
    fields=("u",),
    parameters={"alpha": ALPHA},
    residual=residual,
    exact=exact,
    reference=two_modes,
    grid=(65, 65, 33),
    recipes=RECIPES,
    source="Exact solution by separation of variables, see the module's docstring.",
)
