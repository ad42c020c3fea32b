"""Heat, Taylor-Green and Black-Scholes: the closed forms solve the equations, and are computed."""

import numpy as np
import pytest
import sympy as sp
from symbolic import at, largest_residual, parameters, symbols

from kdpinn.problems import Problem, load_problem
from kdpinn.problems.black_scholes import call_price
from kdpinn.sampling import interior

EPS = np.finfo(np.float64).eps
HEAT, VORTEX, OPTION = (load_problem(name) for name in ("heat", "navier_stokes", "black_scholes"))
POINTS = 3


def points(problem: Problem) -> np.ndarray:
    inside = interior(problem.domain, 64, seed=1).numpy()
    # The closed form of the option has a limit, no value, at expiry and at S = 0.
    z = problem.domain.to_unit(inside)
    return inside[np.all((z > 0.02) & (z < 0.98), axis=1)][:POINTS]


def heat_modes() -> dict[str, sp.Expr]:
    x, y, t = symbols(HEAT)
    alpha, pi = parameters(HEAT)["alpha"], sp.pi
    slow = sp.exp(-2 * alpha * pi**2 * t) * sp.sin(pi * x) * sp.sin(pi * y)
    fast = sp.exp(-13 * alpha * pi**2 * t) * sp.sin(3 * pi * x) * sp.sin(2 * pi * y)
    return {"u": slow + fast / 2}


def vortex() -> dict[str, sp.Expr]:
    x, y, t = symbols(VORTEX)
    decay = sp.exp(-2 * parameters(VORTEX)["nu"] * t)
    return {
        "u": -sp.cos(x) * sp.sin(y) * decay,
        "v": sp.sin(x) * sp.cos(y) * decay,
        "p": -(sp.cos(2 * x) + sp.cos(2 * y)) * decay**2 / 4,
    }


def option() -> dict[str, sp.Expr]:
    S, t = symbols(OPTION)
    K, r, sigma, T = parameters(OPTION).values()
    left = T - t

    def normal(d: sp.Expr) -> sp.Expr:
        return sp.erfc(-d / sp.sqrt(2)) / 2

    d1 = (sp.log(S / K) + (r + sigma**2 / 2) * left) / (sigma * sp.sqrt(left))
    d2 = d1 - sigma * sp.sqrt(left)
    return {"V": S * normal(d1) - K * sp.exp(-r * left) * normal(d2)}


SOLUTIONS = {"heat": (HEAT, heat_modes()), "vortex": (VORTEX, vortex()), "call": (OPTION, option())}


@pytest.mark.parametrize("case", SOLUTIONS)
def test_closed_form_solves_the_equations(case):
    problem, solution = SOLUTIONS[case]
    # Forty digits, of which terms up to 1e4 and their sums take a few.
    assert largest_residual(problem, solution, points(problem)) < 1e-30


@pytest.mark.parametrize(
    ("case", "parameter"), [("heat", "alpha"), ("vortex", "nu"), ("call", "sigma"), ("call", "r")]
)
def test_wrong_coefficient_is_seen(case, parameter):
    problem, solution = SOLUTIONS[case]
    true = {symbol: sp.Rational(problem.parameters[n]) for n, symbol in parameters(problem).items()}
    solution = {field: u.subs(true) for field, u in solution.items()}
    off = problem.replace(parameters={parameter: problem.parameters[parameter] * (1 + 1e-9)})
    assert largest_residual(off, solution, points(problem)[:1]) > 1e-12


@pytest.mark.parametrize("case", SOLUTIONS)
def test_references_compute_the_closed_forms(case):
    problem, solution = SOLUTIONS[case]
    x = points(problem)
    got = problem.reference_at(x)
    for column, field in enumerate(problem.fields):
        wanted = at(problem, solution[field], x)
        # Arguments up to 10 are rounded, then some 20 operations on values up to S, K or 1.
        scale = max(1.0, abs(problem.domain.upper).max())
        assert np.all(abs(got[:, column] - wanted) <= 64 * EPS * scale)


def test_call_price_has_its_limits():
    S = np.array([0.0, 50.0, 100.0, 100.5, 200.0])
    args = {"K": 100.0, "r": 0.05, "sigma": 0.2, "T": 1.0}
    assert np.array_equal(call_price(S, np.ones(5), **args), [0, 0, 0, 0.5, 100])
    assert call_price(S, np.zeros(5), **args)[0] == 0
    # Just before expiry, far from the strike, it is the discounted payoff.
    soon = call_price(S, np.full(5, 1 - 1e-8), **args)
    assert np.all(abs(soon[[1, 4]] - [0.0, 200 - 100 * np.exp(-0.05e-8)]) <= 200 * 4 * EPS)


def test_call_and_put_differ_by_the_forward():
    """Put-call parity: C(S, K) - P = S - K e^{-r tau}; the put is the call with S and K swapped.

    P(S, K, r) = C(K e^{-r tau}, S e^{-r tau} / e^{-r tau}) with rate 0, since V is homogeneous.
    """
    S = np.linspace(1.0, 199.0, 67)
    tau, K, r, sigma = 0.7, 100.0, 0.05, 0.2
    call = call_price(S, np.full(67, 1 - tau), K=K, r=r, sigma=sigma, T=1.0)
    strike = K * np.exp(-r * tau)
    put = np.array(
        [
            call_price(np.array([strike]), np.array([1 - tau]), K=s, r=0.0, sigma=sigma, T=1.0)[0]
            for s in S
        ]
    )
    assert np.all(abs(call - put - (S - strike)) <= 200 * 16 * EPS)


def test_network_of_the_option_learns_price_over_spot():
    features, exact = OPTION.maps()
    assert features is None
    assert exact is not None
    x = np.array([[0.0, 0.3], [120.0, 0.7]])
    assert np.array_equal(exact(x), [[0.0, 0.0], [0.0, 120.0]])


def test_heat_holds_its_initial_and_border_values_exactly():
    """u = base + factor * network: the base is u there, and the factor vanishes."""
    _, exact = HEAT.maps()
    assert exact is not None
    x = HEAT.domain.grid((7, 7, 5))
    base, factor = exact(x).T
    held = (x[:, 2] == 0) | np.any((x[:, :2] == 0) | (x[:, :2] == 1), axis=1)
    # The modes at a border are sines of up to 3 pi, each rounded.
    assert np.all(abs(base - HEAT.reference_at(x)[:, 0])[held] <= 16 * np.pi * EPS)
    assert np.all(factor[held] == 0)
    assert np.all(factor[~held] > 0)


def test_network_of_the_vortex_is_periodic():
    features, _ = VORTEX.maps()
    assert features is not None
    here = np.array([[0.0, 1.0, 0.5], [0.3, 0.0, 0.5]])
    there = here + np.array([[2 * np.pi, 0, 0], [0, 2 * np.pi, 0]])
    # 2 pi itself is rounded by up to 4 eps.
    assert np.all(abs(features(here) - features(there)) <= 16 * EPS)
