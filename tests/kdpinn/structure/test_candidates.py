import numpy as np
import pytest
from planted_networks import orbit_layer

from kdpinn.structure.candidates import finite_map, maps_in_weights, signed_permutations
from kdpinn.structure.group import Group, InputMap


def turn(degrees, center=(0.0, 0.0)):
    a = np.deg2rad(degrees)
    matrix = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return InputMap.about(np.array(center), matrix, [1.0])


def mirror(matrix, center=(0.0, 0.0)):
    return InputMap.about(np.array(center), np.array(matrix, dtype=float), [1.0])


@pytest.mark.parametrize(
    ("d", "fixed", "count"),
    [
        (1, (), 1),
        (2, (), 6),  # D4 without the identity, one quarter turn of two
        (2, (1,), 1),
        (3, (2,), 6),
        (3, (), 33),  # 48 elements: the identity, 19 involutions, 28 others in 14 pairs
    ],
)
def test_the_list_holds_every_signed_permutation_or_its_inverse(d, fixed, count):
    maps = signed_permutations(d, fixed)
    assert len(maps) == count
    for i in fixed:
        assert all(np.array_equal(g.matrix[i], np.eye(d)[i]) for g in maps)
    orders = [g.order for g in maps]
    assert orders == sorted(orders)


GROUPS = {
    "mirrors": [mirror(np.diag([-1, 1])), mirror(np.diag([1, -1]))],
    "exchange": [mirror([[0, 1], [1, 0]])],
    "mirror about x = 0.3": [mirror(np.diag([-1, 1]), (0.3, 0.0))],
    "hexagon": [turn(60), mirror(np.diag([1, -1]))],
    "hexagon about (0.2, -0.1)": [turn(60, (0.2, -0.1)), mirror(np.diag([1, -1]), (0.2, -0.1))],
    "third of a turn": [turn(120)],
    "square": [turn(90), mirror(np.diag([1, -1]))],
}


@pytest.mark.parametrize("noise", [0.0, 1e-3])
@pytest.mark.parametrize("name", GROUPS)
def test_planted_orbits_show_their_whole_group_and_nothing_else(name, noise):
    """Rows of one orbit in general position have no other symmetry than that of the orbit.

    With signs, as tanh is odd: -1 times a row is as good as the row, so that the inversion about
    the orbit's center, where the biases vanish, comes for nothing. The bias keeps it out.
    """
    rng = np.random.default_rng(1)
    group = Group.generated_by(GROUPS[name])
    parts = [orbit_layer(group, rng.normal(size=2), 0.4), orbit_layer(group, (0.9, 0.5), -0.2)]
    weight = np.concatenate([w for w, _ in parts])
    bias = np.concatenate([b for _, b in parts])
    order = rng.permutation(len(bias))
    flip = rng.choice([-1.0, 1.0], len(bias))
    weight, bias = (flip[:, None] * weight)[order], (flip * bias)[order]
    weight = weight + noise * rng.normal(size=weight.shape)
    found = maps_in_weights(weight, bias)
    elements = [g for g in group.elements if not g.is_identity]
    reach = 1e-9 if not noise else 30 * noise
    for g in elements:
        assert any(
            np.abs(h.matrix - g.matrix).max() < reach and np.abs(h.offset - g.offset).max() < reach
            for h in found
        ), g.describe()
    assert len(found) == len(elements)


def test_rows_in_general_position_show_nothing():
    rng = np.random.default_rng(2)
    for _ in range(5):
        assert maps_in_weights(rng.normal(size=(6, 2)), rng.normal(size=6)) == []


def test_too_few_or_dependent_rows_show_nothing():
    assert maps_in_weights(np.ones((1, 2)), np.zeros(1)) == []
    assert maps_in_weights(np.array([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0]]), np.zeros(3)) == []


def test_near_maps_become_exact():
    near = np.array([[-0.97, 0.02], [0.01, 1.03]])
    g = finite_map(near, np.array([0.04, -0.02]))
    assert g is not None
    assert np.array_equal(g.matrix, np.diag([-1.0, 1.0]))
    assert np.array_equal(g.offset, np.zeros(2))
    third = turn(120)
    g = finite_map(third.matrix + 0.01, third.offset)
    assert g is not None
    assert np.abs(np.linalg.matrix_power(g.matrix, 3) - np.eye(2)).max() < 1e-12


def test_a_glide_or_the_identity_is_no_symmetry_of_finite_order():
    assert finite_map(np.diag([-1.0, 1.0]), np.array([0.0, 0.5])) is None
    assert finite_map(np.eye(2), np.zeros(2)) is None
    assert finite_map(turn(50).matrix, np.zeros(2)) is None
