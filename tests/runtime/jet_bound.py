"""Forward error bound of a network's jets in float32 or float64 arithmetic."""

import numpy as np
from numpy_model import activation

# Largest |f''| and |f'''| of each activation; |f'| is at most 1.1 for all of them.
CURVES = {
    "identity": (0.0, 0.0),
    "tanh": (0.77, 2.0),
    "sin": (1.0, 1.0),
    "sigmoid": (0.1, 0.125),
    "silu": (0.5, 0.31),
}
FUNCTION_ULPS = 7  # of the activation and its derivatives, next to their largest values


def jet_bound(file, x, pairs, unit):
    r"""Largest error of each channel, (1 + d + p, m), at points x (n, d); `unit` is eps / 2.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.5: a sum of n products
    errs by $\gamma_{n+1} |W| |a|$. Magnitudes and errors are propagated per channel; through an
    activation, value and slopes move by at most their largest derivative times the error of z:
    f' z_i errs by |f'| e_i + (e_0 sup|f''| + c u) |z_i|, and so on.
    """
    d = len(file.inputs)
    scale = np.abs(file.input_scale)
    values = [(np.abs(x) + np.abs(file.input_shift)) * scale]
    values += [np.broadcast_to(scale[i] * np.eye(d)[i], x.shape) for i in range(d)]
    values += [np.zeros(x.shape) for _ in pairs]
    errors = [3 * unit * values[0], *(unit * v for v in values[1:])]
    for layer, summed in zip(file.layers, spread(file), strict=True):
        weight = summed.T
        gamma = (weight.shape[0] + 3) * unit * 1.01
        sizes = [v @ weight for v in values]
        sizes[0] = sizes[0] + np.abs(layer.bias.astype(float))
        errors = [e @ weight + gamma * s for e, s in zip(errors, sizes, strict=True)]
        if layer.activation == "identity":
            values = sizes
            continue
        values, errors = _activate(layer.activation, pairs, d, sizes, errors, unit)
    out = np.abs(file.output_scale)
    bounds = [
        out * e + 4 * unit * (out * v + np.abs(file.output_shift))
        for v, e in zip(values, errors, strict=True)
    ]
    return np.array([b.max(axis=0) for b in bounds])


def spread(file):
    """|W| of every layer as it is summed, (n_out, n_in); tied layers in the Walsh-Hadamard basis:
    docs/derivations/walsh_hadamard.md.

    Between hidden layers each copy meets the sum of all copies with the sum of all blocks.
    """
    found = []
    for index, layer in enumerate(file.layers):
        weight = np.abs(layer.weight.astype(np.float64))
        if file.symmetry is not None and 0 < index < len(file.layers) - 1:
            order = file.symmetry.order
            free = weight[: len(weight) // order]
            total = sum(np.split(free, order, axis=1))
            weight = np.tile(total, (order, order))
        found.append(weight)
    return found


def _activate(name, pairs, d, z, e, unit):
    second, third = CURVES[name]
    top = np.maximum(1.0, z[0]) if name == "silu" else np.ones_like(z[0])
    own = FUNCTION_ULPS * unit
    values, errors = [top], [1.1 * e[0] + own * top]
    slope_error, curve_error = second * e[0] + own, third * e[0] + own
    for i in range(1, 1 + d):
        values.append(1.1 * z[i])
        errors.append(1.1 * e[i] + slope_error * z[i] + 3 * unit * 1.1 * z[i])
    for p, (i, j) in enumerate(pairs):
        k, a, b = 1 + d + p, 1 + i, 1 + j
        product = z[a] * z[b]
        values.append(1.1 * z[k] + second * product)
        errors.append(
            1.1 * e[k]
            + slope_error * z[k]
            + second * (e[a] * z[b] + z[a] * e[b])
            + curve_error * product
            + 6 * unit * (1.1 * z[k] + second * product)
        )
    return values, errors


__all__ = ["activation", "jet_bound"]
