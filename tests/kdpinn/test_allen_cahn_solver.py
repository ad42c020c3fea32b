"""The reference of `allen_cahn`: order, an independent integrator, exact limits, resolution."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from kdpinn.problems import load_problem
from kdpinn.problems.allen_cahn import (
    DIFFUSION,
    INITIAL_NEAREST,
    NEAREST,
    REACH,
    around_kink,
    initial_around_kink,
    weight,
)
from kdpinn.problems.solvers import allen_cahn as solver
from kdpinn.problems.solvers.allen_cahn import allen_cahn, cosines, initial, initial_cosines


def observed_order(errors: list[float]) -> float:
    """Slope of log error against log h, h halved from one to the next."""
    return float(-np.polyfit(np.arange(len(errors)), np.log2(errors), 1)[0])


def test_initial_cosines_sum_to_the_initial_state():
    x = np.linspace(-1, 1, 41)
    modes = 4000
    u = np.cos(np.pi * np.outer(x, np.arange(modes + 1))) @ initial_cosines(modes)
    # The tail is sum over k > n of 4 / (pi k)^2, below 4 / (pi^2 n).
    assert np.all(abs(u - initial(x)) <= 4 / (np.pi**2 * modes))
    assert abs(u - initial(x))[1:-1].max() < 1e-6  # alternating, except at the kink


def test_order_in_time_is_four():
    # From t = 0.1 on: the first stretch is graded, whatever the step. Wide fronts, so that 64 modes
    # hold the solution and h nu k^2 stays below 0.1.
    args = (1e-3, 5.0, 64)
    fine = cosines((0.1, 0.9), *args, 1 / 1280)[-1]
    errors = [
        float(abs(cosines((0.1, 0.9), *args, step)[-1] - fine).max())
        for step in (1 / 20, 1 / 40, 1 / 80, 1 / 160)
    ]
    assert abs(observed_order(errors) - 4) < 0.2
    assert errors[-1] > 1e-13  # above rounding


def test_agrees_with_an_adaptive_integrator():
    """The same cosines, another method in time: implicit Runge-Kutta of order five."""
    modes, diffusion, rate = 24, 5e-3, 2.0
    table = np.cos(np.pi * np.outer(np.arange(modes + 1), np.arange(modes + 1)) / modes)
    back = np.linalg.inv(table)
    decay = -diffusion * (np.pi * np.arange(modes + 1)) ** 2

    def slope(_: float, a: np.ndarray) -> np.ndarray:
        u = table @ a
        return decay * a + back @ (rate * (u - u**3))

    wanted = solve_ivp(slope, (0, 0.5), initial_cosines(modes), "Radau", rtol=1e-10, atol=1e-12)
    got = cosines((0.5,), diffusion, rate, modes, 1e-3)[-1]
    assert abs(got - wanted.y[:, -1]).max() < 1e-8


def test_without_reaction_each_cosine_decays_by_itself():
    modes, diffusion, t = 64, 1e-2, 0.3
    got = cosines((t,), diffusion, 1e-300, modes, 1e-2)[-1]
    decay = np.exp(-diffusion * (np.pi * np.arange(modes + 1)) ** 2 * t)
    # Some 180 steps, each with an exponential of an argument up to 3.
    assert np.all(abs(got - initial_cosines(modes) * decay) <= 180 * 8 * 2.3e-16)


def test_default_resolution_has_converged():
    x = np.linspace(-1, 1, 129)
    for t in (0.01, 0.1):
        at = np.full_like(x, t)
        rough = allen_cahn(x, at, 1e-4, 5.0)
        fine = allen_cahn(x, at, 1e-4, 5.0, modes=2 * solver.MODES, step=solver.STEP / 2)
        assert abs(rough - fine).max() < 1e-10


def test_reference_takes_points_in_any_order_and_starts_at_the_initial_state():
    problem = load_problem("allen_cahn")
    x = np.array([[0.3, 0.02], [-0.3, 0.02], [1.0, 0.0], [-1.0, 0.02], [1.0, 0.02], [0.3, 0.0]])
    u = problem.reference_at(x)[:, 0]
    assert u[0] == pytest.approx(u[1], rel=1e-12)  # even
    assert u[3] == pytest.approx(u[4], rel=1e-12)  # periodic
    assert np.array_equal(u[[2, 5]], initial(x[[2, 5], 0]))


def test_points_around_the_kink_are_even_in_the_logarithm():
    x, t = around_kink(256).T
    s = t + (1 - abs(x)) ** 2 / (4 * DIFFUSION)
    counts, _ = np.histogram(np.log(s), bins=4, range=(np.log(NEAREST), np.log(REACH)))
    np.testing.assert_array_equal(counts, 64)
    assert abs((x > 0).sum() - 128) <= 1
    x, t = initial_around_kink(16).T
    assert not t.any()
    assert sorted(x)[0] == INITIAL_NEAREST - 1
    assert sorted(x)[-2:] == [1 - INITIAL_NEAREST, 1.0]


def test_weight_decays_in_time_and_towards_the_kink_alone():
    x, t = np.array([0.0, 0.0, 1.0, 1.0, -1.0]), np.array([0.0, 1.0, 0.0, REACH, REACH / 2])
    got = weight(x, t, DIFFUSION)
    np.testing.assert_allclose(got, np.exp(1 - 2 * t) * [1, 1, 0, 1, 0.5], rtol=1e-15)
    # The kink is as wide as diffusion makes it.
    beside = np.array([1 - 1e-3])
    assert weight(beside, np.zeros(1), 4 * DIFFUSION) == pytest.approx(
        weight(beside, np.zeros(1), DIFFUSION) / 4
    )


def test_refuses_what_it_cannot_solve():
    with pytest.raises(ValueError, match=r"diffusion > 0, rate > 0 and t >= 0, got 0\.0, 5\.0"):
        allen_cahn(np.zeros(1), np.zeros(1), 0.0, 5.0)
    with pytest.raises(ValueError, match="t from -1"):
        allen_cahn(np.zeros(1), -np.ones(1), 1e-4, 5.0)
