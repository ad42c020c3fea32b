"""Forward error bound of a network's jets in float32 or float64 arithmetic."""

import numpy as np
from numpy_model import activation

from kdpinn_runtime.format import CoordinateMap

# Bounds of |f'|, |f''| and |f'''| of each activation; gelu's are 1.129 at the square root of 2,
# 0.798 at 0, 0.779 at 0.792. Those of relu leave its kink out: see `jet_bound`.
CURVES = {
    "identity": (1.1, 0.0, 0.0),
    "tanh": (1.1, 0.77, 2.0),
    "sin": (1.1, 1.0, 1.0),
    "sigmoid": (1.1, 0.1, 0.125),
    "silu": (1.1, 0.5, 0.31),
    "relu": (1.1, 0.0, 0.0),
    "gelu": (1.13, 0.8, 0.78),
}
UNBOUNDED = ("silu", "relu", "gelu")
FUNCTION_ULPS = 7  # of the activation and its derivatives, next to their largest values


def jet_bound(file, x, pairs, unit):
    r"""Largest error of each channel, (1 + d + p, m), at points x (n, d); `unit` is eps / 2.

    Higham, Accuracy and Stability of Numerical Algorithms (2002), section 3.5: a sum of n products
    errs by $\gamma_{n+1} |W| |a|$. Magnitudes and errors are propagated per channel; through an
    activation, value and slopes move by at most their largest derivative times the error of z:
    f' z_i errs by |f'| e_i + (e_0 sup|f''| + c u) |z_i|, and so on. Where z, in either of two
    evaluations, may lie on the other side of the kink of relu, the slope errs by 1.
    """
    d = len(file.inputs)
    scale = np.abs(file.input_scale)
    if file.features is None:
        values = [np.abs(x), *(np.broadcast_to(np.eye(d)[i], x.shape) for i in range(d))]
        values += [np.zeros(x.shape) for _ in pairs]
        errors = [np.zeros(x.shape) for _ in values]
    else:
        values, errors = map_bound(file.features, x, pairs, unit)
    values = [values[0] + np.abs(file.input_shift), *values[1:]]
    values, errors = [v * scale for v in values], [e * scale for e in errors]
    errors = [errors[0] + 3 * unit * values[0]] + [
        e + unit * v for v, e in zip(values[1:], errors[1:], strict=True)
    ]
    inputs = x if file.features is None else file.features(x)
    exact = (inputs - file.input_shift) * file.input_scale
    for layer, summed in zip(file.layers, spread(file), strict=True):
        weight = summed.T
        gamma = (weight.shape[0] + 3) * unit * 1.01
        sizes = [v @ weight for v in values]
        sizes[0] = sizes[0] + np.abs(layer.bias.astype(float))
        errors = [e @ weight + gamma * s for e, s in zip(errors, sizes, strict=True)]
        z = exact @ layer.weight.T.astype(float) + layer.bias.astype(float)
        exact = activation(layer.activation, z)[0]
        if layer.activation == "identity":
            values = sizes
            continue
        kinked = (layer.activation == "relu") & (np.abs(z) <= 2 * errors[0])
        values, errors = _activate(layer.activation, pairs, d, sizes, errors, unit, kinked)
    out = np.abs(file.output_scale)
    values = [out * v + np.abs(file.output_shift) for v in values]
    errors = [out * e + 4 * unit * v for v, e in zip(values, errors, strict=True)]
    if file.exact is not None:
        errors = _imposed(file.exact, x, pairs, unit, values, errors)
    return np.array([e.max(axis=0) for e in errors])


def _imposed(program, x, pairs, unit, values, errors):
    """Errors of base + factor u, from magnitudes and errors of u."""
    m = values[0].shape[1]
    maps = map_bound(program, x, pairs, unit)
    base, factor = (
        tuple(np.array(part)[..., at] for part in maps) for at in (np.s_[:m], np.s_[m:])
    )
    product, error = _product(factor, (np.array(values), np.array(errors)), pairs, x.shape[1], unit)
    return list(base[1] + error + unit * (base[0] + product))


