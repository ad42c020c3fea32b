"""The shipped equations vanish on their own references, and a wrong coefficient is seen."""

import mpmath
import numpy as np
import pytest

from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.problems import PointJet, Problem, Samples, available, load_problem
from kdpinn.problems.burgers import NU, cole_hopf, sine
from kdpinn.sampling import interior, on_places

EPS = np.finfo(np.float64).eps
LAPLACE, POISSON, BURGERS = (load_problem(name) for name in ("laplace", "poisson", "burgers"))


def pde_residual(problem: Problem, x: np.ndarray, u: dict[str, np.ndarray]) -> np.ndarray:
    others = {**problem.parameters, **problem.data_at(x)}
    j = PointJet.from_values({"u": u}, coordinates=problem.domain.columns(x), others=others)
    return problem.residuals(j)["pde"]


def points(box: Box) -> np.ndarray:
    return interior(box, 512, seed=0).numpy()


def vanishes_on_harmonic_cubic(problem: Problem) -> bool:
    x = points(problem.domain)
    u = {"": problem.reference_at(x)[:, 0], "xx": 6 * x[:, 0], "yy": -6 * x[:, 0]}
    return bool(np.all(abs(pde_residual(problem, x, u)) <= 2 * EPS * 12 * abs(x[:, 0])))


def test_laplace_vanishes_on_its_solution():
    assert vanishes_on_harmonic_cubic(LAPLACE)
    wrong = LAPLACE.replace(residual=lambda j: j.u.xx + (1 + 1e-9) * j.u.yy)
    assert not vanishes_on_harmonic_cubic(wrong)


def test_laplace_solution_is_the_cubic():
    # Re (x + i y)^3, here by complex arithmetic: three products of two terms each.
    x = points(LAPLACE.domain)
    z = x[:, 0] + 1j * x[:, 1]
    assert np.all(abs(LAPLACE.reference_at(x)[:, 0] - (z**3).real) <= 16 * EPS * abs(z) ** 3)


