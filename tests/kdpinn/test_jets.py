from itertools import combinations_with_replacement

import pytest
import torch
from torch import Tensor

from kdpinn.jets import JetSpec, jets_jacobian, network_jets
from kdpinn.networks import ACTIVATIONS, MLP

EPS = torch.finfo(torch.float64).eps
BACKENDS = ["torch", "native"]


def case(activation: str = "tanh", sizes: tuple[int, ...] = (2, 7, 5, 2), n: int = 9):
    g = torch.Generator().manual_seed(1)
    network = MLP(sizes, activation)
    theta = network.init(g) + 0.1 * torch.randn(network.parameters, generator=g).double()
    x = 2 * torch.rand(n, sizes[0], generator=g, dtype=torch.float64) - 1
    scale = 0.5 + torch.rand(sizes[0], generator=g, dtype=torch.float64)
    return network, theta, x, scale


def plain(network: MLP, theta: Tensor, z: Tensor) -> Tensor:
    layers = network.unpack(theta)
    for k, (weight, bias) in enumerate(layers):
        z = z @ weight.T + bias
        if k < len(layers) - 1:
            z = ACTIVATIONS[network.activation](z, 0)[0]
    return z


def by_nested_autograd(network: MLP, theta: Tensor, x: Tensor, spec: JetSpec, scale: Tensor):
    """The same channels, one nested derivative at a time, with physical inputs x / scale."""
    physical = (x / scale).requires_grad_()
    u = plain(network, theta, physical * scale)
    channels = [u]
    columns = []
    for m in range(u.shape[1]):
        first = torch.autograd.grad(u[:, m].sum(), physical, create_graph=True)[0]
        first = first + 0 * physical  # a graph for the identity too
        second = [
            torch.autograd.grad(first[:, i].sum(), physical, create_graph=True)[0]
            for i in range(spec.d)
        ]
        columns.append([*first.unbind(1), *(second[i][:, j] for i, j in spec.pairs)])
    wanted = range(spec.channels - 1)
    channels += [torch.stack([column[k] for column in columns], 1) for k in wanted]
    return torch.stack(channels)


def specs(d: int) -> list[JetSpec]:
    pairs = tuple(combinations_with_replacement(range(d), 2))
    return [JetSpec(d, 0), JetSpec(d, 1), JetSpec(d, 2, pairs[:1]), JetSpec(d, 2, pairs[::-1])]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("d", [1, 2, 3])
def test_channels_match_nested_autograd(backend, activation, d):
    network, theta, x, scale = case(activation, (d, 7, 5, 2))
    for spec in specs(d):
        got = network_jets(network, theta, x, spec, scale, backend)
        expected = by_nested_autograd(network, theta, x, spec, scale).detach()
        # Sums of at most 8 terms through three layers, and the rounding of x / scale * scale:
        # some 50 roundings of the largest number of each channel.
        error = (got - expected).abs().amax((1, 2))
        assert (error <= 50 * EPS * expected.abs().amax((1, 2)).clamp_min(1)).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_and_jacobian_match_autograd(backend, activation):
    network, theta, x, scale = case(activation, n=5)
    for spec in specs(2):
        seed = torch.randn(spec.channels, 5, 2, generator=torch.Generator().manual_seed(2)).double()
        rows = []
        for n in range(5):
            leaf = theta.clone().requires_grad_()
            channels = by_nested_autograd(network, leaf, x[n : n + 1], spec, scale)
            row = torch.autograd.grad((channels[:, 0] * seed[:, n]).sum(), leaf)[0]
            rows.append(row)
        expected = torch.stack(rows, 1)
        bound = 200 * EPS * expected.abs().max()  # backwards through the 50 roundings, both ways
        got = jets_jacobian(network, theta, x, spec, scale, seed, backend)
        assert (got - expected).abs().max() <= bound
        leaf = theta.clone().requires_grad_()
        total = (network_jets(network, leaf, x, spec, scale, backend) * seed).sum()
        gradient = torch.autograd.grad(total, leaf)[0]
        assert (gradient - expected.sum(1)).abs().max() <= 5 * bound


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n", [1, 7, 8, 9, 31, 129, 1025])
def test_any_number_of_points(backend, n):
    network, theta, x, scale = case(n=n)
    spec = specs(2)[-1]
    whole = network_jets(network, theta, x, spec, scale, backend)
    alone = [network_jets(network, theta, row[None], spec, scale, "torch") for row in x]
    assert (whole - torch.cat(alone, 1)).abs().max() <= 50 * EPS * whole.abs().max()


