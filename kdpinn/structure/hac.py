"""The published way to structure: clusters of single weights, read off a penalized student.

Liu et al. (Psi-NN), Nat. Commun. 16 (2025) 9558, DOI 10.1038/s41467-025-64624-3: the absolute
values of a layer's weights are clustered hierarchically, each weight becomes the centroid of its
cluster with its own sign, and the centroids are trained again under that relation. A person then
reads the matrices; here equal, negated and permuted rows are counted instead. It stands beside the
search for groups, so that both can be compared.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from kdpinn.structure.fits import Array, PenalizedFit, Samples, TiedFit, flat, polished, unpacked
from kdpinn.structure.merging import Layers, network_of
from kdpinn.structure.ties import Relation

Rule = Literal["fixed", "gap", "silhouette"]
RULES: tuple[Rule, ...] = ("fixed", "gap", "silhouette")

THRESHOLD = 0.1
"""Of the rule "fixed": the published distance at which clusters are cut."""

RETRAINING = 1000


@dataclass(frozen=True, eq=False)
class LayerClusters:
    """A layer's weights or biases as centroids with signs.

    Attributes:
        labels: cluster of each number, in its shape, from 0; by centroid ascending.
        signs: +1.0 or -1.0, in the same shape.
        centroids: (clusters,), mean absolute values.
        threshold: distance at which the tree was cut.
    """

    labels: NDArray[np.int64]
    signs: Array
    centroids: Array
    threshold: float

    @property
    def values(self) -> Array:
        """The numbers replaced by their centroids with their signs."""
        return self.signs * self.centroids[self.labels]


def clustered(values: Array, rule: Rule) -> LayerClusters:
    """Cluster absolute values by average linkage and cut the tree.

    Args:
        values: of any shape, at least one.
        rule: "fixed" cuts at `THRESHOLD`; "gap" in the middle of the widest gap between the
            logarithms of successive heights of the tree; "silhouette" where the mean silhouette
            is largest.
    """
    size = np.abs(values).reshape(-1, 1)
    signs = np.where(values < 0, -1.0, 1.0)
    if len(size) == 1:
        zero = np.zeros(values.shape, dtype=np.int64)
        return LayerClusters(zero, signs, size[0], THRESHOLD)
    tree = linkage(size, method="average")
    threshold = THRESHOLD if rule == "fixed" else _cut(tree, size[:, 0], rule)
    raw = fcluster(tree, threshold, criterion="distance")
    means = {k: float(size[raw == k].mean()) for k in np.unique(raw)}
    order = sorted(means, key=lambda k: means[k])
    labels = np.array([order.index(k) for k in raw], dtype=np.int64).reshape(values.shape)
    return LayerClusters(labels, signs, np.array([means[k] for k in order]), threshold)


def _cut(tree: Array, size: Array, rule: Rule) -> float:
    heights = np.unique(np.maximum(tree[:, 2], 1e-12))
    if len(heights) < 2:
        return float(heights[0]) * 2
    middles = np.sqrt(heights[:-1] * heights[1:])
    if rule == "gap":
        return float(middles[np.argmax(np.diff(np.log(heights)))])
    scores = [silhouette(size, fcluster(tree, cut, criterion="distance")) for cut in middles]
    return float(middles[int(np.argmax(scores))])


def silhouette(values: Array, labels: NDArray[np.int64]) -> float:
    """Mean silhouette of clusters of numbers (n,), in [-1, 1]; 0 for a number alone.

    Source: Rousseeuw, J. Comput. Appl. Math. 20 (1987) 53-65, DOI 10.1016/0377-0427(87)90125-7.
    """
    names, index = np.unique(labels, return_inverse=True)
    if len(names) < 2:
        return -1.0
    distance = np.abs(values[:, None] - values)
    member = (index[:, None] == np.arange(len(names))).astype(float)
    counts = member.sum(0)
    sums = distance @ member
    own = counts[index]
    inside = sums[np.arange(len(values)), index] / np.maximum(own - 1, 1)
    others = np.where(member > 0, np.inf, sums / counts).min(1)
    score = (others - inside) / np.maximum(np.maximum(inside, others), 1e-300)
    return float(np.where(own > 1, score, 0.0).mean())


RowRelation = Literal["shared", "sign-flipped", "permuted"]


def row_relations(clusters: LayerClusters) -> list[tuple[int, int, RowRelation]]:
    """Pairs of rows (i, j), i < j, that consist of the same centroids, and how they differ.

    "shared": equal; "sign-flipped": equal up to the signs of single entries; "permuted": the same
    centroids in another order, up to signs. Rows of one centroid alone count as shared or flipped.
    """
    found: list[tuple[int, int, RowRelation]] = []
    for i, j in itertools.combinations(range(len(clusters.labels)), 2):
        a, b = clusters.labels[i], clusters.labels[j]
        if np.array_equal(a, b):
            same = np.array_equal(clusters.signs[i], clusters.signs[j])
            found.append((i, j, "shared" if same else "sign-flipped"))
        elif np.array_equal(np.sort(a), np.sort(b)):
            found.append((i, j, "permuted"))
    return found


@dataclass(frozen=True, eq=False)
class ClusteredStudent:
    """A student under the relation of its clusters.

    Attributes:
        rule: how the trees were cut.
        relation: R, one free parameter per cluster of a layer's weights or biases.
        clusters: of each layer's weights and of its biases.
        rows: number of related pairs of rows in each layer, by kind.
        before, replaced, retrained: relative misfit to the teacher, of the student, with centroids
            in place of weights, and after the centroids were trained again.
        layers: after that.
    """

    rule: Rule
    relation: Relation
    clusters: tuple[tuple[LayerClusters, LayerClusters], ...]
    rows: tuple[dict[str, int], ...]
    before: float
    replaced: float
    retrained: float
    layers: Layers


def cluster_student(
    layers: Sequence[tuple[Array, Array]], samples: Samples, rule: Rule = "fixed"
) -> ClusteredStudent:
    """Cluster every layer of a penalized student and train the centroids again, R frozen.

    Args:
        layers: before anything was merged.
        samples: what the student learned; the centroids are fitted to it without a penalty.
    """
    clusters = tuple((clustered(w, rule), clustered(b, rule)) for w, b in layers)
    parts = [part for pair in clusters for part in pair]
    firsts = np.cumsum([0, *(len(part.centroids) for part in parts)])
    index = [first + part.labels.ravel() for first, part in zip(firsts, parts, strict=False)]
    signs = [part.signs.ravel() for part in parts]
    replaced = [(weight.values, bias.values) for weight, bias in clusters]
    rows: list[dict[str, int]] = [
        dict(Counter(kind for *_, kind in row_relations(weight))) for weight, _ in clusters
    ]
    relation = Relation(np.concatenate(index), np.concatenate(signs))
    network = network_of(layers)
    fit = PenalizedFit(network, samples, 0.0)
    tied = TiedFit(fit, relation.index, relation.sign)
    start = flat(replaced)
    theta, value = polished(tied, tied.nearest(start), RETRAINING)
    size = float((samples.values**2).sum(1).mean())

    def relative(square: float) -> float:
        return float(np.sqrt(square / size))

    return ClusteredStudent(
        rule,
        relation,
        clusters,
        tuple(rows),
        relative(fit.misfit(flat(layers))[0]),
        relative(fit.misfit(start)[0]),
        relative(value),
        unpacked(network, tied.expanded(theta)),
    )
