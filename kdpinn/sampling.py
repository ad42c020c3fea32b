"""Points: Sobol in a box and on its faces, and resampling where the residual is large.

All functions are pure: the same arguments give the same points. Points are float64 tensors on the
CPU, (n, d), columns in the order of the box's coordinates.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from scipy.stats import qmc
from torch import Tensor

from kdpinn.geometry import Box, FloatArray
from kdpinn.places import Disk, Place, Points

POOL_FACTOR = 4
UNIFORM_SHARE = 0.5
FLOOR = 0.2
MAX_REJECTED = 1000
"""Draws per point after which the holes are taken to fill the box."""


def sobol(n: int, dim: int, seed: int) -> FloatArray:
    """Scrambled Sobol points in [0, 1)^dim, (n, dim).

    Source: Joe and Kuo (2008), doi:10.1137/070709359; scrambling: Owen (1998).
    """
    if n < 0 or dim < 1:
        raise ValueError(f"`sobol` needs n >= 0 points in dim >= 1, got n = {n}, dim = {dim}.")
    engine = qmc.Sobol(dim, scramble=True, rng=np.random.default_rng(seed))
    # Drawn as a whole power of two, as the sequence is balanced only there; the rest is dropped.
    return np.asarray(engine.random_base2(max(n - 1, 0).bit_length()), dtype=np.float64)[:n]


def interior(box: Box, n: int, *, seed: int) -> Tensor:
    """Sobol points that fill the closed box and touch each of its faces, (n, d), none in a hole.

    The points are stretched so that the smallest and the largest value of each coordinate are its
    bounds: collocation that stops short of the boundary lets a network put a whole jump into the
    gap at no cost.

    Raises:
        ValueError: fewer than 2 points, which cannot touch both ends.
    """
    if n < 2:
        raise ValueError(f"`interior` needs at least 2 points to reach both ends, got {n}.")
    if not box.holes:
        return torch.from_numpy(box.from_unit(_stretched(sobol(n, box.dim, seed))))
    drawn = n
    while True:
        x = box.from_unit(_stretched(sobol(drawn, box.dim, seed)))
        x = x[box.contains(x)]
        if len(x) >= n:
            return torch.from_numpy(_extremes_first(x)[:n])
        if drawn > MAX_REJECTED * n:
            raise ValueError(f"`interior` found {len(x)} of {drawn} points outside the holes.")
        drawn = drawn + drawn // 4 + 8


def _stretched(z: FloatArray) -> FloatArray:
    """Points of [0, 1]^d whose least and greatest coordinates become 0 and 1."""
    lower, upper = z.min(axis=0), z.max(axis=0)
    return np.asarray((z - lower) / (upper - lower), dtype=np.float64)


def _extremes_first(x: FloatArray) -> FloatArray:
    """The same rows, those that reach furthest in each coordinate moved to the front."""
    reach = dict.fromkeys([*x.argmin(axis=0).tolist(), *x.argmax(axis=0).tolist()])
    rest = np.delete(np.arange(len(x)), list(reach))
    return x[[*reach, *rest.tolist()]]


def on_face(box: Box, face: Mapping[str, float], n: int, *, seed: int) -> Tensor:
    """Points on one face, its corners included (for the edge of a rectangle: its end points).

    Args:
        face: fixed coordinates, e.g. {"x": -1.0}.
        n: number of points; the corners come first, Sobol points fill the rest.
    Returns:
        (n, d); a single point if all coordinates are fixed.
    """
    if n < 1:
        raise ValueError(f"`on_face` needs at least 1 point, got {n}.")
    fixed = box.check_face(face)
    free = [i for i, name in enumerate(box.names) if name not in fixed]
    z = np.zeros((n if free else 1, box.dim))
    if free:
        corners = np.array(list(itertools.product((0.0, 1.0), repeat=len(free))))[:n]
        z[:, free] = np.concatenate([corners, sobol(n - len(corners), len(free), seed)])
    points = box.from_unit(z)
    for name, value in fixed.items():
        points[:, box.index(name)] = value
    return torch.from_numpy(points)


def on_rim(box: Box, disk: Disk, n: int, *, seed: int) -> Tensor:
    """Points on the rim of a hole, evenly spread, through the whole range of other coordinates.

    Returns:
        (n, d); fewer where a part of the rim lies outside the box.
    """
    box.check_hole(disk)
    free = [i for i, name in enumerate(box.names) if name not in disk.names]
    z = sobol(n, 1 + len(free), seed)
    turns = (np.arange(n) + z[0, 0]) / n if not free else z[:, 0]
    points = np.zeros((n, box.dim))
    if free:
        unit = np.zeros((n, box.dim))
        unit[:, free] = z[:, 1:]
        points = box.from_unit(unit)
    for name, column in disk.rim(turns).items():
        points[:, box.index(name)] = column
    return torch.from_numpy(points[box.contains(points)])


def on_places(box: Box, places: Sequence[Place], n: int, *, seed: int) -> Tensor:
    """n points shared equally between faces and rims, in their order; given points as they are.

    Meant to be drawn once: with few or changing condition points the error jumps between
    resamplings.

    Returns:
        (k, d); k < n where a face is a single point, k > n where n is less than the number of
        places.
    """
    if not places:
        raise ValueError('`on_places` needs at least one face, e.g. [{"x": -1.0}].')
    share, rest = divmod(n, len(places))
    counts = [max(share + (k < rest), 1) for k in range(len(places))]
    return torch.cat([_on_place(box, p, counts[k], seed + k) for k, p in enumerate(places)])


def _on_place(box: Box, place: Place, n: int, seed: int) -> Tensor:
    if isinstance(place, Points):
        return torch.from_numpy(place.x.copy())
    if isinstance(place, Disk):
        return on_rim(box, place, n, seed=seed)
    return on_face(box, place, n, seed=seed)


def residual_adaptive(
    box: Box,
    n: int,
    magnitude: Callable[[Tensor], Tensor],
    *,
    generator: torch.Generator,
) -> Tensor:
    r"""Half uniform Sobol points, half drawn where the residual is large.

    From a pool of 4 n Sobol points, n/2 are drawn without replacement with probability
    proportional to |r| / mean|r| + 0.2.

    Args:
        magnitude: |r| at points (k, d) as (k,), non-negative; called once, without gradients.
        generator: on the CPU; its state is the only source of randomness.
    Returns:
        (n, d), the uniform half first.
    Raises:
        ValueError: `magnitude` returns another shape, or a value that is not finite.
    Source: Wu, Zhu, Tan, Kartha, Lu (2023), RAD with k = 1, c = 0.2, doi:10.1016/j.cma.2022.115671.
    """
    uniform = interior(box, max(round(n * UNIFORM_SHARE), 2), seed=_seed(generator))
    drawn = n - len(uniform)
    if drawn < 1:
        raise ValueError(f"`residual_adaptive` needs at least 3 points, got {n}.")
    pool = interior(box, POOL_FACTOR * n, seed=_seed(generator))
    with torch.no_grad():
        weights = _weights(magnitude(pool), len(pool))
    chosen = torch.multinomial(weights, drawn, replacement=False, generator=generator)
    return torch.cat([uniform, pool[chosen]])


def _weights(magnitude: Tensor, n: int) -> Tensor:
    """|r| / mean|r| + 0.2, (n,); uniform where the residual vanishes everywhere."""
    r = magnitude.detach().abs().to("cpu", torch.float64)
    if r.shape != (n,):
        raise ValueError(
            f"`residual_adaptive` expects a magnitude of shape ({n},), got {tuple(r.shape)}: "
            "join several equations by the root of their sum of squares."
        )
    if not bool(torch.isfinite(r).all()):
        bad = int((~torch.isfinite(r)).sum())
        raise ValueError(f"`residual_adaptive`: the residual is not finite at {bad} of {n} points.")
    mean = r.mean()
    return r / mean + FLOOR if mean > 0 else torch.ones_like(r)


def _seed(generator: torch.Generator) -> int:
    return int(torch.randint(2**31, (1,), generator=generator).item())
