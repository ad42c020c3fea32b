"""Jets of a network given as one parameter vector, and the reverse pass through them, in float64.

What a trainer needs: values, first and chosen second derivatives of a multilayer perceptron, the
gradient of any weighted sum of them with respect to the parameters, and its per-point Jacobian.
Channel order: the value, the first derivatives by the d coordinates, then one second derivative
for each pair. The rules stand in docs/derivations/jets.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import _core
from .format import ACTIVATIONS

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A network at n points: what every function here takes. Arrays are float64, C-contiguous.

    Attributes:
        sizes: widths, inputs first and outputs last.
        activation: of all hidden layers; the last layer is linear.
        theta: layer by layer, W (n_out, n_in) row-major and then b (n_out).
        x, scale: normalized coordinates (n, d), and d(normalized) / d(physical coordinate) (d,),
            for networks whose inputs these are; or
        inputs: instead, the jets of the network's inputs, (channels, n, sizes[0]), whatever
            functions of the d coordinates they are.
        pairs: coordinates of the second derivatives.
        order: of the highest derivative: 0, 1 or 2.
    """

    sizes: Sequence[int]
    activation: str
    theta: Array
    x: Array | None = None
    scale: Array | None = None
    inputs: Array | None = None
    pairs: Sequence[tuple[int, int]] = ()
    order: int = 2

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"`activation` must be one of {', '.join(ACTIVATIONS)}; got {self.activation!r}."
            )
        simple = self.x is not None and self.scale is not None and self.inputs is None
        general = self.x is None and self.scale is None and self.inputs is not None
        if not simple and not general:
            raise ValueError("A network takes either `x` and `scale`, or `inputs` in their place.")

    def _native(self, isa: str | None) -> _core.Trainee:
        x = self.x if self.inputs is None else self.inputs
        assert x is not None, "checked above"
        code = ACTIVATIONS.index(self.activation)
        sizes, pairs = list(self.sizes), list(self.pairs)
        return _core.Trainee(sizes, code, self.theta, x, self.scale, pairs, self.order, isa)


@dataclass(frozen=True, kw_only=True, eq=False)
class Equations:
    """Residuals that are sums of products: r_e = weight_e * sum of coefficient * factors.

    Attributes:
        products: (coefficient, equation, numbers of at most 10 factors), those of equation 0 first.
            Factors are numbered: jets, output * channels + channel; then the columns; then the
            scalars.
        equations: how many.
        columns: (c, n), numbers at the points; column e is the weight of equation e.
        scalars: how many numbers are the same at all points and may change from call to call.
    """

    products: Sequence[tuple[float, int, Sequence[int]]]
    equations: int
    columns: Array
    scalars: int = 0


class Squares:
    """f(theta, scalars) = sum of r_e^2 over equations and points, and its gradient, in one pass.

    Args:
        parts: networks of the same sizes, each at its points with its equations; their theta only
            says how long it is. The arrays are kept, not copied.
    Raises:
        ValueError: shapes or numbers of factors do not fit.
    """

    def __init__(
        self, parts: Sequence[tuple[Network, Equations]], *, isa: str | None = None
    ) -> None:
        self._native = _core.Squares()
        for network, e in parts:
            trainee = network._native(isa)
            self._native.add(trainee, list(e.products), e.equations, e.columns, e.scalars)

    def evaluate(
        self,
        theta: Array,
        scalars: Array,
        gradient: Array,
        by_scalar: Array,
        *,
        threads: int = 2,
    ) -> float:
        """f; writes df/dtheta to `gradient` (parameters,) and df/d scalar to `by_scalar`."""
        return self._native.evaluate(theta, scalars, gradient, by_scalar, threads)


def jets(network: Network, out: Array, *, threads: int = 2, isa: str | None = None) -> None:
    """Writes the jets of the outputs to `out` (channels, n, outputs); ValueError for wrong shapes.

    `threads` share the points; `isa` is an instruction set, by default the best.
    """
    network._native(isa).jets(out, threads)


def vjp(
    network: Network, seed: Array, gradient: Array, *, threads: int = 2, isa: str | None = None
) -> None:
    """Writes d(sum of seed * jets)/d theta to `gradient` (parameters,); `seed` is like the jets."""
    network._native(isa).vjp(seed, gradient, threads)


def jacobian(
    network: Network, seed: Array, out: Array, *, threads: int = 2, isa: str | None = None
) -> None:
    """Writes to `out` (parameters, n): column k is point k's share of the gradient of `vjp`."""
    network._native(isa).jacobian(seed, out, threads)
