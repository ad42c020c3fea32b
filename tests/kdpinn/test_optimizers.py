from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor

from kdpinn import checkpoint
from kdpinn.optimizers import LBFGS, Adam, LevenbergMarquardt, SSBroyden
from kdpinn.optimizers.inverse_hessian import BLOCK, scaled_identity
from kdpinn.optimizers.lbfgs import two_loop
from kdpinn.optimizers.line_search import LineSearch, Trial
from kdpinn.optimizers.ssbroyden import coefficients, update

EPS = float(np.finfo(np.float64).eps)
OPTIMIZERS = [Adam(rate=1e-2), LBFGS(), SSBroyden(), LevenbergMarquardt()]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


class Residuals:
    """f = r . r for a function r of theta, with derivatives by autograd."""

    def __init__(self, function) -> None:
        self.function = function

    def value_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        theta = theta.detach().requires_grad_()
        value = self.function(theta).square().sum()
        return value.item(), torch.autograd.grad(value, theta)[0]

    def value(self, theta: Tensor) -> float:
        return self.function(theta).square().sum().item()

    def products(self, theta: Tensor) -> tuple[float, Tensor, Tensor]:
        jacobian = torch.autograd.functional.jacobian(self.function, theta, vectorize=True)
        return self.value(theta), jacobian.T @ self.function(theta), jacobian.T @ jacobian


def rosenbrock(theta: Tensor) -> Tensor:
    """Least value 0 at all ones: Rosenbrock, Comput. J. 3 (1960) 175-184."""
    return torch.cat([10 * (theta[1:] - theta[:-1] ** 2), 1 - theta[:-1]])


def quadratic(n: int, condition: float, seed: int = 0) -> tuple[Residuals, Tensor]:
    """|A (theta - solution)|^2 with a given condition number of A^T A, and the solution."""
    left, _ = torch.linalg.qr(normal(n, n, seed=seed))
    right, _ = torch.linalg.qr(normal(n, n, seed=seed + 1))
    spread = torch.logspace(0, np.log10(condition) / 2, n, dtype=torch.float64)
    a, solution = (left * spread) @ right, normal(n, seed=seed + 2)
    return Residuals(lambda theta: a @ (theta - solution)), solution


def run(optimizer, objective, theta: Tensor, iterations: int, gradient: float = 0.0):
    state = optimizer.start(theta)
    for _ in range(iterations):
        state = optimizer.step(objective, state)
        known = getattr(state, "gradient", None)
        if state.stuck or state.value == 0 or (known is not None and known.norm() < gradient):
            break
    return state


def advance(optimizer, objective, state, iterations: int):
    for _ in range(iterations):
        state = optimizer.step(objective, state)
    return state


@pytest.mark.parametrize("optimizer", [LBFGS(), SSBroyden()])
@pytest.mark.parametrize("n", [1, 2, 5, 30])
def test_quadratic_needs_about_as_many_iterations_as_unknowns(optimizer, n):
    objective, solution = quadratic(n, 100.0)
    state = run(optimizer, objective, torch.zeros(n).double(), 10 * n + 20, gradient=1e-9)
    # The gradient 2 A^T A e is below 1e-9 and the least eigenvalue of A^T A is 1.
    assert (state.theta - solution).norm() < 1e-9
    assert state.iteration <= 3 * n + 10


def test_ssbroyden_converges_faster_than_linearly():
    objective, solution = quadratic(20, 1e4)
    optimizer = SSBroyden()
    state, errors = optimizer.start(torch.zeros(20).double()), []
    while (not errors or errors[-1] > 1e-8) and len(errors) < 400:
        state = optimizer.step(objective, state)
        errors.append((state.theta - solution).norm().item())
    early, late = errors[4] / errors[0], errors[-1] / errors[-5]
    assert late < 0.05 * early


@pytest.mark.parametrize("optimizer", [LBFGS(), SSBroyden(), LevenbergMarquardt(damping=1.0)])
def test_rosenbrock(optimizer):
    theta = torch.full((10,), -1.2).double()
    state = run(optimizer, Residuals(rosenbrock), theta, 600, gradient=1e-10)
    # At the minimum the Hessian's least eigenvalue is about 0.5: |theta - 1| <= 2 * gradient.
    assert (state.theta - 1).norm() < 1e-8
    assert not (state.stuck and state.value > 1e-16)


def test_adam_lowers_and_decays():
    objective, _ = quadratic(5, 4.0)
    state = run(Adam(rate=0.1, decay=0.99), objective, torch.zeros(5).double(), 800)
    assert state.value < 1e-6 * objective.value_and_gradient(torch.zeros(5).double())[0]


def test_adam_first_step_has_the_length_of_the_rate():
    objective, _ = quadratic(4, 2.0)
    state = Adam(rate=0.01).step(objective, Adam().start(torch.zeros(4).double()))
    # Bias correction makes mean / sqrt(square) the sign of the gradient, up to epsilon / |g|.
    torch.testing.assert_close(
        state.theta.abs(), torch.full((4,), 0.01).double(), rtol=1e-6, atol=0
    )


