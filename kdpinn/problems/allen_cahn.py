r"""The Allen-Cahn equation with periodic ends: two phases part along sharp fronts.

u_t = \nu u_xx + \rho (u - u^3) on [-1, 1], periodic, u(x, 0) = x^2 \cos \pi x,
\nu = 10^{-4}, \rho = 5, t in [0, 1].

The network sees (cos pi x, sin pi x, t): it is periodic in x exactly, with all derivatives.

u_0, continued periodically, has a kink at x = +-1, which diffusion rounds off over a width of
\sqrt{4 \nu t}. Within 0.03 of it lay nearly all of the error of a network of 2011 parameters after
14,000 iterations, 3.6e-5 of 3.7e-5: points spread evenly hardly meet so small a spot, and the rare
ones that do rule the loss. So, as at the lid of the cavity, the equation is weighted by s / 0.05
for a distance s = t + (1 - |x|)^2 / (4 \nu) < 0.05 from the kink, the initial values by
(1 - |x|) / 0.02, and both are also taken, with little weight, at points that are spread evenly over
the logarithm of this distance: 1.7e-5, of which 5e-6 near the kink.

What is left grows along the fronts, where reaction amplifies a disturbance by up to e^{5 t}: early
residuals do more harm than late ones. The equation is therefore also weighted by exp(1 - 2 t), and
the weights of the points around the kink are a fifth of what they were for that: 8.0e-6 after the
same 14,000 iterations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.places import Points
from kdpinn.problems.condition import Condition, dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.functions import cos, sin
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.problems.solvers import allen_cahn as solver
from kdpinn.recipe import Distillation, Pruning, Recipe, Training
from kdpinn.sampling import sobol

DIFFUSION = 1e-4
RATE = 5.0
# The kink: how far its weights reach, and where its points begin.
REACH, INITIAL_REACH = 0.05, 0.02
NEAREST, INITIAL_NEAREST = 1e-3, 1e-4
KINK_POINTS, KINK_INITIAL_POINTS = 300, 60


def residual(j: PointJet) -> Value:
    """u_t - diffusion u_xx - rate (u - u^3), weighted by time and near the kink."""
    return j.weight * (j.u.t - j.diffusion * j.u.xx - j.rate * (j.u - j.u**3))


def initial_residual(j: PointJet) -> Value:
    """u - u_0, weighted near the kink."""
    return j.near_initial * (j.u - j.u_initial)


def weight(x: FloatArray, t: FloatArray, diffusion: float) -> FloatArray:
    """exp(1 - 2 t) min(1, s / REACH) with s = t + (1 - |x|)^2 / (4 nu), (n,)."""
    away = t + (1 - np.abs(x)) ** 2 / (4 * diffusion)
    return np.asarray(np.exp(1 - 2 * t) * np.minimum(1.0, away / REACH), dtype=np.float64)


def near_initial(x: FloatArray) -> FloatArray:
    """min(1, (1 - |x|) / INITIAL_REACH), (n,)."""
    return np.minimum(1.0, (1 - np.abs(x)) / INITIAL_REACH)


def around_kink(count: int) -> FloatArray:
    """Points spread evenly over log s, and at each s over its part in time, (count, 2)."""
    z = sobol(count, 3, seed=0)
    s = NEAREST * (REACH / NEAREST) ** z[:, 0]
    y = np.sqrt(4 * DIFFUSION * s * (1 - z[:, 1]))
    return np.stack([np.where(z[:, 2] < 0.5, 1 - y, y - 1), s * z[:, 1]], axis=1)


def initial_around_kink(per_side: int) -> FloatArray:
    """Points at t = 0, evenly over log(1 - |x|), and the kink itself, (2 per_side + 1, 2)."""
    y = np.geomspace(INITIAL_NEAREST, INITIAL_REACH, per_side)
    x = np.concatenate([1 - y, y - 1, [1.0]])
    return np.stack([x, np.zeros_like(x)], axis=1)


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
        students=((12, 12, 10), (16, 16, 16), (20, 20, 20)),
        training=Training(
            points=4000,
            adam=2000,
            adam_points=2000,
            iterations=6000,
            last_iterations=8000,
            last_points=6000,
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
    sources={"weight": weight},
    conditions=(
        Condition(
            "initial",
            on=[{"t": 0}],
            residual=initial_residual,
            data={"u_initial": solver.initial, "near_initial": near_initial},
        ),
        Condition("kink", on=[Points(around_kink(KINK_POINTS))], residual=residual, weight=2e-4),
        dirichlet(
            "kink_initial",
            on=[Points(initial_around_kink(KINK_INITIAL_POINTS))],
            u=solver.initial,
            weight=0.02,
        ),
    ),
    features=features,
    reference=reference,
    grid=(257, 101),
    recipes=RECIPES,
    source="Case of Raissi, Perdikaris & Karniadakis, J. Comput. Phys. 378 (2019) 686-707, "
    "doi:10.1016/j.jcp.2018.10.045; reference: kdpinn/problems/solvers/allen_cahn.py.",
)