def map_bound(program, x, pairs, unit):
    """Magnitudes and errors of the results' jets, (channels, n, r) each, operation by operation.

    A running error analysis (Higham 2002, section 3.3): each operation passes on what its operands
    err by, to first order, and adds its own roundings. Constants are rounded once.
    """
    d, made = x.shape[1], []
    for number, o in enumerate(program.operations):
        part = CoordinateMap(program.operations[: number + 1], (number,))
        value, first, second = part.jet(x, pairs)
        size = np.abs(np.concatenate([value, first[:, 0], second[:, 0]], axis=1).T)
        a, b = (made[k] if k < number else None for k in (o.a, o.b))
        if o.kind == "coordinate":
            error = np.zeros_like(size)
        elif o.kind == "constant":
            error = unit * size
        elif o.kind == "add":
            error = a[1] + b[1] + unit * size
        elif o.kind == "multiply":
            error = _product(a, b, pairs, d, unit)[1]
        else:
            at = CoordinateMap(program.operations[: number + 1], (o.a,))(x)[:, 0]
            error = _composed(o.kind, at, a, pairs, d, unit)
        made.append((size, error))
    return tuple(list(np.stack([made[k][part] for k in program.results], 2)) for part in (0, 1))


def _product(a, b, pairs, d, unit):
    """Magnitude and error of a product's channels; four roundings at most in a channel."""
    (p, e), (q, f) = a, b
    size, error = np.zeros_like(p), np.zeros_like(p)
    for channel in range(len(p)):
        terms = [(channel, 0), (0, channel)] if channel else [(0, 0)]
        if channel > d:
            i, j = pairs[channel - 1 - d]
            terms += [(1 + i, 1 + j), (1 + j, 1 + i)]
        for k, n in terms:
            size[channel] += p[k] * q[n]
            error[channel] += p[k] * f[n] + e[k] * q[n] + e[k] * f[n]
    return size, error + 4 * unit * size


def _composed(kind, at, a, pairs, d, unit):
    """Error of f(a): value and slopes err by 16 units of 1 and of their size, and by those of a."""
    size, error = a
    f = [np.abs(g) for g in derivatives(kind, at)]
    own = [16 * unit * (g if kind in ("exp", "reciprocal") else np.maximum(g, 1.0)) for g in f]
    moved = [1.1 * f[k + 1] * error[0] + own[k] for k in range(3)]
    out = [moved[0]]
    out += [f[1] * error[1 + i] + moved[1] * size[1 + i] for i in range(d)]
    for channel, (i, j) in enumerate(pairs, start=1 + d):
        product = size[1 + i] * size[1 + j]
        crossed = size[1 + i] * error[1 + j] + error[1 + i] * size[1 + j]
        linear = f[1] * error[channel] + moved[1] * size[channel]
        rounded = 4 * unit * (f[1] * size[channel] + f[2] * product)
        out.append(linear + f[2] * crossed + moved[2] * product + rounded)
    return np.array(out)


def derivatives(kind, a):
    """An elementary function and its first three derivatives."""
    if kind == "reciprocal":
        return 1 / a, -1 / a**2, 2 / a**3, -6 / a**4
    if kind == "sin":
        return np.sin(a), np.cos(a), -np.sin(a), -np.cos(a)
    if kind == "exp":
        return (np.exp(a),) * 4
    t = np.tanh(a)
    slope = 1 - t**2
    return t, slope, -2 * t * slope, slope * (6 * t**2 - 2)


def spread(file):
    """|W| of every layer as it is summed, (n_out, n_in); tied layers in the Walsh-Hadamard basis:
    docs/derivations/walsh_hadamard.md.

    Between hidden layers each copy meets the sum of all copies with the sum of all blocks.
    """
    found = []
    for index, layer in enumerate(file.layers):
        weight = np.abs(layer.weight.astype(np.float64))
        tied = file.symmetry is not None and file.symmetry.doubling
        if tied and 0 < index < len(file.layers) - 1:
            order = file.symmetry.order
            free = weight[: len(weight) // order]
            total = sum(np.split(free, order, axis=1))
            weight = np.tile(total, (order, order))
        found.append(weight)
    return found


def _activate(name, pairs, d, z, e, unit, kinked):
    first, second, third = CURVES[name]
    top = np.maximum(1.0, z[0]) if name in UNBOUNDED else np.ones_like(z[0])
    own = FUNCTION_ULPS * unit
    values, errors = [top], [first * e[0] + own * top]
    slope_error, curve_error = second * e[0] + own + kinked, third * e[0] + own
    for i in range(1, 1 + d):
        values.append(first * z[i])
        errors.append(first * e[i] + slope_error * z[i] + 3 * unit * first * z[i])
    for p, (i, j) in enumerate(pairs):
        k, a, b = 1 + d + p, 1 + i, 1 + j
        product = z[a] * z[b]
        values.append(first * z[k] + second * product)
        errors.append(
            first * e[k]
            + slope_error * z[k]
            + second * (e[a] * z[b] + z[a] * e[b])
            + curve_error * product
            + 6 * unit * (first * z[k] + second * product)
        )
    return values, errors


__all__ = ["activation", "jet_bound"]