def poisson_modes(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """u* and its Laplacian, from u*'s formula and s_k'' = -k^2 pi^2 s_k in each coordinate."""
    k = np.arange(1, 5)[:, None]
    sign = np.array([1, -1, 1, -1])[:, None]
    modes = sign * np.sin(np.pi * k * x[:, 0]) * np.sin(np.pi * k * x[:, 1])
    scale = -1 / (4 * np.pi**2)
    return scale * modes.sum(0), (scale * -((k * np.pi) ** 2) * modes).sum(0)


def vanishes_on_sine_modes(problem: Problem) -> bool:
    x = points(problem.domain)
    u, u_xx = poisson_modes(x)
    # An argument k pi x carries up to 2 roundings of k pi, hence a sine 2 k pi eps, a mode twice
    # that; some 8 roundings follow. Terms: k^2/4 from u_xx and from u_yy, k^2/2 from f.
    k = np.arange(1, 5)
    tolerance = np.sum(k**2 * (4 * k * np.pi + 8)) * EPS
    assert np.all(abs(problem.reference_at(x)[:, 0] - u) <= tolerance)
    residual = pde_residual(problem, x, {"": u, "xx": u_xx, "yy": u_xx})
    return bool(np.all(abs(residual) <= tolerance))


def test_poisson_vanishes_on_its_solution():
    assert vanishes_on_sine_modes(POISSON)
    assert not vanishes_on_sine_modes(
        POISSON.replace(residual=lambda j: j.u.xx + j.u.yy - (1 + 1e-9) * j.f)
    )
    assert not vanishes_on_sine_modes(POISSON.replace(residual=lambda j: j.u.xx + j.u.yy + j.f))


def burgers_derivatives(
    x: np.ndarray, t: np.ndarray, nu: float
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """u_x, u_t, u_xx by differentiating under the Cole-Hopf integral, and their rounding scale.

    u = -2 nu phi_x / phi with phi = int E(x - a z) exp(-z^2) dz, a = 2 sqrt(nu t). With
    s = E'/E = sin(pi y) / (2 nu), the means m1, m2, m3 of E'/E, E''/E, E'''/E give u_x and u_xx;
    time enters through y alone, y_t = -z sqrt(nu / t). The heat equation phi_t = nu phi_xx is
    *not* used: it would make Burgers' equation an identity in the m's.
    """
    z, w = np.polynomial.hermite.hermgauss(200)
    y = x[:, None] - 2 * np.sqrt(nu * t)[:, None] * z
    y_t = -z * np.sqrt(nu / t)[:, None]
    s = np.sin(np.pi * y) / (2 * nu)
    s1 = np.pi * np.cos(np.pi * y) / (2 * nu)
    s2 = -(np.pi**2) * s
    exponent = -np.cos(np.pi * y) / (2 * np.pi * nu)
    kernel = w * np.exp(exponent - exponent.max(axis=1, keepdims=True))
    kernel /= kernel.sum(axis=1, keepdims=True)

    def mean(values):
        return (kernel * values).sum(1), (kernel * abs(values)).sum(1)

    (m1, a1), (m2, a2) = mean(s), mean(s1 + s**2)
    m3, a3 = mean(s2 + 3 * s * s1 + s**3)
    (mt, at), (mxt, axt) = mean(s * y_t), mean((s1 + s**2) * y_t)
    derivatives = {
        "": -2 * nu * m1,
        "x": -2 * nu * (m2 - m1**2),
        "t": -2 * nu * (mxt - m1 * mt),
        "xx": -2 * nu * (m3 - 3 * m1 * m2 + 2 * m1**3),
    }
    first = (2 * nu) ** 2 * a1 * (a2 + a1**2)
    return derivatives, 2 * nu * (axt + a1 * at) + first + 2 * nu**2 * (
        a3 + 3 * a1 * a2 + 2 * a1**3
    )


def vanishes_on_cole_hopf(problem: Problem) -> bool:
    x = points(problem.domain)
    x = x[x[:, 1] > 0]
    u, scale = burgers_derivatives(x[:, 0], x[:, 1], NU)
    u[""] = problem.reference(x=x[:, 0], t=x[:, 1], nu=NU)
    # The exponent, up to 1/(2 pi nu) = 50, is rounded a few times: so is each weight, relatively.
    # A product of three means carries three of them, and as many again from the normalisation.
    tolerance = 2 * 3 * 4 * EPS / (2 * np.pi * NU) * scale
    return bool(np.all(abs(pde_residual(problem, x, u)) <= tolerance))


def test_burgers_vanishes_on_its_solution():
    assert vanishes_on_cole_hopf(BURGERS)
    assert not vanishes_on_cole_hopf(BURGERS.replace(parameters={"nu": NU * (1 + 1e-9)}))


def cole_hopf_exactly(x: float, t: float, nu: float) -> mpmath.mpf:
    """The same integral by the trapezoidal rule in 40 digits, exponentially convergent."""
    with mpmath.workdps(40):
        x, t, nu = (mpmath.mpf(float(v)) for v in (x, t, nu))
        top = bottom = mpmath.mpf(0)
        for i in range(-640, 641):  # exp(-20^2) = 1e-174 at the ends; E spans e^100 at most
            z = mpmath.mpf(i) / 32
            y = x - 2 * mpmath.sqrt(nu * t) * z
            kernel = mpmath.exp(-mpmath.cos(mpmath.pi * y) / (2 * mpmath.pi * nu) - z * z)
            top += kernel * mpmath.sin(mpmath.pi * y)
            bottom += kernel
        return -top / bottom


HARD = [(0.001, 1.0), (0.01, 0.5), (1e-4, 0.35), (-0.02, 0.4), (0.3, 0.3), (0.9, 1.0), (0.5, 1e-6)]


@pytest.mark.parametrize(("x", "t"), HARD)
def test_burgers_reference_agrees_with_forty_digits(x, t):
    exact = cole_hopf_exactly(x, t, NU)
    for nodes in (128, 200):
        got = cole_hopf(np.array([x]), np.array([t]), nodes=nodes).item()
        assert abs(got - exact) < 1e-13


def test_burgers_quadrature_needs_its_nodes():
    """The test above would see a quadrature of 40 nodes: it is wrong by some 1e-7 at the layer."""
    got = cole_hopf(np.array([0.001]), np.array([1.0]), nodes=40).item()
    assert abs(got - cole_hopf_exactly(0.001, 1.0, NU)) > 1e-8


def test_burgers_reference_has_converged_on_the_whole_grid():
    x = BURGERS.evaluation_points()
    half = cole_hopf(x[:, 0], x[:, 1], nodes=100)
    assert abs(half - BURGERS.reference_at(x)[:, 0]).max() < 1e-12


def test_burgers_starts_at_its_initial_state_exactly():
    x = np.linspace(-1, 1, 101)
    assert np.array_equal(cole_hopf(x, np.zeros(101)), sine(x))
    # ... and continuously: |u_t| <= pi/2 + nu pi^2 at t = 0.
    assert np.all(abs(cole_hopf(x, np.full(101, 1e-13)) - sine(x)) <= 2e-13 + 200 * EPS)


def test_burgers_reference_is_odd_and_takes_any_shape():
    x, t = np.meshgrid(np.linspace(0, 1, 7), np.linspace(0, 1, 5))
    u = cole_hopf(x, t)
    assert u.shape == (5, 7)
    # Mirrored points sum the same numbers in the reverse order.
    assert np.all(abs(u + cole_hopf(-x, t)) <= 4 * EPS / (2 * np.pi * NU))


def test_burgers_reference_follows_the_parameter():
    exact = cole_hopf_exactly(0.2, 0.7, 0.05)
    x = np.array([[0.2, 0.7]])
    assert abs(BURGERS.replace(parameters={"nu": 0.05}).reference_at(x).item() - exact) < 1e-13


def test_burgers_reference_refuses_what_it_cannot_solve():
    with pytest.raises(ValueError, match=r"nu > 0 and t >= 0, got nu = .*t from -1"):
        cole_hopf(np.array([0.0]), np.array([-1.0]))
    with pytest.raises(ValueError, match="got nu = 0"):
        cole_hopf(np.array([0.0]), np.array([1.0]), nu=0.0)


EVERYWHERE = [p for p in available() if not isinstance(p.reference, Samples)]


@pytest.mark.parametrize("problem", EVERYWHERE, ids=lambda problem: problem.name)
def test_conditions_hold_on_the_reference(problem):
    for condition in problem.conditions:
        if problem.spec(condition).order:
            continue  # the equation at given points
        x = on_places(problem.domain, condition.on, 65, seed=0).numpy()
        channels = problem.reference_at(x)[None]
        j = problem.jet(x, channels, JetSpec(x.shape[1], 0), problem.data_at(x, condition))
        # Sines at multiples of pi, up to 4 pi; Burgers: cancelling weights whose exponents, up to
        # 50, are rounded. The option's price goes up to 100.
        scale = max(1.0, abs(channels).max() / 8)
        tolerance = 8 * EPS * max(1, 4 * np.pi, 1 / (2 * np.pi * NU)) * scale
        for residual in problem.residuals(j, condition).values():
            assert np.all(abs(residual) <= tolerance)
        # A boundary value that is off by 1e-12 would be seen.
        assert tolerance < 1e-12 * scale


@pytest.mark.parametrize(
    ("name", "grid"),
    [
        ("allen_cahn", (257, 101)),
        ("black_scholes", (201, 101)),
        ("burgers", (257, 101)),
        ("burgers_inverse", (257, 101)),
        ("heat", (65, 65, 33)),
        ("laplace", (201, 201)),
        ("navier_stokes", (65, 65, 21)),
        ("poisson", (201, 201)),
    ],
)
def test_evaluation_grids_are_those_of_the_benchmark(name, grid):
    problem = load_problem(name)
    assert problem.grid == grid
    values = problem.reference_at(problem.evaluation_points())
    assert values.shape == (np.prod(grid), len(problem.fields))
    assert values.dtype == np.float64
