r"""Burgers' equation for a whole range of viscosities at once: nu is an input of the network.

u_t + u u_x = \nu u_{xx},  u(x, 0) = -\sin \pi x,  u(\pm 1, t) = 0,  0.01 / \pi <= \nu <= 0.1.

The model's third input is nu itself, in its own unit. The width of the layer at x = 0 runs through
a factor of thirty, so the network is given the layer's own coordinate, and learns what varies
slowly in it. With s = tanh(x / (2 nu)), the steady layer -s of the equation between u = 1 and -1,

    u = -\sin \pi x + t (1 - x^2) s N(x s, s^2, t, l),  l = (nu - m) / (nu + m).

Initial and boundary values hold exactly, and u is odd in x as the solution is: the inputs x s, a
smooth |x|, and s^2 are even. l = tanh(log(nu / m) / 2) with the geometric mean m of the range is
nearly linear in log nu; a file holds no logarithm, but a quotient. Points are spread evenly over
log nu.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.burgers import NU as LEAST
from kdpinn.problems.burgers import cole_hopf, residual
from kdpinn.problems.field_jet import Value
from kdpinn.problems.functions import sin, tanh
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

GREATEST = 0.1
MIDDLE = float(np.sqrt(LEAST * GREATEST))
VISCOSITIES = 9


def layer(c: PointJet) -> Value:
    """s = tanh(x / (2 nu))."""
    return tanh(c.x / (2 * c.nu))


def features(c: PointJet) -> Sequence[Value]:
    """x s, s^2, t, and a quotient that is nearly linear in log nu."""
    s = layer(c)
    return c.x * s, s**2, c.t, (c.nu - MIDDLE) / (c.nu + MIDDLE)


def exact(c: PointJet) -> dict[str, tuple[Value, Value]]:
    """u = -sin(pi x) + t (1 - x^2) s * network."""
    return {"u": (-sin(np.pi * c.x), c.t * (1 - c.x**2) * layer(c))}


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
        teacher=(20, 20, 20),
        students=((10, 10, 10),),
        training=Training(points=3000, iterations=900, last_iterations=300),
        distillation=Distillation(points=3000, iterations=2000, tune_iterations=100),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(24, 24, 24),
        students=((10, 10, 10), (16, 16, 16)),
        training=Training(
            points=5000,
            iterations=5000,
            last_iterations=2000,
            last_points=10_000,
            check_every=250,
        ),
        distillation=Distillation(points=5000, iterations=6000, tune_iterations=300),
    ),
}

BURGERS_FAMILY = Problem(
    name="burgers_family",
    title="Viscous Burgers equation, nu from 0.01/pi to 0.1",
    domain=Box(x=(-1, 1), t=(0, 1), nu=(LEAST, GREATEST), logarithmic=("nu",)),
    fields=("u",),
    residual=residual,
    features=features,
    exact=exact,
    reference=reference,
    grid=(257, 101, VISCOSITIES),
    positions={"nu": viscosities()},
    recipes=RECIPES,
    source="Basdevant et al., Comput. Fluids 14 (1986) 23-41, doi:10.1016/0045-7930(86)90036-8.",
)
