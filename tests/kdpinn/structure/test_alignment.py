import numpy as np
import pytest
from planted_networks import random_involution, signed_permutation, symmetric_network

from kdpinn.structure.alignment import align
from kdpinn.structure.group import InputMap

X_ODD = InputMap(np.diag([-1.0, 1.0]), np.zeros(2), np.array([-1.0]))
QUARTER = InputMap(np.array([[0.0, -1.0], [1.0, 0.0]]), np.zeros(2), np.array([1.0]))


def matrix_of(p):
    return signed_permutation(p.source, p.sign)


@pytest.mark.parametrize("width", [3, 6, 8, 13, 16, 24])  # beyond 13 the search is not exact
@pytest.mark.parametrize("seed", range(3))
def test_planted_signed_permutations_are_recovered(width, seed):
    rng = np.random.default_rng(seed)
    planted = [random_involution(width, rng) for _ in range(3)]
    layers = symmetric_network(X_ODD, planted, rng)
    found = align(layers, X_ODD)
    assert found.residuals.max() < 1e-14
    for p, expected in zip(found.hidden, planted):
        assert np.array_equal(matrix_of(p), expected)


@pytest.mark.parametrize("seed", range(3))
def test_the_signed_permutations_survive_noise_and_the_residuals_measure_it(seed):
    rng = np.random.default_rng(10 + seed)
    planted = [random_involution(8, rng) for _ in range(3)]
    layers = symmetric_network(X_ODD, planted, rng)
    noisy = [(w + 1e-3 * rng.normal(size=w.shape), b) for w, b in layers]
    found = align(noisy, X_ODD)
    assert all(np.array_equal(matrix_of(p), q) for p, q in zip(found.hidden, planted))
    # |noise - P noise P| <= 2 |noise|, in units of layers whose entries are some tenths.
    assert 1e-4 < found.residuals.max() < 2e-2


def test_other_characters_do_not_fit():
    rng = np.random.default_rng(5)
    layers = symmetric_network(X_ODD, [random_involution(8, rng) for _ in range(2)], rng)
    wrong = InputMap(X_ODD.matrix, X_ODD.offset, -X_ODD.characters)
    assert align(layers, wrong).residuals[-1] == pytest.approx(2)


def test_a_map_of_order_four_needs_no_pairs():
    rng = np.random.default_rng(6)
    cycle = signed_permutation([1, 2, 3, 0, 5, 6, 7, 4], [1, 1, -1, -1, 1, 1, 1, 1])
    layers = symmetric_network(QUARTER, [cycle, cycle], rng)
    found = align(layers, QUARTER)
    assert found.residuals.max() < 1e-14
    # Both senses of the cycle may fit a layer; the weights decide, and they were made by one.
    assert np.array_equal(matrix_of(found.hidden[1]), cycle)


def test_random_layers_do_not_fit():
    rng = np.random.default_rng(7)
    layers = [(rng.normal(size=(8, k)), rng.normal(size=8)) for k in (2, 8)]
    layers.append((rng.normal(size=(1, 8)), rng.normal(size=1)))
    assert align(layers, X_ODD).residuals.max() > 0.3
