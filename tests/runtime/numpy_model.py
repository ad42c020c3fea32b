"""Reference evaluator of a ModelFile in plain numpy, float64: values, jets and residuals.

Written from the formulas, independently of the C core, whose tests compare with it. It offers the
interface of `kdpinn_runtime.Model`, so that `verify` and the command line can be tested with it.
Second derivatives of a layer z -> a(W z + b): with s = W z + b,
a(s)_i = a'(s) s_i and a(s)_ij = a''(s) s_i s_j + a'(s) s_ij.
"""

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from kdpinn_runtime.format import read


def _sigmoid(s):
    return np.where(s >= 0, 1 / (1 + np.exp(-abs(s))), np.exp(-abs(s)) / (1 + np.exp(-abs(s))))


_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def _gelu(s):
    below = _erfc(-s / np.sqrt(2)) / 2  # the normal distribution
    density = np.exp(-(s**2) / 2) / np.sqrt(2 * np.pi)
    return s * below, below + s * density, density * (2 - s**2)


def activation(name, s):
    """Value, first and second derivative of the activation at s, any shape."""
    if name == "identity":
        return s, np.ones_like(s), np.zeros_like(s)
    if name == "tanh":
        t = np.tanh(s)
        first = 1 / np.cosh(np.clip(s, -300, 300)) ** 2  # 1 - t^2 would cancel for large |s|
        return t, first, -2 * t * first
    if name == "sin":
        return np.sin(s), np.cos(s), -np.sin(s)
    if name == "relu":
        return np.maximum(s, 0), (s > 0).astype(np.float64), np.zeros_like(s)
    if name == "gelu":
        return _gelu(s)
    value, complement = _sigmoid(s), _sigmoid(-s)
    first = value * complement
    second = first * (complement - value)
    if name == "sigmoid":
        return value, first, second
    if name == "silu":
        return s * value, value + s * first, 2 * first + s * second
    raise ValueError(f"no such activation: {name}")


