"""The reference of `cavity`: order of convergence, the published tables, the equations."""

import numpy as np
import pytest

from kdpinn.problems import load_problem
from kdpinn.problems.cavity import (
    JUDGED_FROM,
    MOMENTUM_REACH,
    NEAREST,
    around_lid_ends,
    from_lid_ends,
    walls_at_lid_ends,
)
from kdpinn.problems.solvers.cavity import extrapolated, solve
from kdpinn.problems.solvers.cavity_table import INTERVALS, stored

# Ghia, Ghia & Shin, J. Comput. Phys. 48 (1982) 387-411, doi:10.1016/0021-9991(82)90058-4, tables I
# and II, without the walls: u on x = 1/2 and v on y = 1/2, at nodes of 128 intervals.
Y = (125, 124, 123, 122, 109, 94, 79, 64, 58, 36, 22, 13, 9, 8, 7)
X = (124, 123, 122, 121, 116, 110, 103, 64, 30, 29, 20, 12, 10, 9, 8)
GHIA_U = {
    100: (0.84123, 0.78871, 0.73722, 0.68717, 0.23151, 0.00332, -0.13641, -0.20581, -0.21090,
          -0.15662, -0.10150, -0.06434, -0.04775, -0.04192, -0.03717),
    400: (0.75837, 0.68439, 0.61756, 0.55892, 0.29093, 0.16256, 0.02135, -0.11477, -0.17119,
          -0.32726, -0.24299, -0.14612, -0.10338, -0.09266, -0.08186),
}  # fmt: skip
GHIA_V = {
    100: (-0.05906, -0.07391, -0.08864, -0.10313, -0.16914, -0.22445, -0.24533, 0.05454, 0.17527,
          0.17507, 0.16077, 0.12317, 0.10890, 0.10091, 0.09233),
    400: (-0.12146, -0.15663, -0.19254, -0.22847, -0.23827, -0.44993, -0.38598, 0.05186, 0.30174,
          0.30203, 0.28124, 0.22965, 0.20920, 0.19713, 0.18360),
}  # fmt: skip
# The fifth value of v at Re = 400 does not fit its neighbors, in the printed table already.
MISPRINT = 4


@pytest.mark.parametrize("reynolds", [100, 400])
def test_stored_flow_agrees_with_the_published_tables(reynolds):
    u, v, _ = stored(reynolds)
    half = INTERVALS // 2
    keep = np.arange(len(X)) != (MISPRINT if reynolds == 400 else -1)
    # One per cent of the lid's speed; largest difference found: 0.008, at the extreme of v for
    # Re = 100. The flow at the other Reynolds number is 0.1 and more away.
    allowed, other = 0.01, 500 - reynolds
    assert abs(u[half, list(Y)] - GHIA_U[reynolds]).max() < allowed
    assert abs(v[list(X), half] - GHIA_V[reynolds])[keep].max() < allowed
    assert abs(u[half, list(Y)] - GHIA_U[other]).max() > 0.1
    assert abs(v[list(X), half] - GHIA_V[other])[keep].max() > 0.1
    if reynolds == 400:
        assert abs(v[X[MISPRINT], half] - GHIA_V[400][MISPRINT]) > 0.1


def test_solver_converges_with_order_two_to_the_stored_flow():
    u, v, p = stored(100)
    far = _distance(16) > 0.15
    errors, start = {"u": [], "v": [], "p": []}, None
    for n in (16, 32, 64, 128):
        flow = solve(100, n, start)
        start = flow.psi
        every, coarse = INTERVALS // 16, n // 16
        for name, exact in (("u", u), ("v", v), ("p", p)):
            got = getattr(flow, name)[::coarse, ::coarse]
            wrong = (got - exact[::every, ::every])[far]
            # The constants of p differ by the nodes they are means over.
            wrong -= wrong.mean() if name == "p" else 0.0
            errors[name].append(float(np.sqrt(np.mean(wrong**2))))
    for name, allowed in (("u", 0.2), ("v", 0.2), ("p", 0.4)):
        order = -np.polyfit(range(4), np.log2(errors[name]), 1)[0]
        assert abs(order - 2) < allowed, (name, order, errors[name])


