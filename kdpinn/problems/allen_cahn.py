r"""The Allen-Cahn equation with periodic ends: two phases part along sharp fronts.

u_t = \nu u_xx + \rho (u - u^3) on [-1, 1], periodic, u(x, 0) = x^2 \cos \pi x,
\nu = 10^{-4}, \rho = 5, t in [0, 1].

The network sees (cos pi x, sin pi x, t): it is periodic in x exactly, with all derivatives.
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
from kdpinn.problems.solvers import allen_cahn as solver
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

DIFFUSION = 1e-4
RATE = 5.0


def residual(j: PointJet) -> Value:
    """u_t - diffusion u_xx - rate (u - u^3)."""
    return j.u.t - j.diffusion * j.u.xx - j.rate * (j.u - j.u**3)


def features(c: PointJet) -> Sequence[Value]:
    """Functions of period 2 in x, and time."""
    return cos(np.pi * c.x), sin(np.pi * c.x), c.t


def reference(x: FloatArray, t: FloatArray, diffusion: float, rate: float) -> FloatArray:
    """u by cosines and exponential time differencing, error below 1e-11, (n,)."""
    return solver.allen_cahn(x, t, diffusion, rate)


RECIPES = {
    "quick": Recipe(
        teacher=(20, 20, 20),
        students=((16, 16, 16),),
        training=Training(
            points=2500, adam=1000, iterations=1500, last_iterations=500, last_points=4000
        ),
        distillation=Distillation(points=3000, iterations=2500, tune_iterations=200),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(30, 30, 30),
        students=((16, 16, 16), (20, 20, 20)),
        training=Training(
            points=5000,
            adam=2000,
            adam_points=2000,
            iterations=9000,
            last_iterations=3000,
            last_points=8000,
            check_every=100,
        ),
        distillation=Distillation(points=5000, iterations=10_000, tune_iterations=500),
    ),
}

ALLEN_CAHN = Problem(
    name="allen_cahn",
    title="Allen-Cahn equation, periodic",
    domain=Box(x=(-1, 1), t=(0, 1)),
    fields=("u",),
    parameters={"diffusion": DIFFUSION, "rate": RATE},
    residual=residual,
    conditions=(dirichlet("initial", on=[{"t": 0}], u=solver.initial),),
    features=features,
    reference=reference,
    grid=(257, 101),
    recipes=RECIPES,
    source="Case of Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686-707, "
    "doi:10.1016/j.jcp.2018.10.045; reference: kdpinn/problems/solvers/allen_cahn.py.",
)
