import numpy as np
import pytest
import torch
from planted_networks import evaluate, random_involution, symmetric_network

from kdpinn.networks import MLP
from kdpinn.structure.alignment import align
from kdpinn.structure.fits import unpacked
from kdpinn.structure.group import InputMap
from kdpinn.structure.ties import SignedUnionFind, on_inputs, tie

MIRROR = np.diag([-1.0, 1.0])


@pytest.mark.parametrize("characters", [(1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0)])
def test_tied_weights_are_exactly_symmetric_whatever_the_free_parameters(characters):
    rng = np.random.default_rng(0)
    g = InputMap(MIRROR, np.zeros(2), np.array(characters))
    layers = symmetric_network(g, [random_involution(7, rng), random_involution(5, rng)], rng)
    network = MLP((2, 7, 5, 2))
    relation = tie(network.sizes, [(g, align(layers, g))])
    assert relation.free < network.parameters
    free = np.append(rng.normal(size=relation.free), 0.0)  # -1 picks the zero
    theta = torch.from_numpy(relation.sign * free[relation.index])
    tied = unpacked(network, theta)
    z = rng.uniform(-1, 1, (100, 2))
    # Equal products in another order: 7 and 5 terms of size one, through tanh.
    assert np.abs(evaluate(tied, g(z)) - g.characters * evaluate(tied, z)).max() < 2e-14


def test_free_parameters_are_numbered_by_first_use_with_sign_plus():
    rng = np.random.default_rng(1)
    g = InputMap(MIRROR, np.zeros(2), np.array([1.0]))
    layers = symmetric_network(g, [random_involution(6, rng)], rng)
    relation = tie((2, 6, 1), [(g, align(layers, g))])
    firsts = [int(np.argmax(relation.index == k)) for k in range(relation.free)]
    assert firsts == sorted(firsts)
    assert (relation.sign[firsts] == 1).all()


def test_a_number_that_is_its_own_negative_is_zero():
    classes = SignedUnionFind(5)
    classes.join(0, 1, -1)
    classes.join(1, 2, -1)
    classes.join(0, 2, -1)  # 0 = -1, 1 = -2, so 0 = 2, and 0 = -2
    classes.join(3, 4, -1)
    relation = classes.relation()
    assert relation.index.tolist() == [-1, -1, -1, 0, 0]
    assert relation.sign.tolist()[3:] == [1, -1]
    assert relation.free == 1


def test_signs_multiply_along_chains():
    classes = SignedUnionFind(4)
    classes.join(0, 1, -1)
    classes.join(2, 3, -1)
    classes.join(0, 3, 1)  # two classes become one by a member that has the sign -1 in its own
    relation = classes.relation()
    assert relation.index.tolist() == [0, 0, 0, 0]
    assert relation.sign.tolist() == [1, -1, -1, 1]


def test_inputs_that_move_the_origin_cannot_tie_weights():
    with pytest.raises(ValueError, match="centered inputs"):
        on_inputs(InputMap(MIRROR, np.array([0.2, 0.0]), np.ones(1)))
