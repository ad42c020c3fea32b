r"""The viscous Burgers equation from a sine, which steepens into a layer at x = 0.

u_t + u u_x = \nu u_{xx},  u(x, 0) = -\sin \pi x,  u(\pm 1, t) = 0,  \nu = 0.01 / \pi.
"""

from __future__ import annotations

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

NU = 0.01 / np.pi
# At nu = 0.01/pi and t <= 1 the error stays below 1e-14 from 128 nodes on (40 nodes: 7e-7);
# tests/kdpinn/test_exact_solutions.py measures it against 40-digit arithmetic.
NODES = 200
CHUNK = 4096


def residual(j: PointJet) -> Value:
    """u_t + u u_x - nu u_xx."""
    return j.u.t + j.u * j.u.x - j.nu * j.u.xx


def sine(x: FloatArray) -> FloatArray:
    """The initial state -sin(pi x), (n,)."""
    return np.asarray(-np.sin(np.pi * x), dtype=np.float64)


def cole_hopf(x: FloatArray, t: FloatArray, nu: float = NU, nodes: int = NODES) -> FloatArray:
    r"""Exact solution by the Cole-Hopf transformation and Gauss-Hermite quadrature, (n,).

    u(x, t) = -\frac{\int \sin(\pi y) E(y) e^{-z^2} dz}{\int E(y) e^{-z^2} dz},
    with y = x - 2 \sqrt{\nu t} z and E(y) = \exp(-\cos(\pi y) / (2 \pi \nu)).

    Args:
        x, t: (n,) each; t >= 0. At t = 0 the initial state itself is returned.
        nu: viscosity, > 0, in [x]^2/[t].
        nodes: of the quadrature.
    Returns:
        u, (n,); absolute error below 1e-12 for nu >= 0.01/pi and t <= 1, growing for smaller nu.
    Raises:
        ValueError: t < 0 or nu <= 0.
    Source: Basdevant et al., Comput. Fluids 14 (1986) 23-41, doi:10.1016/0045-7930(86)90036-8.
    """
    x, t = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(t, np.float64))
    if not nu > 0 or np.any(t < 0):
        raise ValueError(f"`cole_hopf` needs nu > 0 and t >= 0, got nu = {nu}, t from {np.min(t)}.")
    z, weight = np.polynomial.hermite.hermgauss(nodes)
    u = sine(x.ravel())
    moving = np.flatnonzero(t.ravel() > 0)
    for part in np.split(moving, range(CHUNK, len(moving), CHUNK)):
        u[part] = _quadrature(x.ravel()[part], t.ravel()[part], nu, z, weight)
    return u.reshape(x.shape)


def _quadrature(
    x: FloatArray, t: FloatArray, nu: float, z: FloatArray, weight: FloatArray
) -> FloatArray:
    y = x[:, None] - 2 * np.sqrt(nu * t)[:, None] * z
    exponent = -np.cos(np.pi * y) / (2 * np.pi * nu)
    # Only the ratio counts: without the shift E overflows for nu < 2.3e-4.
    kernel = weight * np.exp(exponent - exponent.max(axis=1, keepdims=True))
    ratio = np.sum(kernel * np.sin(np.pi * y), axis=1) / np.sum(kernel, axis=1)
    return np.asarray(-ratio, dtype=np.float64)


RECIPES = {
    "quick": Recipe(
        teacher=(20, 20, 20, 20),
        students=((10, 10, 10),),
        training=Training(points=2000, condition_points=250, iterations=1500, last_iterations=300),
        distillation=Distillation(points=2500, iterations=2500, tune_iterations=200),
    ),
    "best": Recipe(
        pruning=Pruning(between=0.8),
        teacher=(20, 20, 20, 20),
        students=(
            (5, 5, 5, 4),
            (7, 6, 7, 6),
            (7, 8, 9, 8),
            (11, 12, 11, 11),
            (15, 17, 17, 15),
        ),
        training=Training(
            points=4000, iterations=9000, last_iterations=3000, last_points=8000, check_every=100
        ),
        distillation=Distillation(
            points=4000, iterations=12_000, pruned_start=True, tune_iterations=1000
        ),
    ),
}

BURGERS = Problem(
    name="burgers",
    title="Viscous Burgers equation, nu = 0.01/pi",
    domain=Box(x=(-1, 1), t=(0, 1)),
    fields=("u",),
    parameters={"nu": NU},
    residual=residual,
    conditions=(
        dirichlet("initial", on=[{"t": 0}], u=sine),
        dirichlet("walls", on=[{"x": -1}, {"x": 1}], u=0.0),
    ),
    reference=cole_hopf,
    grid=(257, 101),
    recipes=RECIPES,
    source="Basdevant et al., Comput. Fluids 14 (1986) 23-41, doi:10.1016/0045-7930(86)90036-8.",
)
