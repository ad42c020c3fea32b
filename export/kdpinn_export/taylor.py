"""Jets of a model by forward Taylor propagation, over any arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from kdpinn_runtime.format import CoordinateMap, Layer

from .arithmetic import Arithmetic, Array, FloatArray, Floating
from .maps import Jets, features_of, impose

T = TypeVar("T")


class Network(Protocol):
    """What evaluation needs; `ModelFile` and `NetworkArrays` both have it."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        """Weights (out, in), biases (out,), activations."""
        ...

    @property
    def input_shift(self) -> Array:
        """(d,): z = (x - input_shift) * input_scale; with features one for each of them."""
        ...

    @property
    def input_scale(self) -> Array:
        """(d,)."""
        ...

    @property
    def features(self) -> CoordinateMap | None:
        """Functions of x that the network takes in place of x."""
        ...

    @property
    def exact(self) -> CoordinateMap | None:
        """Bases and factors: the outputs are base(x) + factor(x) * u."""
        ...

    @property
    def output_shift(self) -> Array:
        """(m,): u = y * output_scale + output_shift."""
        ...

    @property
    def output_scale(self) -> Array:
        """(m,)."""
        ...


def jets(
    network: Network, x: T, d: int, pairs: Sequence[tuple[int, int]], arithmetic: Arithmetic[T]
) -> Jets[T]:
    r"""Value, all first and the chosen second derivatives at the points x, (n, d).

    Per layer, with v = W h + b, f_i = W h_i, s_ij = W h_ij and h' = g(v):
    $h'_i = g'(v) f_i$ and $h'_{ij} = g'(v) s_{ij} + g''(v) f_i f_j$ (chain rule, to second order).
    """
    ar = arithmetic
    value, first, second = _inputs(network, x, d, pairs, ar)
    for index, layer in enumerate(network.layers):
        weight, bias = _wide(layer.weight), ar.constant(_wide(layer.bias))
        value = ar.add(ar.linear(value, weight), bias)
        if index > 0 or network.features is not None:
            first = tuple(ar.linear(f, weight) for f in first)
            second = None if second is None else tuple(ar.linear(s, weight) for s in second)
        if layer.activation != "identity":
            value, slope, bend = ACTIVATIONS[layer.activation](ar, value)
            curved = [ar.multiply(bend, ar.multiply(first[i], first[j])) for i, j in pairs]
            if second is not None:
                straight = [ar.multiply(slope, s) for s in second]
                curved = [ar.add(a, b) for a, b in zip(straight, curved, strict=True)]
            second = tuple(curved)
            first = tuple(ar.multiply(slope, f) for f in first)
    u = _outputs(network, value, first, second, pairs, ar)
    return u if network.exact is None else impose(network.exact, x, d, u, pairs, ar)


def _wide(array: FloatArray) -> Array:
    return array.astype(np.float64)


def _inputs(
    network: Network, x: T, d: int, pairs: Sequence[tuple[int, int]], ar: Arithmetic[T]
) -> tuple[T, tuple[T, ...], tuple[T, ...] | None]:
    """What the first layer takes; of plain inputs, the derivatives of its sums (`_seeds`)."""
    shift, scale = network.input_shift, network.input_scale
    if network.features is None:
        z = ar.multiply(ar.add(x, ar.constant(-shift)), ar.constant(scale))
        return z, _seeds(network, ar), None
    fed = features_of(network.features, shift, scale, x, d, pairs, ar)
    return fed.value, fed.first, fed.second


def _seeds(network: Network, ar: Arithmetic[T]) -> tuple[T, ...]:
    """First derivatives of the first layer's sums: column i of its weights times scale i."""
    weight = _wide(network.layers[0].weight)
    return tuple(
        ar.constant(column[None, :] * scale)
        for column, scale in zip(weight.T, network.input_scale, strict=True)
    )


def _outputs(
    network: Network,
    value: T,
    first: tuple[T, ...],
    second: tuple[T, ...] | None,
    pairs: Sequence[tuple[int, int]],
    ar: Arithmetic[T],
) -> Jets[T]:
    """Through the output affine, each channel brought to (n, m)."""
    scale = ar.constant(network.output_scale)
    zero = ar.multiply(value, ar.constant(np.zeros(len(network.output_scale))))
    if second is None:  # no bent layer anywhere: the model is affine
        second = tuple(zero for _ in pairs)
        first = tuple(ar.add(zero, f) for f in first)
    return Jets(
        value=ar.add(ar.multiply(value, scale), ar.constant(network.output_shift)),
        first=tuple(ar.multiply(f, scale) for f in first),
        second=tuple(ar.multiply(s, scale) for s in second),
    )


