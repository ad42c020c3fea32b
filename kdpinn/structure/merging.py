"""A penalized student made smaller: neurons that repeat each other become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.networks import MLP
from kdpinn.structure.fits import Array, PenalizedFit, Samples, flat, polished, unpacked

Layers = list[tuple[Array, Array]]

TOLERANCES = (0.05, 0.05, 0.05, 0.1)
"""Of the merges, in turn, each followed by a polish: neurons that are meant to be equal come closer
with each."""

POLISH = 600


def merged(layers: Sequence[tuple[Array, Array]], tolerance: float) -> Layers:
    """The network without repeated neurons, of nearly the same function.

    In each hidden layer, neurons whose rows [w, b] agree up to sign within `tolerance` times the
    layer's longest row become one: its row is their mean, weighted by what the next layer makes
    of each; outgoing weights are added with their signs, as tanh is odd. A neuron whose weights,
    bias apart, are shorter than that is a constant, and goes into the next layer's bias.

    Args:
        layers: W (n_out, n_in) and b (n_out,), tanh between them.
    Returns:
        Layers of at most the same widths, each at least 1.
    """
    done = [(w.copy(), b.copy()) for w, b in layers]
    for k in range(len(done) - 1):
        rows = np.column_stack(done[k])
        following, bias = done[k + 1]
        reach = tolerance * np.linalg.norm(rows, axis=1).max()
        leader, sign = _leaders(rows, reach)
        use = np.linalg.norm(following, axis=0) + 1e-12
        new_rows, new_columns = [], []
        for first in np.unique(leader):
            members = np.flatnonzero(leader == first)
            weight = use[members] / use[members].sum()
            new_rows.append((weight * sign[members]) @ rows[members])
            new_columns.append(following[:, members] @ sign[members])
        row, column = np.array(new_rows), np.array(new_columns).T
        constant = np.linalg.norm(row[:, :-1], axis=1) < reach
        if constant.all():
            constant[np.argmax(np.linalg.norm(row, axis=1))] = False
        bias = bias + column[:, constant] @ np.tanh(row[constant, -1])
        done[k] = (row[~constant, :-1], row[~constant, -1])
        done[k + 1] = (column[:, ~constant], bias)
    return done


def _leaders(rows: Array, reach: float) -> tuple[Array, Array]:
    """For each row the row it repeats and with what sign, the longest rows first."""
    leader = np.full(len(rows), -1)
    sign = np.ones(len(rows))
    leaders: list[int] = []
    for i in np.argsort(-np.linalg.norm(rows, axis=1), kind="stable"):
        if leaders:
            candidates = rows[leaders]
            signs = np.where(candidates @ rows[i] < 0, -1.0, 1.0)
            distance = np.linalg.norm(rows[i] - signs[:, None] * candidates, axis=1)
            nearest = int(distance.argmin())
            if distance[nearest] < reach:
                leader[i], sign[i] = leaders[nearest], signs[nearest]
                continue
        leader[i] = i
        leaders.append(int(i))
    return leader, sign


def condensed(
    layers: Sequence[tuple[Array, Array]], samples: Samples, penalty: float
) -> tuple[Layers, float]:
    """Merge and polish, again and again, until nothing merges any more.

    The reduced network, not the large one, is polished on the same objective: the true residuals
    of a symmetry then shrink by orders of magnitude, the false ones do not.

    Returns:
        The layers, and the objective there.
    """
    now = [(w, b) for w, b in layers]
    value = np.inf
    for tolerance in TOLERANCES:
        reduced = merged(now, tolerance)
        if np.isfinite(value) and _widths(reduced) == _widths(now):
            continue
        now, value = _polished(reduced, samples, penalty)
    return now, value


def _polished(
    layers: Sequence[tuple[Array, Array]], samples: Samples, penalty: float
) -> tuple[Layers, float]:
    network = network_of(layers)
    theta, value = polished(PenalizedFit(network, samples, penalty), flat(layers), POLISH)
    return unpacked(network, theta), value


def network_of(layers: Sequence[tuple[Array, Array]]) -> MLP:
    """The shape of the layers."""
    return MLP((layers[0][0].shape[1], *_widths(layers)))


def _widths(layers: Sequence[tuple[Array, Array]]) -> tuple[int, ...]:
    return tuple(len(w) for w, _ in layers)


def evaluated(layers: Sequence[tuple[Array, Array]], z: Array) -> Array:
    """The network at points z (N, d): (N, m)."""
    a = z
    for w, b in layers[:-1]:
        a = np.tanh(a @ w.T + b)
    w, b = layers[-1]
    return np.asarray(a @ w.T + b)