@pytest.mark.parametrize("backend", BACKENDS)
def test_permuting_hidden_units_changes_nothing(backend):
    network, theta, x, scale = case()
    order = torch.randperm(7, generator=torch.Generator().manual_seed(3))
    (w1, b1), (w2, b2), (w3, b3) = network.unpack(theta)
    moved = [w1[order], b1[order], w2[:, order], b2, w3, b3]
    permuted = torch.cat([part.reshape(-1) for part in moved])
    for spec in specs(2):
        before = network_jets(network, theta, x, spec, scale, backend)
        after = network_jets(network, permuted, x, spec, scale, backend)
        assert (after - before).abs().max() <= 50 * EPS * before.abs().max()


def test_a_wrong_second_derivative_rule_would_be_seen():
    network, theta, x, scale = case()
    spec = JetSpec(2, 2, ((0, 1),))
    expected = by_nested_autograd(network, theta, x, spec, scale)
    wrong = network_jets(network, theta, x, JetSpec(2, 2, ((0, 0),)), scale, "torch")
    assert (wrong[3] - expected[3]).abs().max() > 1e-3 * expected[3].abs().max()


def test_spec_knows_its_channels():
    spec = JetSpec(3, 2, ((0, 0), (1, 2)))
    assert spec.channels == 6
    assert spec.pair_index(2, 1) == 1
    assert (JetSpec(3, 0).channels, JetSpec(3, 1).channels) == (1, 4)
    with pytest.raises(ValueError, match=r"\(0, 1\) is not among the pairs"):
        spec.pair_index(0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "d.*>= 1"),
        ((2, 3), "order.*0, 1 or 2"),
        ((2, 1, ((0, 0),)), "needs order 2"),
        ((2, 2, ((1, 0),)), r"\(1, 0\)"),
        ((2, 2, ((0, 0), (0, 0))), "distinct"),
    ],
)
def test_impossible_specs_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        JetSpec(*arguments)


def test_shapes_and_backends_are_checked():
    network, theta, x, scale = case()
    with pytest.raises(ValueError, match=r"x \(N, 2\).*got x \(9, 1\)"):
        network_jets(network, theta, x[:, :1], JetSpec(2, 0), scale)
    with pytest.raises(ValueError, match=r"float64, theta is torch.float32"):
        network_jets(network, theta.float(), x, JetSpec(2, 0), scale, "native")


@pytest.mark.parametrize("spec", [JetSpec(2, 0), JetSpec(2, 1), JetSpec(2, 2, ((0, 0), (0, 1)))])
def test_native_kernels_take_channels_of_inputs(spec: JetSpec) -> None:
    """With inputs given by their own jets both backends agree to a few hundred roundings."""
    network, theta, _, scale = case(sizes=(3, 7, 5, 2))
    g = torch.Generator().manual_seed(2)
    channels = torch.randn(spec.channels, 9, 3, generator=g, dtype=torch.float64)
    seed = torch.randn(spec.channels, 9, 2, generator=g, dtype=torch.float64)
    found = []
    for backend in ("torch", "native"):
        theta = theta.detach().requires_grad_()
        out = network_jets(network, theta, channels, spec, scale, backend)
        (gradient,) = torch.autograd.grad(out, theta, seed)
        jacobian = jets_jacobian(network, theta, channels, spec, scale, seed, backend)
        found.append((out.detach(), gradient, jacobian))
    for ours, other in zip(*found, strict=True):
        assert (ours - other).abs().max() <= 512 * EPS * other.abs().max()