def _tanh(ar: Arithmetic[T], v: T) -> tuple[T, T, T]:
    """t, 1 - t^2, -2 t (1 - t^2)."""
    t = ar.function("tanh", v)
    slope = ar.add(ar.constant(np.ones(1)), ar.multiply(ar.constant(-np.ones(1)), _square(ar, t)))
    return t, slope, ar.multiply(ar.multiply(ar.constant(np.full(1, -2.0)), t), slope)


def _sin(ar: Arithmetic[T], v: T) -> tuple[T, T, T]:
    """sin, cos, -sin."""
    s = ar.function("sin", v)
    return s, ar.function("cos", v), ar.multiply(ar.constant(-np.ones(1)), s)


def _sigmoid(ar: Arithmetic[T], v: T) -> tuple[T, T, T]:
    """s, s (1 - s), s (1 - s) (1 - 2 s)."""
    s = ar.function("sigmoid", v)
    minus = ar.multiply(ar.constant(-np.ones(1)), s)
    one = ar.constant(np.ones(1))
    slope = ar.multiply(s, ar.add(one, minus))
    return s, slope, ar.multiply(slope, ar.add(one, ar.add(minus, minus)))


def _silu(ar: Arithmetic[T], v: T) -> tuple[T, T, T]:
    """v s, s + v s', 2 s' + v s'' with s = sigmoid(v)."""
    s, ds, dds = _sigmoid(ar, v)
    two = ar.constant(np.full(1, 2.0))
    slope = ar.add(s, ar.multiply(v, ds))
    return ar.multiply(v, s), slope, ar.add(ar.multiply(two, ds), ar.multiply(v, dds))


def _relu(ar: Arithmetic[T], v: T) -> tuple[T, T, T]:
    """max(v, 0), 1 where v > 0 else 0, 0."""
    slope = ar.function("step", v)
    return ar.function("relu", v), slope, ar.multiply(ar.constant(np.zeros(1)), slope)


def _gelu(ar: Arithmetic[T], v: T) -> tuple[T, T, T]:
    """v Phi, Phi + v q, q (2 - v^2); q(v) = exp(-v^2 / 2) / sqrt(2 pi), of which Phi is the sum."""
    phi, square = normal_cdf(ar, v), _square(ar, v)
    q = ar.function("exp", ar.multiply(ar.constant(np.full(1, -0.5)), square))
    q = ar.multiply(ar.constant(np.full(1, 1 / math.sqrt(2 * math.pi))), q)
    two, minus = ar.constant(np.full(1, 2.0)), ar.constant(-np.ones(1))
    bend = ar.multiply(q, ar.add(two, ar.multiply(minus, square)))
    return ar.multiply(v, phi), ar.add(phi, ar.multiply(v, q)), bend


def normal_cdf(ar: Arithmetic[T], v: T) -> T:
    """Phi(v) = (1 + erf(v / sqrt 2)) / 2, the distribution function of the normal distribution."""
    e = ar.function("erf", ar.multiply(ar.constant(np.full(1, math.sqrt(0.5))), v))
    return ar.multiply(ar.constant(np.full(1, 0.5)), ar.add(ar.constant(np.ones(1)), e))


def _square(ar: Arithmetic[T], a: T) -> T:
    return ar.multiply(a, a)


ACTIVATIONS: dict[str, Callable[..., tuple[Any, Any, Any]]] = {
    "tanh": _tanh,
    "sin": _sin,
    "sigmoid": _sigmoid,
    "silu": _silu,
    "relu": _relu,
    "gelu": _gelu,
}


def evaluate(
    network: Network,
    x: FloatArray,
    pairs: Sequence[tuple[int, int]] = (),
    dtype: type[np.float32] | type[np.float64] = np.float64,
) -> Jets[FloatArray]:
    """`jets` in plain numpy arithmetic of `dtype` at the points x, (n, d)."""
    return jets(network, x.astype(dtype), x.shape[1], pairs, Floating(dtype))
