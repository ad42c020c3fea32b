import math

import pytest
import torch

from kdpinn.networks import ACTIVATIONS, MLP


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_parameters_are_laid_out_layer_by_layer_weight_then_bias():
    network = MLP((2, 3, 1))
    assert network.parameters == 2 * 3 + 3 + 3 * 1 + 1
    (w1, b1), (w2, b2) = network.unpack(torch.arange(13, dtype=torch.float64))
    assert w1.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert b1.tolist() == [6, 7, 8]
    assert (w2.tolist(), b2.tolist()) == ([[9, 10, 11]], [12])


def test_xavier_weights_and_zero_biases():
    network = MLP((200, 300, 100))
    (w1, b1), (w2, b2) = network.unpack(network.init(generator()))
    for weight in (w1, w2):
        # The sample deviation of n normal numbers scatters by 1 / sqrt(2 n); five of these.
        expected = math.sqrt(2 / sum(weight.shape))
        assert abs(weight.std() / expected - 1) < 5 / math.sqrt(2 * weight.numel())
    assert not b1.any()
    assert not b2.any()
    assert torch.equal(network.init(generator(1)), network.init(generator(1)))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivatives_of_activations_match_autograd(name):
    z = torch.linspace(-6, 6, 101, dtype=torch.float64, requires_grad=True)
    value, first, second = ACTIVATIONS[name](z, 2)
    expected_first = torch.autograd.grad(value.sum(), z, create_graph=True)[0]
    # The identity's derivative is constant: it has no graph to differentiate again.
    linear = name == "identity"
    expected_second = 0 * z if linear else torch.autograd.grad(expected_first.sum(), z)[0]
    # A few roundings of numbers of order 1: sums and products of at most 8 of them.
    eps = torch.finfo(torch.float64).eps
    torch.testing.assert_close(first, expected_first, rtol=0, atol=8 * eps)
    torch.testing.assert_close(second, expected_second, rtol=0, atol=8 * eps)


def test_relu_and_gelu_are_torchs_own():
    z = torch.linspace(-12, 12, 1001, dtype=torch.float64)
    assert torch.equal(ACTIVATIONS["relu"](z, 0)[0], torch.nn.functional.relu(z))
    # torch's 1 + erf rounds to multiples of eps / 2 before it is multiplied by z / 2.
    expected = torch.nn.functional.gelu(z)
    eps = torch.finfo(torch.float64).eps
    assert ((ACTIVATIONS["gelu"](z, 0)[0] - expected).abs() <= 2 * eps * (1 + z.abs())).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_skip_what_is_not_asked_for(name):
    z = torch.ones(1, dtype=torch.float64)
    assert ACTIVATIONS[name](z, 0)[1:] == (None, None)
    assert ACTIVATIONS[name](z, 1)[2] is None


def test_messages_name_what_is_wrong():
    with pytest.raises(ValueError, match=r"softplus.*Supported: identity, tanh"):
        MLP((2, 3, 1), "softplus")
    with pytest.raises(ValueError, match=r"widths >= 1, got \(2, 0, 1\)"):
        MLP((2, 0, 1))
    with pytest.raises(ValueError, match=r"13 parameters, got \(12,\)"):
        MLP((2, 3, 1)).unpack(torch.zeros(12))