def test_extrapolation_gains_orders():
    best, lesser = extrapolated(100, 32)
    u = stored(100)[0][:: INTERVALS // 32, :: INTERVALS // 32]
    far = _distance(32) > 0.15

    def error(flow) -> float:
        return float(np.sqrt(np.mean((flow.u - u)[far] ** 2)))

    fine = solve(100, 128).u[::4, ::4]
    wrong = float(np.sqrt(np.mean((fine - u)[far] ** 2)))
    assert max(error(best), error(lesser)) < 0.1 * wrong


@pytest.mark.parametrize("reynolds", [100, 400])
def test_stored_flow_solves_the_equations(reynolds):
    """Central differences of order four on the stored nodes, at the middle of the cavity."""
    u, v, p = stored(reynolds)
    terms = {
        "mass": (_d(u, 0), _d(v, 1)),
        "x": (u * _d(u, 0), v * _d(u, 1), _d(p, 0), -_laplacian(u) / reynolds),
        "y": (u * _d(v, 0), v * _d(v, 1), _d(p, 1), -_laplacian(v) / reynolds),
    }
    middle = (slice(16, -16), slice(16, -16))
    for name, parts in terms.items():
        residual = sum(parts)[middle]
        scale = max(float(np.sqrt(np.mean(part[middle] ** 2))) for part in parts)
        # float32 leaves 6e-8 / h = 8e-6 in a first derivative of values of order one.
        assert float(np.sqrt(np.mean(residual**2))) < 3e-3 * scale, name


@pytest.mark.parametrize("name", ["cavity", "cavity_re400"])
def test_problem_is_judged_away_from_the_lids_ends(name):
    problem = load_problem(name)
    x = problem.evaluation_points()
    nodes = _distance(INTERVALS)
    assert len(x) == int(np.sum(nodes >= JUDGED_FROM))
    assert from_lid_ends(x[:, 0], x[:, 1]).min() >= JUDGED_FROM
    values = problem.reference_at(x)
    gauge = np.all(x == [0.5, 0.0], axis=1)
    assert np.array_equal(values[gauge], [[0.0, 0.0, 0.0]])
    lid = x[:, 1] == 1
    assert np.array_equal(values[lid, :2], np.tile([1.0, 0.0], (int(lid.sum()), 1)))


def test_points_around_the_lids_ends_are_even_in_the_logarithm():
    inside = around_lid_ends(256)
    lid, sides = walls_at_lid_ends(16)
    assert np.all((inside > 0) & (inside < 1))
    assert np.all(lid[:, 1] == 1)
    assert np.all((sides[:, 0] == 0) | (sides[:, 0] == 1))
    for x in (inside, lid, sides):
        r = from_lid_ends(x[:, 0], x[:, 1])
        assert r.min() >= NEAREST * (1 - 1e-12)
        # As many between NEAREST and the middle, in the logarithm, as beyond it.
        middle = np.sqrt(NEAREST * MOMENTUM_REACH)
        assert abs(np.mean(r < middle) - 0.5) < 0.01
        assert np.sum(x[:, 0] < 0.5) == len(x) / 2


def test_refuses_what_it_cannot_solve():
    with pytest.raises(ValueError, match="even n >= 8 .* got n = 7"):
        solve(100, 7)
    with pytest.raises(ValueError, match="stored cavity flows are those at Re = 100, 400, got 200"):
        stored(200)


def _distance(n: int) -> np.ndarray:
    x, y = np.meshgrid(*(np.linspace(0, 1, n + 1),) * 2, indexing="ij")
    return from_lid_ends(x, y)


def _d(f: np.ndarray, axis: int) -> np.ndarray:
    """First derivative, order four; the two rows at each end are not used."""
    h = 1 / INTERVALS
    near = np.roll(f, -1, axis) - np.roll(f, 1, axis)
    far = np.roll(f, -2, axis) - np.roll(f, 2, axis)
    return (8 * near - far) / (12 * h)


def _laplacian(f: np.ndarray) -> np.ndarray:
    h = 1 / INTERVALS
    total = np.zeros_like(f)
    for axis in (0, 1):
        near = np.roll(f, -1, axis) + np.roll(f, 1, axis)
        far = np.roll(f, -2, axis) + np.roll(f, 2, axis)
        total += (16 * near - far - 30 * f) / (12 * h**2)
    return total
