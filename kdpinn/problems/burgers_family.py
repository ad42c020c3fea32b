r"""Burgers' equation for a whole range of viscosities at once: nu is an input of the network.

u_t + u u_x = \nu u_{xx},  u(x, 0) = -\sin \pi x,  u(\pm 1, t) = 0,  0.01 / \pi <= \nu <= 0.1.

The model's third input is nu itself, in its own unit. The layer's width is proportional to nu, so
that u varies with log nu rather than with nu. A file holds no logarithm, but a quotient: the
network sees (nu - m) / (nu + m) = tanh(log(nu / m) / 2) with the geometric mean m of the range,
which is nearly linear in log nu there. Points are spread evenly over nu; the equation is weighted
by (m / nu)^(1/2), which weighs their mean square as if they were spread evenly over log nu.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.burgers import NU as LEAST
from kdpinn.problems.burgers import cole_hopf, sine
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

GREATEST = 0.1
MIDDLE = float(np.sqrt(LEAST * GREATEST))
VISCOSITIES = 9


def residual(j: PointJet) -> Value:
    """(u_t + u u_x - nu u_xx) sqrt(m / nu)."""
    return j.weight * (j.u.t + j.u * j.u.x - j.nu * j.u.xx)


def weight(nu: FloatArray) -> FloatArray:
    """sqrt(m / nu), (n,)."""
    return np.asarray(np.sqrt(MIDDLE / nu), dtype=np.float64)


def features(c: PointJet) -> Sequence[Value]:
    """x, t, and a quotient that is nearly linear in log nu."""
    return c.x, c.t, (c.nu - MIDDLE) / (c.nu + MIDDLE)


def reference(x: FloatArray, t: FloatArray, nu: FloatArray) -> FloatArray:
    """u by the Cole-Hopf transformation, (n,)."""
    u = np.empty_like(x)
    for value in np.unique(nu):
        at = nu == value
        u[at] = cole_hopf(x[at], t[at], float(value))
    return u


def viscosities() -> tuple[float, ...]:
    """Nine values, evenly spread over log nu, both ends included."""
    values = np.geomspace(LEAST, GREATEST, VISCOSITIES)
    return (LEAST, *values[1:-1].tolist(), GREATEST)


RECIPES = {
    "quick": Recipe(
        teacher=(20, 20, 20, 20),
        students=((16, 16, 16),),
        training=Training(points=3000, condition_points=400, iterations=1000, last_iterations=200),
        distillation=Distillation(points=3000, iterations=2000, tune_iterations=100),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(24, 24, 24, 24),
        students=((16, 16, 16), (24, 24, 24)),
        training=Training(
            points=6000,
            condition_points=600,
            iterations=5000,
            last_iterations=1500,
            last_points=10_000,
            check_every=250,
        ),
        distillation=Distillation(points=6000, iterations=8000, tune_iterations=300),
    ),
}

BURGERS_FAMILY = Problem(
    name="burgers_family",
    title="Viscous Burgers equation, nu from 0.01/pi to 0.1",
    domain=Box(x=(-1, 1), t=(0, 1), nu=(LEAST, GREATEST)),
    fields=("u",),
    residual=residual,
    sources={"weight": weight},
    features=features,
    conditions=(
        dirichlet("initial", on=[{"t": 0}], u=sine),
        dirichlet("walls", on=[{"x": -1}, {"x": 1}], u=0.0),
    ),
    reference=reference,
    grid=(257, 101, VISCOSITIES),
    positions={"nu": viscosities()},
    recipes=RECIPES,
    source="Basdevant et al., Comput. Fluids 14 (1986) 23-41, doi:10.1016/0045-7930(86)90036-8.",
)
