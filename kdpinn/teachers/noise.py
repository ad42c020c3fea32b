"""How noisy samples are, seen without any model: each against its neighbors."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from kdpinn.geometry import FloatArray

MOST = 4000
"""Samples that are looked at; more would not change two digits."""
NEIGHBORS_PER_UNKNOWN = 2


def noise_of(points: FloatArray, values: FloatArray) -> FloatArray:
    r"""Standard deviation of the noise of each field, (m,); an upper bound where samples are few.

    Every sample is predicted by a plane through its 2 (d + 1) nearest neighbors, a sum
    $\sum_k l_k y_k$; for independent noise of variance $\sigma^2$ and a locally plane field,
    $e^2 / (1 + \sum_k l_k^2)$ has the mean $\sigma^2$. Curvature between neighbors adds to it.

    Args:
        points: (n, d), coordinates in units of the domain; values: (n, m).
    Source: pseudo-residuals of Gasser, Sroka, Jennen-Steinmetz, Biometrika 73 (1986) 625-633,
        DOI 10.1093/biomet/73.3.625, carried from one coordinate to several.
    """
    n, d = points.shape
    k = NEIGHBORS_PER_UNKNOWN * (d + 1)
    if n <= k:
        return np.full(values.shape[1], np.nan)
    looked = np.linspace(0, n - 1, min(n, MOST)).astype(np.intp)
    _, found = cKDTree(points).query(points[looked], k=k + 1)
    # A repeated point may come before the sample itself: strike the sample, not the first found.
    own = found == looked[:, None]
    own[~own.any(axis=1), -1] = True
    near = found[~own].reshape(len(looked), k)
    offsets = points[near] - points[looked][:, None]
    plane = np.concatenate([np.ones((*near.shape, 1)), offsets], axis=2)
    weights = np.linalg.pinv(plane)[:, 0]
    errors = values[looked] - np.einsum("nk,nkm->nm", weights, values[near])
    unit = 1 + np.sum(weights**2, axis=1, keepdims=True)
    return np.asarray(np.sqrt(np.mean(errors**2 / unit, axis=0)), dtype=np.float64)
