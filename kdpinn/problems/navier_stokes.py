r"""The Taylor-Green vortex: plane incompressible flow that decays without changing its shape.

u_x + v_y = 0,
u_t + u u_x + v u_y + p_x = \nu (u_xx + u_yy),
v_t + u v_x + v v_y + p_y = \nu (v_xx + v_yy)  on [0, 2\pi]^2, density 1, \nu = 0.05.

u = -\cos x \sin y \, e^{-2\nu t},  v = \sin x \cos y \, e^{-2\nu t},
p = -\frac{1}{4} (\cos 2x + \cos 2y) \, e^{-4\nu t}.

The equations and the given velocities leave the pressure open up to a function of time: it is
fixed by its exact value on the edge x = y = 0.

The vortex is periodic, and the box is one period: the network sees (cos x, sin x, cos y, sin y, t).
With x and y themselves a run of 1200 iterations ended at an error of 8e-3, in place of 3e-4.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.functions import cos, sin
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

NU = 0.05
LENGTH = 2 * np.pi


def residual(j: PointJet) -> dict[str, Value]:
    """Conservation of mass, and of momentum in x and y."""
    u, v, p = j.u, j.v, j.p
    return {
        "mass": u.x + v.y,
        "momentum_x": u.t + u * u.x + v * u.y + p.x - j.nu * (u.xx + u.yy),
        "momentum_y": v.t + u * v.x + v * v.y + p.y - j.nu * (v.xx + v.yy),
    }


def velocity_x(x: FloatArray, y: FloatArray, t: FloatArray, nu: float) -> FloatArray:
    """-cos x sin y exp(-2 nu t), (n,)."""
    return np.asarray(-np.cos(x) * np.sin(y) * np.exp(-2 * nu * t), dtype=np.float64)


def velocity_y(x: FloatArray, y: FloatArray, t: FloatArray, nu: float) -> FloatArray:
    """sin x cos y exp(-2 nu t), (n,)."""
    return np.asarray(np.sin(x) * np.cos(y) * np.exp(-2 * nu * t), dtype=np.float64)


def pressure(x: FloatArray, y: FloatArray, t: FloatArray, nu: float) -> FloatArray:
    """-(cos 2x + cos 2y) exp(-4 nu t) / 4, (n,)."""
    shape = -0.25 * (np.cos(2 * x) + np.cos(2 * y))
    return np.asarray(shape * np.exp(-4 * nu * t), dtype=np.float64)


def vortex(
    x: FloatArray, y: FloatArray, t: FloatArray, nu: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """u, v and p, each (n,).

    Source: Taylor & Green, Proc. R. Soc. A 158 (1937) 499-521, doi:10.1098/rspa.1937.0036; the
    plane case, in which the products of the velocities are a gradient.
    """
    return velocity_x(x, y, t, nu), velocity_y(x, y, t, nu), pressure(x, y, t, nu)


def features(c: PointJet) -> Sequence[Value]:
    """Functions of period 2 pi in x and y, and time."""
    return cos(c.x), sin(c.x), cos(c.y), sin(c.y), c.t


RECIPES = {
    "quick": Recipe(
        teacher=(20, 20, 20),
        students=((14, 14, 14),),
        training=Training(
            points=1500,
            condition_points=150,
            iterations=1000,
            last_iterations=200,
            last_points=2000,
            check_every=100,
        ),
        distillation=Distillation(
            points=2000, iterations=1500, tune_iterations=100, check_every=250
        ),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(20, 20, 20),
        students=((14, 14, 14), (20, 20, 20)),
        training=Training(
            points=2500,
            condition_points=200,
            iterations=7000,
            last_iterations=2500,
            last_points=4000,
            check_every=250,
        ),
        distillation=Distillation(
            points=4000, iterations=8000, tune_iterations=300, check_every=250
        ),
    ),
}

WALLS = [{"x": 0.0}, {"x": LENGTH}, {"y": 0.0}, {"y": LENGTH}]

NAVIER_STOKES = Problem(
    name="navier_stokes",
    title="Taylor-Green vortex, nu = 0.05",
    domain=Box(x=(0, LENGTH), y=(0, LENGTH), t=(0, 1)),
    fields=("u", "v", "p"),
    parameters={"nu": NU},
    residual=residual,
    conditions=(
        # The error of p is a residual times a length of 2 pi. With weight 100 for the conditions a
        # run of 1200 iterations ended at a relative error of p of 4e-2, with 1 at 1.2e-2.
        dirichlet("initial", on=[{"t": 0}], u=velocity_x, v=velocity_y, weight=1.0),
        dirichlet("border", on=WALLS, u=velocity_x, v=velocity_y, weight=1.0),
        dirichlet("gauge", on=[{"x": 0, "y": 0}], p=pressure, weight=10.0),
    ),
    features=features,
    reference=vortex,
    grid=(65, 65, 21),
    recipes=RECIPES,
    source="Taylor & Green, Proc. R. Soc. A 158 (1937) 499-521, doi:10.1098/rspa.1937.0036.",
)