def exponentials(theta: Tensor) -> Tensor:
    """Misfit of a two-exponential model to its own samples with fixed noise."""
    t = torch.linspace(0, 4, 40, dtype=torch.float64)
    data = 2 * torch.exp(-0.7 * t) + torch.exp(-2 * t) + 0.01 * normal(40, seed=5)
    return theta[0] * torch.exp(-theta[1] * t) + theta[2] * torch.exp(-theta[3] * t) - data


def test_levenberg_marquardt_agrees_with_scipy():
    start = np.array([1.0, 0.5, 0.5, 3.0])
    known = least_squares(
        lambda theta: exponentials(torch.from_numpy(theta)).numpy(), start, method="lm", xtol=1e-15
    )
    state = run(LevenbergMarquardt(), Residuals(exponentials), torch.from_numpy(start), 300)
    assert state.value == pytest.approx(2 * known.cost, rel=1e-12)
    # The two exponentials may change places. f is flat to eps at its minimum: the fit is found to
    # about the root of that.
    fit, best = exponentials(state.theta), exponentials(torch.from_numpy(known.x))
    assert (fit - best).abs().max() < 10 * EPS**0.5


def test_levenberg_marquardt_solves_linear_least_squares():
    a, b = normal(30, 6), normal(30, seed=1)
    state = run(LevenbergMarquardt(), Residuals(lambda t: a @ t - b), torch.zeros(6).double(), 60)
    expected = torch.linalg.lstsq(a, b[:, None]).solution[:, 0]
    # Normal equations: the error grows with the square of the condition of A, below 10 here.
    assert (state.theta - expected).abs().max() < 1e3 * EPS * expected.abs().max() + 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_strong_wolfe_conditions_hold(seed):
    objective = Residuals(rosenbrock)
    theta = 2 * normal(6, seed=seed)
    value, gradient = objective.value_and_gradient(theta)
    for first in (1e-6, 1e-2, 1.0, 100.0):
        direction = -gradient * 10.0**seed
        start = Trial(0.0, value, float(gradient @ direction), gradient)
        search = LineSearch(objective, theta, direction, start, c2=0.4, budget=60)
        trial = search.run(first)
        assert trial is not None
        f, g = objective.value_and_gradient(theta + trial.step * direction)
        assert (f, g.tolist()) == (trial.value, trial.gradient.tolist())
        assert f <= value + 1e-4 * trial.step * start.slope
        assert abs(float(g @ direction)) <= 0.4 * abs(start.slope)


def test_line_search_comes_back_from_overflow():
    class Barrier:
        """-log(1 - theta): NaN from theta = 1 on; phi(a) = f(-a)."""

        def value_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
            return (theta**2 - torch.log(1 - theta)).item(), 2 * theta + 1 / (1 - theta)

    theta = torch.tensor([-1.0]).double()
    value, gradient = Barrier().value_and_gradient(theta)
    start = Trial(0.0, value, float(-gradient @ gradient), gradient)
    search = LineSearch(Barrier(), theta, -gradient, start)
    trial = search.run(first_step=1000.0)
    assert trial is not None
    assert trial.value < value


def test_stuck_is_said_not_raised():
    flat = Residuals(lambda theta: 0 * theta + 1)
    for optimizer in (SSBroyden(), LBFGS(), LevenbergMarquardt(attempts=3)):
        state = run(optimizer, flat, torch.ones(3).double(), 5)
        assert state.stuck
        assert torch.equal(state.theta, torch.ones(3).double())


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_value_that_is_not_finite_is_reported(optimizer):
    state = run(optimizer, Residuals(lambda theta: theta / 0), torch.ones(2).double(), 1)
    assert "objective is" in state.stuck
    assert not np.isfinite(state.value)


