r"""The Black-Scholes equation for a European call: diffusion backwards from a kink at expiry.

V_t + \frac{1}{2} \sigma^2 S^2 V_SS + r S V_S - r V = 0,  V(S, T) = \max(S - K, 0),
S in [0, 200], t in [0, T], K = 100, r = 0.05, \sigma = 0.2, T = 1.

The network learns V / S, which is of order one, V = S * network: V(0, t) = 0 then holds exactly. At
S = 200 the closed form is prescribed, so that cutting the domain off there adds no error.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from kdpinn.geometry import Box, FloatArray
from kdpinn.problems.condition import dirichlet
from kdpinn.problems.field_jet import Value
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Distillation, Pruning, Recipe, Training

TOP = 200.0


def residual(j: PointJet) -> Value:
    """V_t + sigma^2 S^2 V_SS / 2 + r S V_S - r V."""
    return j.V.t + 0.5 * j.sigma**2 * j.S**2 * j.V.SS + j.r * j.S * j.V.S - j.r * j.V


def payoff(S: FloatArray, K: float) -> FloatArray:
    """max(S - K, 0), (n,)."""
    return np.maximum(S - K, 0.0)


def call_price(
    S: FloatArray, t: FloatArray, K: float, r: float, sigma: float, T: float
) -> FloatArray:
    r"""Price of the call, (n,), in the unit of S.

    V = S N(d_1) - K e^{-r(T-t)} N(d_2),  d_{1,2} = \frac{\ln(S/K) + (r \pm \sigma^2/2)(T-t)}
    {\sigma \sqrt{T-t}}; at expiry, and at S = 0, its limit.

    Args:
        S, t: (n,) each, S >= 0, t <= T.
        K, r, sigma, T: strike, rate per time, volatility per root of time, expiry.
    Source: Black & Scholes, J. Polit. Econ. 81 (1973) 637-654, doi:10.1086/260062, eq. 13.
    """
    left = np.maximum(T - t, 0.0)
    spread = sigma * np.sqrt(left)
    inside = (spread > 0) & (S > 0)
    moneyness = np.log(np.where(inside, S, K) / K)
    d1 = (moneyness + (r + sigma**2 / 2) * left) / np.where(inside, spread, 1.0)
    price = S * ndtr(d1) - K * np.exp(-r * left) * ndtr(d1 - spread)
    return np.asarray(np.where(inside, price, np.maximum(S - K, 0.0)), dtype=np.float64)


def price_over_spot(c: PointJet) -> dict[str, tuple[Value, Value]]:
    """V = 0 + S * network."""
    return {"V": (0.0, c.S)}


RECIPES = {
    "quick": Recipe(
        teacher=(20, 20, 20),
        students=((10, 10, 10),),
        training=Training(points=2000, iterations=1500, last_iterations=500, last_points=3000),
        distillation=Distillation(points=2500, iterations=2500, tune_iterations=200),
    ),
    "best": Recipe(
        pruning=Pruning(),
        teacher=(20, 20, 20, 20),
        students=((12, 8), (10, 10, 10), (20, 20, 20)),
        training=Training(points=4000, iterations=6000, last_iterations=2000, last_points=6000),
        distillation=Distillation(points=4000, iterations=10_000, tune_iterations=500),
    ),
}

BLACK_SCHOLES = Problem(
    name="black_scholes",
    title="Black-Scholes equation, European call",
    domain=Box(S=(0, TOP), t=(0, 1)),
    fields=("V",),
    parameters={"K": 100.0, "r": 0.05, "sigma": 0.2, "T": 1.0},
    residual=residual,
    conditions=(
        dirichlet("expiry", on=[{"t": 1}], V=payoff),
        dirichlet("top", on=[{"S": TOP}], V=call_price),
    ),
    exact=price_over_spot,
    reference=call_price,
    grid=(201, 101),
    recipes=RECIPES,
    source="Black & Scholes, J. Polit. Econ. 81 (1973) 637-654, doi:10.1086/260062.",
)
