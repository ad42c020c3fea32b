"""Laplace's equation on a square, u_xx + u_yy = 0, with a cubic harmonic solution."""

from __future__ import annotations

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training


def residual(j: PointJet) -> Value:
    """u_xx + u_yy."""
    return j.u.xx + j.u.yy


def harmonic_cubic(x: FloatArray, y: FloatArray) -> FloatArray:
    """u* = x^3 - 3 x y^2 = Re (x + i y)^3, hence harmonic; (n,)."""
    return x**3 - 3 * x * y**2


RECIPES = {
    "quick": Recipe(
        teacher=(8, 8, 16),
        students=((6, 6, 6),),
        training=Training(points=1000, iterations=1300, last_iterations=300, last_points=1500),
        distillation=Distillation(points=1500, iterations=2000, tune_iterations=200),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(8, 8, 16),
        students=((6, 6, 6), (8, 8, 8)),
        training=Training(points=1500, iterations=6000, last_iterations=2000, last_points=3000),
        distillation=Distillation(points=2500, iterations=6000, tune_iterations=500),
    ),
}

LAPLACE = Problem(
    name="laplace",
    title="Laplace equation, cubic harmonic",
    domain=Box(x=(-1, 1), y=(-1, 1)),
    fields=("u",),
    residual=residual,
    conditions=(
        dirichlet("boundary", on=[{"x": -1}, {"x": 1}, {"y": -1}, {"y": 1}], u=harmonic_cubic),
    ),
    reference=harmonic_cubic,
    grid=(201, 201),
    recipes=RECIPES,
    source="Case of Liu et al. (Psi-NN, 2025), doi:10.1038/s41467-025-64624-3; exact solution.",
)