def secant_pair(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A step and the change of gradient of a fixed quadratic function, slightly disturbed."""
    root = normal(n, n, seed=50)
    s = normal(n, seed=seed)
    return s, (root @ root.T + torch.eye(n)) @ (s + 0.01 * normal(n, seed=seed + 1))


@pytest.mark.parametrize("updates", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 2])
def test_inverse_hessian_satisfies_the_secant_equation_and_stays_symmetric(updates):
    n = 6
    inverse = scaled_identity(torch.zeros(n).double(), 0.5)
    for k in range(updates):
        s, y = secant_pair(n, seed=2 * k)
        dense = inverse.dense()
        gradient = normal(n, seed=1000 + k)
        sbs = float(s @ torch.linalg.solve(dense, s))
        following = update(inverse, s, y, dense @ y, sbs, gradient, dense @ gradient)
        new = inverse.dense()
        size = new.abs().max() + dense.abs().max()
        assert (new @ y - s).abs().max() <= 1e3 * EPS * size * y.norm() + 1e3 * EPS * s.norm()
        assert torch.equal(new, new.T)
        assert (following - new @ gradient).norm() <= 1e3 * EPS * size * gradient.norm()
        assert torch.linalg.eigvalsh(new).min() > 0
        torch.testing.assert_close(inverse.apply(y), new @ y, rtol=1e-10, atol=float(1e-12 * size))


def test_update_is_the_published_formula():
    n = 5
    s, y = secant_pair(n, seed=3)
    root = normal(n, n, seed=9)
    h = root @ root.T + torch.eye(n)
    inverse = replace(scaled_identity(s), base=h.clone())
    hy, ys = h @ y, float(y @ s)
    sbs, yhy = float(s @ torch.linalg.solve(h, s)), float(y @ hy)
    tau, phi = coefficients(sbs / ys, yhy / ys, n)
    v = yhy**0.5 * (s / ys - hy / yhy)
    middle = h - torch.outer(hy, hy) / yhy + phi * torch.outer(v, v)
    expected = middle / tau + torch.outer(s, s) / ys
    update(inverse, s, y, hy, sbs, y, hy)
    torch.testing.assert_close(inverse.dense(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("b", [0.01, 0.5, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("excess", [0.0, 1e-10, 0.1, 5.0, 1e3, 1e12, 1e18, 1e24])
def test_coefficients_keep_the_matrix_positive(b, excess):
    tau, phi = coefficients(b, (1 + excess) / b, 50)
    assert 0 < tau <= 1 + 1e-12
    # phi v v^T may be negative by less than what is left of H: phi > -1 / (b h - 1).
    assert phi > -1 / max(excess, 1e-14)


def test_exact_curvature_needs_no_scaling():
    # y = B s: b = h = 1, and H is already right.
    assert coefficients(1.0, 1.0, 50).tau == pytest.approx(1.0)


def test_two_loop_is_the_bfgs_matrix():
    n = 4
    pairs = [secant_pair(n, seed=10 * k) for k in range(3)]
    s, y = pairs[-1]
    h = float(s @ y) / float(y @ y) * torch.eye(n).double()
    for s, y in pairs:
        rho = 1 / float(y @ s)
        left = torch.eye(n).double() - rho * torch.outer(s, y)
        h = left @ h @ left.T + rho * torch.outer(s, s)
    g = normal(n, seed=77)
    steps, changes = (torch.stack(list(part)) for part in zip(*pairs, strict=True))
    torch.testing.assert_close(two_loop(g, steps, changes), h @ g, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_restored_state_continues_bit_by_bit(optimizer, tmp_path: Path):
    objective, theta = Residuals(rosenbrock), torch.full((12,), -1.2).double()
    whole = advance(optimizer, objective, optimizer.start(theta), 40)
    state = advance(optimizer, objective, optimizer.start(theta), 20)
    checkpoint.write(tmp_path / "c", state, run="")
    state = checkpoint.restore(optimizer.start(theta), checkpoint.read(tmp_path / "c"))
    state = advance(optimizer, objective, state, 20)
    assert torch.equal(state.theta, whole.theta)
    assert (state.value, state.iteration, state.evaluations) == (
        whole.value,
        whole.iteration,
        whole.evaluations,
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda o: type(o).__name__)
def test_renewed_state_forgets_the_value_and_goes_on(optimizer):
    state = run(optimizer, Residuals(rosenbrock), torch.full((5,), -1.2).double(), 10)
    state = optimizer.renew(state)
    assert np.isnan(state.value)
    other, _ = quadratic(5, 10.0)
    before = other.value_and_gradient(state.theta)[0]
    for _ in range(5):
        state = optimizer.step(other, state)
    assert state.value < before


def test_ssbroyden_keeps_its_curvature_when_renewed():
    objective, solution = quadratic(15, 1e3)
    state = run(SSBroyden(), objective, torch.zeros(15).double(), 80, gradient=1e-8)
    again = SSBroyden().renew(replace(state, theta=solution + normal(15, seed=8)))
    for _ in range(12):
        again = SSBroyden().step(objective, again)
    # With H = I twelve iterations at this condition number gain far less than 1e4.
    assert again.value < 1e-4 * float(normal(15, seed=8).square().sum())


def test_ssbroyden_survives_an_indefinite_inverse_hessian():
    """Rounding can make y^T H y negative though H g descends: H is forgotten, not the run."""
    a = torch.tensor([1.0, 10.0], dtype=torch.float64)  # f = |a theta|^2, Hessian diag(2, 200)
    objective, optimizer = Residuals(lambda theta: a * theta), SSBroyden()
    state = optimizer.start(torch.tensor([0.5, 0.005], dtype=torch.float64))
    state.inverse.base.copy_(torch.diag(torch.tensor([1.0, -0.1], dtype=torch.float64)))
    state = optimizer.step(objective, replace(state, fresh=False))
    assert state.fresh
    assert torch.equal(state.inverse.dense(), torch.eye(2, dtype=torch.float64))
    for _ in range(40):
        state = optimizer.step(objective, state)
    assert state.value < 1e-20
