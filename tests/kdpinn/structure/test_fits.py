import numpy as np
import pytest
import torch

from kdpinn.networks import MLP
from kdpinn.structure.fits import PenalizedFit, Samples, TiedFit, flat, polished, unpacked

NETWORK = MLP((2, 4, 3, 2))
RNG = np.random.default_rng(3)
SAMPLES = Samples(RNG.uniform(-1, 1, (50, 2)), RNG.normal(size=(50, 2)))


def theta_of(seed: int) -> torch.Tensor:
    return NETWORK.init(torch.Generator().manual_seed(seed)) + 0.1


def test_objective_is_the_mean_square_plus_the_norms_of_the_layers():
    theta = theta_of(0)
    a = torch.from_numpy(SAMPLES.points)
    norms = 0.0
    for number, (w, b) in enumerate(NETWORK.unpack(theta)):
        norms += float(torch.cat([w, b[:, None]], 1).norm())
        a = a @ w.T + b
        a = a if number == 2 else torch.tanh(a)
    expected = float((a - torch.from_numpy(SAMPLES.values)).square().sum(1).mean()) + 0.3 * norms
    value, _ = PenalizedFit(NETWORK, SAMPLES, 0.3).value_and_gradient(theta)
    # Sums of 50 terms, and a tanh of a few units of rounding.
    assert value == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("tied", [False, True])
def test_gradient_is_that_of_central_differences(tied):
    fit = PenalizedFit(NETWORK, SAMPLES, 0.01)
    if tied:
        index = np.arange(NETWORK.parameters) // 2
        index[5] = -1
        sign = np.where(np.arange(NETWORK.parameters) % 3, 1.0, -1.0)
        fit = TiedFit(fit, index, sign)
        theta = fit.nearest(theta_of(1))
    else:
        theta = theta_of(1)
    _, gradient = fit.value_and_gradient(theta)
    h = np.finfo(float).eps ** (1 / 3)  # balances truncation h^2 and rounding eps / h
    for k in range(len(theta)):
        step = torch.zeros_like(theta)
        step[k] = h
        up, down = (fit.value_and_gradient(theta + s)[0] for s in (step, -step))
        assert float(gradient[k]) == pytest.approx((up - down) / (2 * h), abs=50 * h**2)


def test_nearest_free_parameters_are_the_orthogonal_projection():
    index = np.array([0, 0, 1, -1, 1, *range(2, NETWORK.parameters - 3)])
    sign = np.ones(NETWORK.parameters)
    sign[1] = -1
    fit = TiedFit(PenalizedFit(NETWORK, SAMPLES, 0.0), index, sign)
    theta = theta_of(2)
    expanded = fit.expanded(fit.nearest(theta))
    assert float(expanded[1]) == -float(expanded[0]) == -float((theta[0] - theta[1]) / 2)
    assert float(expanded[3]) == 0
    # What is left is orthogonal to everything that the tie can express.
    for k in range(fit.free):
        direction = fit.expanded(torch.eye(fit.free, dtype=torch.float64)[k])
        assert abs(float((theta - expanded) @ direction)) < 1e-14


def test_polish_lowers_the_objective_and_ends_where_it_is_flat():
    fit = PenalizedFit(NETWORK, SAMPLES, 1e-2)
    start = theta_of(4)
    theta, value = polished(fit, start, 3000)
    assert value < 0.9 * fit.value_and_gradient(start)[0]
    assert polished(fit, theta, 3000)[1] >= value * (1 - 1e-3)


def test_layers_come_back_from_the_flat_vector():
    theta = theta_of(5)
    assert torch.equal(flat(unpacked(NETWORK, theta)), theta)
