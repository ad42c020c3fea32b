"""Networks that have a symmetry by construction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.structure.fits import Array
from kdpinn.structure.group import Group, InputMap

Layers = list[tuple[Array, Array]]


def signed_permutation(source: Sequence[int], sign: Sequence[float]) -> Array:
    """The matrix P with (P a)[i] = sign[i] a[source[i]]."""
    matrix = np.zeros((len(source), len(source)))
    matrix[np.arange(len(source)), source] = sign
    return matrix


def random_involution(n: int, rng: np.random.Generator) -> Array:
    """Random signed pairs, a few neurons alone."""
    source, sign, order = np.arange(n), np.ones(n), rng.permutation(n)
    for i, j in zip(order[: 2 * (n // 3) : 2], order[1 : 2 * (n // 3) : 2]):
        source[i], source[j] = j, i
        sign[i] = sign[j] = rng.choice([-1.0, 1.0])
    return signed_permutation(source, sign)


def symmetric_network(g: InputMap, actions: Sequence[Array], rng: np.random.Generator) -> Layers:
    """Random layers with W_l P_(l-1) = P_l W_l and P_l b_l = b_l, by averaging over powers of g.

    Args:
        g: linear on the inputs; actions: the P_l of the hidden layers, of g's order.
    """
    spaces = [g.matrix, *actions, np.diag(g.characters)]
    layers = []
    for before, after in zip(spaces, spaces[1:]):
        w = rng.normal(size=(len(after), len(before))) / np.sqrt(len(before))
        b = rng.normal(size=len(after)) / 2
        powers = range(g.order)
        w = np.mean(
            [
                np.linalg.matrix_power(after.T, k) @ w @ np.linalg.matrix_power(before, k)
                for k in powers
            ],
            axis=0,
        )
        b = np.mean([np.linalg.matrix_power(after.T, k) @ b for k in powers], axis=0)
        layers.append((w, b))
    return layers


def evaluate(layers: Sequence[tuple[Array, Array]], z: Array) -> Array:
    """tanh layers, the last linear, at z (N, d): (N, m)."""
    a = z
    for w, b in layers[:-1]:
        a = np.tanh(a @ w.T + b)
    w, b = layers[-1]
    return a @ w.T + b


def orbit_layer(group: Group, row: Sequence[float], bias: float) -> tuple[Array, Array]:
    """A first layer that is one orbit: rows w g for all elements g, about the group's center."""
    rows = np.array([np.asarray(row) @ g.matrix for g in group.elements])
    return rows, bias - rows @ group.center
