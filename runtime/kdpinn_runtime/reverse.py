"""Jets of a network given as one parameter vector, and the reverse pass through them, in float64.

What a trainer needs: values, first and chosen second derivatives of a multilayer perceptron, the
gradient of any weighted sum of them with respect to the parameters, and its per-point Jacobian.
Parameters lie layer by layer, W (n_out, n_in) row-major and then b (n_out); all hidden layers
share one activation and the last is linear. Points are normalized already: `scale[i]` is the
derivative of normalized input i by the physical one and seeds its channel. Channel order: the
value, the first derivatives, then one second derivative for each pair. The rules stand in
docs/derivations/jets.md.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from . import _core
from .format import ACTIVATIONS

Array = NDArray[np.float64]
PairList = Sequence[tuple[int, int]]


def jets(
    sizes: Sequence[int],
    activation: str,
    theta: Array,
    x: Array,
    scale: Array,
    pairs: PairList,
    order: int,
    out: Array,
    *,
    threads: int = 2,
    isa: str | None = None,
) -> None:
    """Writes the jets at `x` (n, inputs) to `out` (channels, n, outputs).

    Arrays are float64 and C-contiguous; ValueError where shapes disagree.
    """
    _core.reverse_jets(
        list(sizes), _code(activation), theta, x, scale, list(pairs), order, out, threads, isa
    )


def vjp(
    sizes: Sequence[int],
    activation: str,
    theta: Array,
    x: Array,
    scale: Array,
    pairs: PairList,
    order: int,
    seed: Array,
    gradient: Array,
    *,
    threads: int = 2,
    isa: str | None = None,
) -> None:
    """Writes d(sum of seed * jets)/d theta to `gradient` (parameters,); `seed` is like the jets."""
    _core.reverse_vjp(
        list(sizes),
        _code(activation),
        theta,
        x,
        scale,
        list(pairs),
        order,
        seed,
        gradient,
        threads,
        isa,
    )


def jacobian(
    sizes: Sequence[int],
    activation: str,
    theta: Array,
    x: Array,
    scale: Array,
    pairs: PairList,
    order: int,
    seed: Array,
    out: Array,
    *,
    threads: int = 2,
    isa: str | None = None,
) -> None:
    """Writes to `out` (parameters, n): column k is point k's share of the gradient of `vjp`."""
    _core.reverse_jacobian(
        list(sizes), _code(activation), theta, x, scale, list(pairs), order, seed, out, threads, isa
    )


def _code(activation: str) -> int:
    if activation not in ACTIVATIONS:
        raise ValueError(
            f"`activation` must be one of {', '.join(ACTIVATIONS)}; got {activation!r}."
        )
    return list(ACTIVATIONS).index(activation)
