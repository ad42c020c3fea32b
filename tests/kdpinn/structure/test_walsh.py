"""Tied networks in the Walsh-Hadamard basis: the same function, symmetric to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from structure_groups import CYCLE, SWAP, signs, turn

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.networks import MLP
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.tied import symmetry_error, tied_like
from kdpinn.structure.walsh import applies, symmetric_values

GROUPS = {
    "mirror": (signs(-1, 1, u=(-1,)),),
    "mirrors": (signs(1, -1), signs(-1, 1, u=(-1,))),
    "exchange and inversion": (SWAP, signs(-1, -1)),
    "two fields": (signs(-1, 1, u=(1, -1)),),
    "order 8": (signs(-1, 1, 1, u=(-1,)), signs(1, -1, 1), signs(1, 1, -1, u=(-1,))),
}


def network_of(generators, activation="tanh", size=1.0):
    group = Group.generated_by(generators)
    element = group.elements[0]
    n = group.order
    sizes = (len(element.offset), 2 * n, n, 3 * n, len(element.characters))
    network = MLP(sizes, activation, group)
    theta = torch.randn(network.parameters, generator=torch.Generator().manual_seed(0))
    return network, size * theta.double()


def dense(network, theta, z):
    """Written out, layer by layer; and the sums of the sizes of all terms, for the bound."""
    a, terms = z, z.abs()
    layers = network.unpack(theta)
    for k, (w, b) in enumerate(layers):
        terms = terms @ w.abs().T + b.abs()
        a = a @ w.T + b
        a = torch.tanh(a) if k < len(layers) - 1 else a
    return a, terms


@pytest.mark.parametrize("points", [1, 7, 64, 129])
@pytest.mark.parametrize("generators", GROUPS.values(), ids=GROUPS)
def test_symmetry_is_exact_to_the_last_bit(generators, points):
    network, theta = network_of(generators, size=3.0)
    z = torch.rand(points, network.sizes[0], generator=torch.Generator().manual_seed(1)) * 2 - 1
    z = z.double()
    here = symmetric_values(network, theta, z)
    for g in network.symmetry.elements:
        there = symmetric_values(network, theta, torch.from_numpy(g(z.numpy())))
        assert torch.equal(there, here * torch.from_numpy(g.characters.copy()))


@pytest.mark.parametrize("generators", GROUPS.values(), ids=GROUPS)
def test_it_is_the_network_written_out(generators):
    network, theta = network_of(generators)
    z = torch.rand(50, network.sizes[0], generator=torch.Generator().manual_seed(1)).double()
    wanted, terms = dense(network, theta, z)
    # Sums of at most 24 products, three additions of the transform and back, in four layers; terms
    # of size at most `terms`, as tanh is 1-Lipschitz.
    bound = 4 * (24 + 8) * np.finfo(float).eps * terms
    assert (symmetric_values(network, theta, z) - wanted).abs().le(bound).all()


def test_written_out_the_symmetry_is_lost_to_rounding():
    network, theta = network_of(GROUPS["mirrors"], size=3.0)
    z = torch.rand(200, 2, generator=torch.Generator().manual_seed(1)).double()
    g = network.symmetry.generators[1]
    there = dense(network, theta, torch.from_numpy(g(z.numpy())))[0]
    assert (there + dense(network, theta, z)[0]).abs().max() > 0


def test_only_groups_that_undo_themselves_have_the_basis():
    assert not applies(None)
    assert applies(Group.generated_by(GROUPS["order 8"]))
    assert not applies(Group.generated_by([CYCLE]))
    quarter = InputMap(np.array([[0.0, -1.0], [1.0, 0.0]]), np.zeros(2), np.ones(1))
    assert not applies(Group.generated_by([quarter]))
    mirrored = turn(90).after(signs(1, -1))  # exact but for a cosine of 6e-17
    assert not applies(Group.generated_by([mirrored]))


def test_a_field_has_the_symmetry_exactly_and_its_jets_to_rounding():
    domain = Box(x=(-2, 2), t=(0, 1))
    plain = Field.create(
        inputs=("x", "t"),
        outputs=("u",),
        lower=domain.lower,
        upper=domain.upper,
        hidden=(8, 8),
        generator=torch.Generator().manual_seed(0),
    )
    group = Group.generated_by(GROUPS["mirror"])
    field = tied_like(plain, group, domain, torch.Generator().manual_seed(0))
    theta = torch.randn(len(field.theta), generator=torch.Generator().manual_seed(2))
    field = field.with_theta(40 * theta.double())
    x = domain.from_unit(np.random.default_rng(0).uniform(size=(300, 2)))
    assert symmetry_error(field, group, x) == 0.0
    with torch.no_grad():
        direct = field(torch.from_numpy(x)).numpy()
    size = np.abs(field.values(x)).max()
    assert np.abs(direct - field.values(x)).max() <= 1e-9 * size  # large weights magnify rounding
    assert direct.shape == field.values(x).shape
