"""Portraits say of a network what was planted in it: ties, permuted neurons, orbits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted_networks import evaluate, random_involution, symmetric_network
from structure_groups import SWAP, signs, turn

from kdpinn.field import Field
from kdpinn.networks import MLP
from kdpinn.structure.alignment import SignedPermutation, align
from kdpinn.structure.evidence import TiedStudent
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.merging import evaluated
from kdpinn.structure.portrait import FREE, ZERO, Portrait, of_rebuilt, of_student, untied
from kdpinn.structure.students import Student
from kdpinn.structure.ties import tie


def quarter(chi):
    return InputMap(np.array([[0.0, -1.0], [1.0, 0.0]]), np.zeros(2), np.array([chi]))


GROUPS = {
    "one mirror": (signs(-1, 1, u=(-1,)),),
    "two mirrors": (signs(1, -1), signs(-1, 1, u=(-1,))),
    "quarter turns": (quarter(-1.0),),
    "square": (quarter(1.0), SWAP),
}


def rebuilt(generators, width=8):
    """A tied field with random parameters, biases too."""
    group = Group.generated_by(generators)
    plain = Field.create(
        inputs=("x", "y"),
        outputs=("u",),
        lower=-np.ones(2),
        upper=np.ones(2),
        hidden=(width, width),
        generator=torch.Generator().manual_seed(0),
    )
    network = MLP(plain.network.sizes, "tanh", group)
    theta = torch.randn(network.parameters, generator=torch.Generator().manual_seed(1))
    return replace(plain, network=network, theta=theta.double())


@pytest.mark.parametrize("generators", GROUPS.values(), ids=GROUPS)
def test_weights_of_a_rebuilt_network_share_a_class_if_and_only_if_they_share_a_size(generators):
    field = rebuilt(generators)
    portrait = of_rebuilt("rebuilt", field)
    assert portrait.free == field.network.parameters
    sizes = np.concatenate([np.column_stack(pair).ravel() for pair in portrait.layers])
    classes = np.concatenate([part.ravel() for part in portrait.classes])
    assert np.array_equal(classes == ZERO, sizes == 0)
    tied = classes >= 0
    same_class = classes[tied][:, None] == classes[tied]
    # Random numbers: those that are not one parameter differ by far more than rounding.
    same_size = np.abs(np.abs(sizes[tied])[:, None] - np.abs(sizes[tied])) < 1e-12
    assert np.array_equal(same_class, same_size)


@pytest.mark.parametrize("generators", GROUPS.values(), ids=GROUPS)
def test_actions_of_a_rebuilt_network_permute_its_neurons(generators):
    field = rebuilt(generators)
    portrait = of_rebuilt("rebuilt", field)
    x = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    group = field.network.symmetry
    for g, action in zip(group.generators, portrait.actions, strict=True):
        for k in range(2):
            here, there = (hidden(portrait, points, k) for points in (x, g(x)))
            moved = here[:, action[k].source] * action[k].sign
            # Two layers of ten products: gamma(30), times sums of at most 8 terms of size 4.
            assert np.abs(there - moved).max() < 1e-13
    for k in range(2):
        assert np.array_equal(np.bincount(portrait.orbits(k)), [group.order] * (8 // group.order))


def hidden(portrait, z, k):
    """Numbers of hidden layer k."""
    for w, b in portrait.layers[: k + 1]:
        z = np.tanh(z @ w.T + b)
    return z


def test_a_planted_student_is_colored_by_its_ties():
    rng = np.random.default_rng(3)
    g = signs(-1, 1, u=(-1,))
    layers = symmetric_network(g, [random_involution(6, rng), random_involution(5, rng)], rng)
    alignment = align(layers, g)
    assert alignment.residuals.max() < 1e-12
    student = Student(layers, 1.0, 0.0, layers, 0)
    relation = tie((2, 6, 5, 1), [(g, alignment)])
    portrait = of_student("student", TiedStudent(1.0, (g,), (alignment,), relation, student))
    values = np.concatenate([np.column_stack(pair).ravel() for pair in layers])
    classes = np.concatenate([part.ravel() for part in portrait.classes])
    assert portrait.free == relation.free
    assert np.abs(values[classes == ZERO]).max() < 1e-14
    for number in range(relation.free):
        sizes = np.abs(values[classes == number])
        assert np.ptp(sizes) < 1e-14
        assert len(sizes) <= 2  # one map that undoes itself ties pairs
    assert np.array_equal(np.diff(np.sort(portrait.orbits(0))) <= 1, [True] * 5)


def test_orbits_follow_cycles_through_all_generators():
    def action(*source):
        return (SignedPermutation(np.array(source), np.ones(len(source))),)

    layers = [(np.ones((6, 2)), np.ones(6)), (np.ones((1, 6)), np.ones(1))]
    one = (action(1, 2, 3, 0, 4, 5), action(0, 1, 2, 3, 5, 4))
    portrait = replace(untied("planted", layers), actions=one)
    assert portrait.orbits(0).tolist() == [0, 0, 0, 0, 1, 1]
    linked = replace(portrait, actions=(*one, action(5, 1, 2, 3, 4, 0)))
    assert linked.orbits(0).tolist() == [0] * 6
    assert untied("planted", layers).orbits(0).tolist() == [0, 1, 2, 3, 4, 5]


def test_an_untied_network_is_free_and_a_plain_field_is_not_rebuilt():
    layers = [(np.ones((3, 2)), np.ones(3)), (np.ones((1, 3)), np.ones(1))]
    portrait = untied("plain", layers)
    assert isinstance(portrait, Portrait)
    assert portrait.free == 3 * 3 + 4
    assert all((part == FREE).all() for part in portrait.classes)
    plain = Field.create(
        inputs=("x",),
        outputs=("u",),
        lower=np.zeros(1),
        upper=np.ones(1),
        hidden=(2,),
        generator=torch.Generator(),
    )
    with pytest.raises(ValueError, match="has none"):
        of_rebuilt("plain", plain)


def test_layers_are_evaluated_as_planted():
    rng = np.random.default_rng(0)
    layers = symmetric_network(SWAP, [random_involution(4, rng)], rng)
    z = rng.normal(size=(7, 2))
    assert np.array_equal(evaluated(layers, z), evaluate(layers, z))


def test_a_sum_of_several_free_parameters_has_no_class():
    portrait = of_rebuilt("turned", rebuilt((turn(120),), width=6))
    first = portrait.classes[0]
    assert (first[2:, :2] == FREE).all()  # rows of a third of a turn mix both weights
    assert (first[:, 2] >= 0).all()
    assert (portrait.classes[1] >= 0).all()
