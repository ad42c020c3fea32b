import numpy as np
import pytest

from kdpinn.structure.fits import Samples
from kdpinn.structure.hac import RULES, cluster_student, clustered, row_relations, silhouette

CENTERS = np.array([0.05, 0.4, 1.1])


def planted(shape, noise, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(CENTERS), shape)
    labels.ravel()[:3] = (0, 1, 2)
    signs = rng.choice([-1.0, 1.0], shape)
    return labels, signs, signs * (CENTERS[labels] + noise * rng.uniform(-1, 1, shape))


@pytest.mark.parametrize("rule", RULES)
def test_planted_clusters_are_recovered_whatever_the_signs(rule):
    labels, signs, values = planted((8, 9), noise=0.01)
    found = clustered(values, rule)
    assert np.array_equal(found.labels, labels)
    assert np.array_equal(found.signs, signs)
    assert np.abs(found.centroids - CENTERS).max() <= 0.01
    assert np.abs(found.values - values).max() <= 0.02


def test_a_fixed_threshold_fails_where_the_others_do_not():
    _, _, values = planted((8, 9), noise=0.0)
    small = values / 20  # clusters 0.0025, 0.02 and 0.055: all nearer than 0.1
    assert len(clustered(small, "fixed").centroids) == 1
    assert len(clustered(small, "gap").centroids) == 3
    assert len(clustered(small, "silhouette").centroids) == 3


def test_silhouette_of_known_clusters():
    # 0 and 1 against 10: for 0, a = 1 and b = 10; for 1, a = 1 and b = 9; 10 is alone.
    value = silhouette(np.array([0.0, 1.0, 10.0]), np.array([1, 1, 2]))
    assert value == pytest.approx((0.9 + 8 / 9 + 0) / 3)
    assert silhouette(np.arange(3.0), np.zeros(3, dtype=int)) == -1


def test_rows_that_share_centroids():
    rows = np.array(
        [[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [-1.0, 2.0, -3.0], [2.0, 1.0, 3.0], [9, 9, 9]]
    )
    found = row_relations(clustered(rows, "fixed"))
    assert found == [
        (0, 1, "shared"),
        (0, 2, "sign-flipped"),
        (0, 3, "permuted"),
        (1, 2, "sign-flipped"),
        (1, 3, "permuted"),
        (2, 3, "permuted"),
    ]


def test_a_student_of_planted_clusters_loses_nothing_by_them():
    rng = np.random.default_rng(2)
    layers = []
    for k, n in ((2, 6), (6, 5), (5, 1)):
        layers.append((planted((n, k), 0.0, seed=n)[2], rng.choice([0.2, -0.2], n)))
    z = rng.uniform(-1, 1, (200, 2))
    a = z
    for w, b in layers[:-1]:
        a = np.tanh(a @ w.T + b)
    values = a @ layers[-1][0].T + layers[-1][1]
    found = cluster_student(layers, Samples(z, values / values.std()), "gap")
    found_exactly = cluster_student(layers, Samples(z, values), "gap")
    assert found_exactly.replaced < 1e-13
    assert found.relation.free == 3 * 3 + 3  # three clusters of weights, one of biases a layer
    assert found.retrained <= found.replaced


def test_centroids_in_place_of_weights_cost_a_student_much():
    """Published thresholds on weights without scalar clusters: the error rises manyfold."""
    rng = np.random.default_rng(3)
    layers = [(rng.normal(size=(n, k)), rng.normal(size=n)) for k, n in ((2, 8), (8, 8), (8, 1))]
    z = rng.uniform(-1, 1, (300, 2))
    a = z
    for w, b in layers[:-1]:
        a = np.tanh(a @ w.T + b)
    values = a @ layers[-1][0].T + layers[-1][1]
    found = cluster_student(layers, Samples(z, values), "fixed")
    assert found.before < 1e-14
    assert found.replaced > 1e-2
    assert found.retrained < found.replaced
