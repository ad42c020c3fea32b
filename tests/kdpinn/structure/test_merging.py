import numpy as np
from planted_networks import evaluate

from kdpinn.structure.merging import merged


def network(rng, sizes=(2, 4, 4, 1)):
    return [(rng.normal(size=(n, k)), rng.normal(size=n)) for k, n in zip(sizes, sizes[1:])]


def with_repeats(layers, rng, noise=0.0):
    """Each hidden neuron twice, the second with the opposite sign, in random order."""
    done = [(w.copy(), b.copy()) for w, b in layers]
    for k in range(len(layers) - 1):
        (w, b), (following, bias) = done[k], done[k + 1]
        share = rng.uniform(0.2, 0.8, following.shape[1])
        w, b = np.concatenate([w, -w]), np.concatenate([b, -b])
        following = np.concatenate([following * share, -following * (1 - share)], axis=1)
        order = rng.permutation(len(b))
        done[k] = (w[order] + noise * rng.normal(size=w.shape), b[order])
        done[k + 1] = (following[:, order], bias)
    return done


def test_repeated_neurons_become_one_and_the_function_stays():
    rng = np.random.default_rng(0)
    small = network(rng)
    reduced = merged(with_repeats(small, rng), 0.05)
    assert [len(b) for _, b in reduced] == [4, 4, 1]
    z = rng.uniform(-1, 1, (200, 2))
    # Rounding of two layers of at most eight terms of size one.
    assert np.abs(evaluate(reduced, z) - evaluate(small, z)).max() < 1e-13


def test_nearly_repeated_neurons_become_their_mean():
    rng = np.random.default_rng(1)
    small = network(rng)
    noise = 1e-3
    reduced = merged(with_repeats(small, rng, noise), 0.05)
    assert [len(b) for _, b in reduced] == [4, 4, 1]
    z = rng.uniform(-1, 1, (200, 2))
    # The noise of a weight times 8 weights, the largest row of the layers after it below 10.
    assert np.abs(evaluate(reduced, z) - evaluate(small, z)).max() < 8 * 10 * 5 * noise


def test_constant_neuron_goes_into_the_bias():
    rng = np.random.default_rng(2)
    layers = network(rng)
    layers[1][0][2] = 0.0
    reduced = merged(layers, 1e-6)
    assert [len(b) for _, b in reduced] == [4, 3, 1]
    z = rng.uniform(-1, 1, (100, 2))
    assert np.abs(evaluate(reduced, z) - evaluate(layers, z)).max() < 1e-13


def test_different_neurons_stay():
    layers = network(np.random.default_rng(3))
    reduced = merged(layers, 1e-3)
    assert [len(b) for _, b in reduced] == [4, 4, 1]


def test_a_layer_keeps_at_least_one_neuron():
    layers = network(np.random.default_rng(4))
    layers[0] = (np.zeros((4, 2)), np.ones(4))
    assert len(merged(layers, 0.05)[0][1]) == 1
