"""Number systems in which the jets of a model can be evaluated: floating point, and its error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
FloatArray = NDArray[np.floating[Any]]
T = TypeVar("T")
Function = Literal["tanh", "sin", "cos", "sigmoid", "exp", "reciprocal", "erf", "relu", "step"]

KERNEL_ERROR = 16.0
"""Permitted absolute error of an engine's tanh, sin, cos, sigmoid, erf, in unit roundoffs.

Twice the worst of onnxruntime 1.31 (7.8: tanh in double precision; 5.5 in single) over 3e6
arguments in [-30, 30]; the C core's tanh states 2e-7, 3.4 unit roundoffs of float32."""

FLUSHED = 16.0
"""Smallest normal numbers below which an exponential may be zero; the C core's gelu: 5."""


class Arithmetic(Protocol[T]):
    """What the Taylor rules need of a number system; arrays are (points, width)."""

    def constant(self, array: Array) -> T:
        """A stored number, rounded to this system."""
        ...

    def add(self, a: T, b: T) -> T:
        """a + b."""
        ...

    def multiply(self, a: T, b: T) -> T:
        """a * b, element by element."""
        ...

    def linear(self, a: T, weight: Array) -> T:
        """a @ weight.T, weight (out, in), rounded to this system."""
        ...

    def function(self, name: Function, a: T) -> T:
        """An elementary function."""
        ...

    def columns(self, a: T, start: int, stop: int) -> T:
        """Columns [start, stop) of `a`."""
        ...

    def stack(self, parts: Sequence[T | None], like: T) -> T:
        """Columns side by side, for every point of `like`; None stands for zeros."""
        ...


def sigmoid(v: FloatArray) -> FloatArray:
    """1 / (1 + exp(-v)) without overflow, in the dtype of `v`."""
    e = np.exp(-np.abs(v))
    one = v.dtype.type(1)
    return np.asarray(np.where(v >= 0, one, e) / (one + e))


def erf(v: FloatArray) -> FloatArray:
    """The error function, in the dtype of `v`."""
    from scipy import special  # 0.1 s to import; only gelu needs it

    return np.asarray(special.erf(v))


def step(v: FloatArray) -> FloatArray:
    """1 where v > 0, else 0: the slope of relu, in the dtype of `v`."""
    return (v > 0).astype(v.dtype)


FUNCTIONS: dict[Function, Callable[[Any], Any]] = {
    "tanh": np.tanh,
    "sin": np.sin,
    "cos": np.cos,
    "sigmoid": sigmoid,
    "exp": np.exp,
    "reciprocal": np.reciprocal,
    "erf": erf,
    "relu": lambda v: np.maximum(v, 0),
    "step": step,
}


