"""How far two float64 evaluations of the same network can be apart: a bound from its weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._model_file import ModelFile
from ._ranges import coordinate_ranges, result_ranges

Array = NDArray[np.float64]

_UNIT = np.finfo(np.float64).eps / 2
_ACTIVATION_ULPS = 8.0  # of an elementary function; libm and the core stay below 4
_SLOPES = {
    "identity": 1.0,
    "tanh": 1.0,
    "sin": 1.0,
    "sigmoid": 0.25,
    "silu": 1.1,
    "relu": 1.0,
    "gelu": 1.13,
}
"""Largest |derivative|; silu's is 1.0998 at 2.3994, gelu's 1.1290 at the square root of 2."""
_BOUNDED = ("tanh", "sin", "sigmoid")


def _gamma(k: int) -> float:
    return k * _UNIT / (1 - k * _UNIT)


def float64_bound(file: ModelFile, points: NDArray[np.float64]) -> float:
    r"""Largest |difference| of an output between two float64 evaluations at `points` (n, d).

    Forward error analysis (Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002,
    section 3.5): with $\gamma_k = k u / (1 - k u)$, $u = 2^{-53}$, magnitude $a$ and error $e$
    of a layer's inputs, $s = W z + b$ has the error
    $|W| e + \gamma_{n+4} (|W| a + |b|)$; an activation multiplies it by at most its largest slope
    and adds its own rounding. `a` starts from |x| + |shift| instead of |x - shift|, so that
    evaluations which fold the normalization into the first layer are covered. Both sides err,
    hence the factor 2. Any summation order; fused or separate multiply and add. Tied layers may be
    evaluated in the Walsh-Hadamard basis: there the terms between hidden layers add up to at most
    as many times $|W| a + |b|$ as there are copies, if `a` is the same in all of them, as it is
    from the largest input that the symmetry puts in a place. Functions of the coordinates bring
    errors of their own (`_ranges`).
    """
    a, e = _inputs(file, points)
    symmetry = file.symmetry
    copies = symmetry.order if symmetry is not None and symmetry.doubling else 1
    for index, layer in enumerate(file.layers):
        spread = copies if 0 < index < len(file.layers) - 1 else 1
        weight = np.abs(layer.weight.astype(np.float64))
        s = weight @ a + np.abs(layer.bias.astype(np.float64))
        e = weight @ e + _gamma(weight.shape[1] + 4) * spread * s
        if layer.activation != "identity":
            e = _SLOPES[layer.activation] * e + _ACTIVATION_ULPS * _UNIT * np.maximum(s, 1.0)
        a = np.minimum(s, 1.0) if layer.activation in _BOUNDED else s
        if layer.activation == "sigmoid":
            a = np.ones_like(s)
    scale, shift = np.abs(file.output_scale), np.abs(file.output_shift)
    size = scale * a + shift
    return float(2 * np.max(_imposed(file, points, size, scale * e + _gamma(3) * size)))


def _inputs(file: ModelFile, points: NDArray[np.float64]) -> tuple[Array, Array]:
    """Magnitude and error of what the first layer takes."""
    scale = np.abs(file.input_scale)
    if file.features is not None:
        ranges = result_ranges(file.features, coordinate_ranges(points))
        a = (np.array([r.size for r in ranges]) + np.abs(file.input_shift)) * scale
        e = scale * np.array([r.error for r in ranges]) + _gamma(3) * a
    else:
        a = (np.abs(points).max(axis=0) + np.abs(file.input_shift)) * scale
        e = _gamma(3) * a
    if file.symmetry is None or not file.symmetry.doubling:
        return a, e
    places = [list(g.order) for g in file.symmetry.elements()]
    return np.max([a[place] for place in places], axis=0), np.max([e[p] for p in places], axis=0)


def _imposed(file: ModelFile, points: NDArray[np.float64], size: Array, error: Array) -> Array:
    """Error of base + factor u, from the size and the error of u."""
    if file.exact is None:
        return error
    ranges, m = result_ranges(file.exact, coordinate_ranges(points)), len(size)
    sizes, errors = np.array([[r.size, r.error] for r in ranges]).T
    product = errors[:m] + sizes[m:] * error + errors[m:] * (size + error)
    imposed: Array = product + _gamma(3) * (sizes[:m] + sizes[m:] * size)
    return imposed
