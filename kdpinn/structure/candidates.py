"""Input maps that may be symmetries: from a student's first layer, and those of the box itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from kdpinn.structure.fits import Array
from kdpinn.structure.group import InputMap

MAX_POWER = 6
"""Highest order of a map that is looked for in weights."""
CLOSE = 0.12
"""Assignment residual, relative to the first layer, below which a map is looked at."""
NEAR_IDENTITY = 0.15
SNAP = 0.1
MOST_TUPLES = 20_000


def signed_permutations(d: int, fixed: Sequence[int] = ()) -> list[InputMap]:
    """The maps of [-1, 1]^d onto itself that are linear, without the identity.

    Of a map and its inverse one is listed, involutions first. Characters are those of one output,
    +1: the field decides on them (`kdpinn.structure.evidence.characters`).

    Args:
        fixed: coordinates that must stay as they are.
    """
    maps: list[InputMap] = []
    free = [i for i in range(d) if i not in fixed]
    for order in itertools.permutations(free):
        for signs in itertools.product((1.0, -1.0), repeat=len(free)):
            matrix = np.eye(d)
            matrix[free] = 0.0
            matrix[free, order] = signs
            g = InputMap(matrix, np.zeros(d), np.ones(1))
            if not g.is_identity and not any(g.inverse().same(other) for other in maps):
                maps.append(g)
    return sorted(maps, key=lambda g: (g.order, -float(np.trace(g.matrix))))


def maps_in_weights(weight: Array, bias: Array) -> list[InputMap]:
    """Affine maps of finite order under which the first layer's rows go over into each other.

    With tanh, row i of the layer at g z is plus or minus row k at z for a symmetry g. The d rows
    of best condition, assigned to any d rows with any signs, determine an affine map; it counts
    if it takes all rows near to rows, and has a finite order, about a center.

    Args:
        weight: (n, d); bias: (n,), of a merged student.
    Returns:
        Maps of exact finite order, best first, one of each cluster, characters (1,) of +1. Those
        near a signed permutation about the origin are exactly that.
    """
    n, d = weight.shape
    if n < d:
        return []
    rows = np.column_stack([weight, bias])
    size = float(np.linalg.norm(rows))
    basis = _best_basis(weight)
    if basis is None:
        return []
    found: list[tuple[float, InputMap]] = []
    for matrix, offset in _affine_maps(rows, list(basis)):
        if _order(matrix) == 0:
            continue
        moved = np.column_stack([weight @ matrix, bias + weight @ offset])
        squares = (moved**2).sum(1)[:, None] + (rows**2).sum(1)
        product = moved @ rows.T
        a, target = linear_sum_assignment(squares - 2 * np.abs(product))
        sign = np.where(product[a, target] < 0, -1.0, 1.0)
        goal = sign[:, None] * rows[target]
        if np.linalg.norm(moved - goal) / size > CLOSE:
            continue
        refined = np.linalg.lstsq(weight, goal[:, :-1], rcond=None)[0]
        shift = np.linalg.lstsq(weight, goal[:, -1] - bias, rcond=None)[0]
        g = finite_map(refined, shift)
        if g is not None and not any(_near(g, other) for _, other in found):
            left = np.column_stack([weight @ g.matrix, bias + weight @ g.offset]) - goal
            found.append((float(np.linalg.norm(left)) / size, g))
    return [g for _, g in sorted(found, key=lambda pair: pair[0])]


def finite_map(matrix: Array, offset: Array) -> InputMap | None:
    """The map of exact finite order near an affine one; None if there is none.

    Eigenvalues are moved to roots of unity, the part of the offset that no center explains is
    dropped if it is small. Near a signed permutation about the origin it is exactly that.
    """
    d = len(offset)
    order = _order(matrix)
    if order == 0:
        return None
    rounded = np.round(matrix)
    whole = np.array_equal(np.abs(rounded).sum(0), np.ones(d)) and np.array_equal(
        np.abs(rounded).sum(1), np.ones(d)
    )
    if whole and np.abs(matrix - rounded).max() < SNAP:
        exact = rounded
    else:
        values, vectors = np.linalg.eig(matrix)
        turns = np.round(np.angle(values) * order / (2 * np.pi)) / order
        exact = ((vectors * np.exp(2j * np.pi * turns)) @ np.linalg.inv(vectors)).real
    if np.abs(exact - np.eye(d)).max() < SNAP:
        return None
    center = np.linalg.lstsq(np.eye(d) - exact, offset, rcond=1e-6)[0]
    if np.linalg.norm((np.eye(d) - exact) @ center - offset) > NEAR_IDENTITY:
        return None  # it glides: no power of it is the identity
    if exact is rounded and np.abs(offset).max() < SNAP:
        center = np.zeros(d)
    return InputMap.about(np.asarray(center, np.float64), exact, np.ones(1))


def _best_basis(weight: Array) -> tuple[int, ...] | None:
    """The d rows with the largest determinant."""
    d = weight.shape[1]
    longest = np.argsort(-np.linalg.norm(weight, axis=1))[:12]
    volumes = {
        rows: abs(float(np.linalg.det(weight[list(rows)])))
        for rows in itertools.combinations(longest.tolist(), d)
    }
    best = max(volumes, key=lambda rows: volumes[rows])
    scale = float(np.prod(np.linalg.norm(weight[list(best)], axis=1)))
    return best if volumes[best] > 1e-2 * scale else None


def _affine_maps(rows: Array, basis: list[int]) -> Iterator[tuple[Array, Array]]:
    """Maps that take the basis rows to others, |det| near 1."""
    d = rows.shape[1] - 1
    inverse = np.linalg.inv(rows[basis, :-1])
    tuples = itertools.permutations(range(len(rows)), d)
    for target in itertools.islice(tuples, MOST_TUPLES):
        for signs in itertools.product((1.0, -1.0), repeat=d):
            goal = np.array(signs)[:, None] * rows[list(target)]
            matrix = inverse @ goal[:, :-1]
            if abs(abs(np.linalg.det(matrix)) - 1) < 0.3:
                yield matrix, inverse @ (goal[:, -1] - rows[basis, -1])


def _order(matrix: Array) -> int:
    """Least power that is nearly the identity, 0 if none up to `MAX_POWER` is."""
    power = matrix
    for k in range(1, MAX_POWER + 1):
        if np.linalg.norm(power - np.eye(len(matrix))) < NEAR_IDENTITY * k:
            return k
        power = power @ matrix
    return 0


def _near(g: InputMap, other: InputMap) -> bool:
    return bool(
        np.abs(g.matrix - other.matrix).max() < SNAP
        and np.abs(g.offset - other.offset).max() < SNAP
    )