class Floating:
    """Plain floating point of one dtype, float32 or float64: numpy's own operations."""

    def __init__(self, dtype: type[np.float32] | type[np.float64]) -> None:
        self.dtype = dtype

    def constant(self, array: Array) -> FloatArray:
        """`array` in this dtype."""
        return array.astype(self.dtype)

    def add(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """a + b."""
        return np.asarray(a + b)

    def multiply(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """a * b."""
        return np.asarray(a * b)

    def linear(self, a: FloatArray, weight: Array) -> FloatArray:
        """a @ weight.T."""
        narrow: FloatArray = weight.astype(self.dtype)
        return np.asarray(a @ narrow.T)

    def function(self, name: Function, a: FloatArray) -> FloatArray:
        """An elementary function in this dtype."""
        return np.asarray(FUNCTIONS[name](a))

    def columns(self, a: FloatArray, start: int, stop: int) -> FloatArray:
        """a[:, start:stop]."""
        return a[:, start:stop]

    def stack(self, parts: Sequence[FloatArray | None], like: FloatArray) -> FloatArray:
        """Columns side by side."""
        return _stacked(parts, len(like), self.dtype)


def _stacked(
    parts: Sequence[FloatArray | None], n: int, dtype: type[np.float32] | type[np.float64]
) -> FloatArray:
    out = np.zeros((n, len(parts)), dtype)
    for column, part in enumerate(parts):
        if part is not None:
            out[:, column : column + 1] = part
    return out


class Bounded(NamedTuple):
    """A float64 value and a bound on the absolute error of a narrower computation of it."""

    value: Array
    error: Array


class RunningError:
    """Float64 values beside a running bound of the rounding error of a narrower `dtype`.

    Every operation adds its own rounding to what its arguments bring: Higham, Accuracy and
    Stability of Numerical Algorithms (2002), sections 3.1 and 3.3, with
    gamma(k) = k u / (1 - k u) for sums in any order. Elementary functions err by at most
    KERNEL_ERROR * u, absolute. The computation of `value` rounds too: u is the sum of both unit
    roundoffs, which is twice that of float64 where the other side is float64 as well.

    copies: of a tied network that is evaluated in the Walsh-Hadamard basis, where up to as many
    terms of any of the layer's inputs meet in a sum.
    """

    def __init__(
        self,
        dtype: type[np.float16] | type[np.float32] | type[np.float64],
        copies: int = 1,
    ) -> None:
        self.dtype, self.copies = dtype, copies
        self.u = float(np.finfo(dtype).eps + np.finfo(np.float64).eps) / 2
        # What an engine may take for zero: numbers near the smallest normal one. Of half precision
        # they would be no small ones.
        self.flushed = 0.0 if dtype is np.float16 else FLUSHED * float(np.finfo(dtype).tiny)

    def gamma(self, k: int) -> float:
        """k u / (1 - k u)."""
        return k * self.u / (1.0 - k * self.u)

    def _rounded(self, value: Array, error: Array) -> Bounded:
        return Bounded(value, error + self.u * (np.abs(value) + error))

    def constant(self, array: Array) -> Bounded:
        """A stored number, rounded once unless `dtype` holds it exactly."""
        exact = array.astype(self.dtype) == array
        return Bounded(array, np.where(exact, 0.0, self.u * np.abs(array)))

    def add(self, a: Bounded, b: Bounded) -> Bounded:
        """a + b."""
        return self._rounded(a.value + b.value, a.error + b.error)

    def multiply(self, a: Bounded, b: Bounded) -> Bounded:
        """a * b."""
        error = np.abs(a.value) * b.error + np.abs(b.value) * a.error + a.error * b.error
        return self._rounded(a.value * b.value, error)

    def linear(self, a: Bounded, weight: Array) -> Bounded:
        """a @ weight.T: n products and sums and one rounding of each weight."""
        wide = np.abs(weight.astype(np.float64)).T
        size = np.abs(a.value) + a.error
        if self.copies > 1:
            size = np.broadcast_to(size.max(axis=1, keepdims=True), size.shape)
        spread = self.copies * self.gamma(weight.shape[1] + 2 * self.copies - 1)
        error = a.error @ wide + spread * (size @ wide)
        return Bounded(a.value @ weight.astype(np.float64).T, error)

    def function(self, name: Function, a: Bounded) -> Bounded:
        """f(a): |f(a + e) - f(a)| <= |f'(a)| e + sup|f''| e^2 / 2, and the kernel's own error."""
        value = np.asarray(FUNCTIONS[name](a.value))
        if name == "exp":  # err relatively, by at most KERNEL_ERROR * u too
            error = value * (np.expm1(a.error) + KERNEL_ERROR * self.u)
            return Bounded(value, error + self.flushed)
        if name == "relu":  # as steep as 1 at most, and exact
            return Bounded(value, np.where(a.value < -a.error, 0.0, a.error))
        if name == "step":  # either side, where the error of `a` reaches over zero
            return Bounded(value, (np.abs(a.value) <= a.error).astype(np.float64))
        if name == "reciprocal":
            size = np.abs(a.value)
            least = np.maximum(size - a.error, np.finfo(np.float64).tiny)
            return self._rounded(value, a.error / (size * least))
        slope, curvature = _slope(name, a.value, value)
        error = np.minimum(slope * a.error + 0.5 * curvature * a.error**2, 2.0)
        return Bounded(value, error + KERNEL_ERROR * self.u)

    def columns(self, a: Bounded, start: int, stop: int) -> Bounded:
        """Columns [start, stop) of both."""
        return Bounded(a.value[:, start:stop], a.error[:, start:stop])

    def stack(self, parts: Sequence[Bounded | None], like: Bounded) -> Bounded:
        """Columns side by side, of both."""
        n = len(like.value)
        values = _stacked([p if p is None else p.value for p in parts], n, np.float64)
        errors = _stacked([p if p is None else p.error for p in parts], n, np.float64)
        return Bounded(values.astype(np.float64), errors.astype(np.float64))


def _slope(name: Function, a: Array, value: Array) -> tuple[Array, float]:
    """|f'(a)| and a bound of |f''| everywhere."""
    if name == "tanh":
        return 1.0 - value**2, 0.7699  # 4 / (3 sqrt 3), rounded up
    if name == "sigmoid":
        return value * (1.0 - value), 0.0963  # 1 / (6 sqrt 3), rounded up
    if name == "erf":
        return 2.0 / np.sqrt(np.pi) * np.exp(-(a**2)), 0.9679  # 2 sqrt(2 / (e pi)), rounded up
    return np.abs(np.cos(a) if name == "sin" else np.sin(a)), 1.0
