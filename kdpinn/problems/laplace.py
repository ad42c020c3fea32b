"""Laplace's equation on a square, u_xx + u_yy = 0, with a cubic harmonic solution."""

from __future__ import annotations

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem


def residual(j: PointJet) -> Value:
    """u_xx + u_yy."""
    return j.u.xx + j.u.yy


def harmonic_cubic(x: FloatArray, y: FloatArray) -> FloatArray:
    """u* = x^3 - 3 x y^2 = Re (x + i y)^3, hence harmonic; (n,)."""
    return x**3 - 3 * x * y**2


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
    source="Case of Liu et al. (Psi-NN, 2025), doi:10.1038/s41467-025-64624-3; exact solution.",
)