@dataclass
class NumpyJet:
    """value (n, m), first (n, m, d), second (n, m, p) in the order of `pairs`."""

    value: np.ndarray
    first: np.ndarray
    second: np.ndarray
    pairs: tuple[tuple[int, int], ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __getitem__(self, name):
        """`jet["u"]`, `jet["u_x"]`, `jet["u_xy"]`; (n,) each."""
        field, _, by = name.partition("_")
        output = self.outputs.index(field)
        if not by:
            return self.value[:, output]
        if by in self.inputs:
            return self.first[:, output, self.inputs.index(by)]
        i, j = sorted(self.inputs.index(letter) for letter in by)
        return self.second[:, output, self.pairs.index((i, j))]


class NumpyModel:
    """Evaluates `file`; whatever the type of x, the arithmetic is float64."""

    def __init__(self, file, digest="", outside="warn"):
        self.file, self.digest, self.outside = file, digest, outside
        self.inputs, self.outputs = file.inputs, file.outputs
        self.names = tuple(v.name for v in file.inputs)
        self.domain = np.array([(v.lower, v.upper) for v in file.inputs])
        self.card, self.pairs, self.parameters = file.card, file.pairs, file.weight_count
        self.outside_count = 0
        self.dtypes = (np.float32, np.float64)

    def __call__(self, x):
        x = self._checked(x)
        return self._jet(x.astype(np.float64), ()).value.astype(x.dtype)

    def _checked(self, x):
        x = np.asarray(x)
        lower, upper = self.domain.T
        self.outside_count += int(((x < lower) | (x > upper)).any(axis=1).sum())
        if self.outside == "refuse" and self.outside_count:
            raise ValueError(f"{self.outside_count} points lie outside the domain")
        return x

    def jet(self, x, second="all"):
        d = len(self.inputs)
        if isinstance(second, str):
            second = tuple(combinations_with_replacement(range(d), 2))
        pairs = tuple(
            tuple(sorted(self.names.index(c) if isinstance(c, str) else c for c in pair))
            for pair in second
        )
        return self._jet(self._checked(x).astype(np.float64), pairs)

    def _jet(self, x, pairs):
        file = self.file
        i, j = np.array(pairs, dtype=int).reshape(-1, 2).T
        value, first, second = self._seed(x, pairs)
        value = (value - file.input_shift) * file.input_scale
        first, second = first * file.input_scale, second * file.input_scale
        for layer in file.layers:
            weight, bias = layer.weight.astype(np.float64), layer.bias.astype(np.float64)
            value, first, second = value @ weight.T + bias, first @ weight.T, second @ weight.T
            value, slope, curve = activation(layer.activation, value)
            curved = curve[:, None] * first[:, i] * first[:, j]
            second = curved + slope[:, None] * second
            first = slope[:, None] * first
        value = value * file.output_scale + file.output_shift
        first, second = first * file.output_scale, second * file.output_scale
        if file.exact is not None:
            value, first, second = self._imposed(x, pairs, value, first, second)
        return NumpyJet(
            value=value,
            first=np.swapaxes(first, 1, 2),
            second=np.swapaxes(second, 1, 2),
            pairs=pairs,
            inputs=self.names,
            outputs=tuple(v.name for v in self.outputs),
        )

    def _seed(self, x, pairs):
        """What the network takes: values (n, F), derivatives [point, by, unit]."""
        if self.file.features is None:
            (n, d), identity = x.shape, np.eye(x.shape[1])
            return x, np.broadcast_to(identity, (n, d, d)), np.zeros((n, len(pairs), d))
        value, first, second = self.file.features.jet(x, pairs)
        return value, np.swapaxes(first, 1, 2), np.swapaxes(second, 1, 2)

    def _imposed(self, x, pairs, value, first, second):
        """base + factor * outputs, by the product rule."""
        m = len(self.outputs)
        i, j = np.array(pairs, dtype=int).reshape(-1, 2).T
        b, b1, b2 = (np.swapaxes(a[:, :m], 1, a.ndim - 1) for a in self.file.exact.jet(x, pairs))
        f, f1, f2 = (np.swapaxes(a[:, m:], 1, a.ndim - 1) for a in self.file.exact.jet(x, pairs))
        second = (b2 + f2 * value[:, None] + f1[:, i] * first[:, j] + f1[:, j] * first[:, i]) + f[
            :, None
        ] * second
        first = b1 + f1 * value[:, None] + f[:, None] * first
        return b + f * value, first, second

    def residual(self, x, data=None):
        """Residual of each equation, (n, equations)."""
        x = np.asarray(x, dtype=np.float64)
        jet = self._jet(x, self.pairs)
        get = {
            "coordinate": lambda f: x[:, f.a],
            "value": lambda f: jet.value[:, f.a],
            "first": lambda f: jet.first[:, f.a, f.b],
            "second": lambda f: jet.second[:, f.a, f.b],
            "parameter": lambda f: self.file.parameters[f.a].value,
            "data": lambda f: data[:, f.a],
        }
        out = np.zeros((len(x), len(self.file.equations)))
        for column, equation in enumerate(self.file.equations):
            for term in equation.terms:
                product = np.full(len(x), term.coefficient)
                for factor in term.factors:
                    product = product * get[factor.kind](factor)
                out[:, column] += product
        return out

    def bind(self, x, out):
        """A call without arguments that fills `out` from the current content of `x`."""

        def call():
            out[...] = self._jet(x.astype(np.float64), ()).value

        return call

    def at(self, **coordinates):
        """Outputs at one point, {name: value}."""
        x = np.array([[coordinates[name] for name in self.names]], dtype=np.float64)
        return {v.name: u for v, u in zip(self.outputs, self(x)[0].tolist(), strict=True)}


def load_numpy(source, outside="warn"):
    """`kdpinn_runtime.load` with this evaluator behind it."""
    file = read(source)
    with open(source, "rb") as stream:
        return NumpyModel(file, stream.read(96)[64:].hex(), outside)
