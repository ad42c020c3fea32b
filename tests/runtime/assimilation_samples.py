"""Models whose outputs are known in closed form, for the tests of the assimilation."""

from dataclasses import replace

import numpy as np
from kdp_samples import bare_model
from map_samples import Program

from kdpinn_runtime import load, pack
from kdpinn_runtime.format import Layer, Variable

LINEAR = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.5]])
"""Outputs of `linear_model` by (x, a, b)."""
OFFSET = np.array([0.25, -0.5])


def linear_model(**options):
    """(u, v) = LINEAR @ (x, a, b) + OFFSET, x in [-1, 1], a and b in [-10, 10], float64."""
    file = bare_model(sizes=(3, 2), dtype=np.float64)
    bounds = {"x": (-1.0, 1.0), "a": (-10.0, 10.0), "b": (-10.0, 10.0)}
    file = replace(
        file,
        inputs=tuple(Variable(name=n, lower=a, upper=b) for n, (a, b) in bounds.items()),
        input_shift=np.zeros(3),
        input_scale=np.ones(3),
        output_shift=OFFSET,
        output_scale=np.ones(2),
        layers=(Layer(weight=LINEAR, bias=np.zeros(2), activation="identity"),),
    )
    return load(pack(file), **options)


def closed_form_model(bounds, formula, **options):
    """u = formula(Program, indices of the inputs), exactly: the network counts for nothing."""
    p = Program()
    base = formula(p, [p.x(k) for k in range(len(bounds))])
    exact = p.map(base, p.number(0.0))
    file = bare_model(sizes=(3, 2, 1), dtype=np.float64)
    d = len(bounds)
    layers = (
        Layer(weight=np.ones((2, d)), bias=np.zeros(2), activation="tanh"),
        Layer(weight=np.ones((1, 2)), bias=np.zeros(1), activation="identity"),
    )
    file = replace(
        file,
        inputs=tuple(Variable(name=n, lower=a, upper=b) for n, (a, b) in bounds.items()),
        input_shift=np.zeros(d),
        input_scale=np.ones(d),
        layers=layers,
        exact=exact,
    )
    return load(pack(file), **options)


def decay_model(**options):
    """u = a exp(-k t): t in [0, 1], k in [0.1, 10], a in [0.5, 2]."""

    def formula(p, inputs):
        t, k, a = inputs
        return p.times(a, p.add("exp", p.times(p.number(-1.0), k, t)))

    return closed_form_model({"t": (0, 1), "k": (0.1, 10), "a": (0.5, 2)}, formula, **options)


def rate_model(**options):
    """u = exp(-k t): t in [0, 1], k in [0.1, 10]."""

    def formula(p, inputs):
        t, k = inputs
        return p.add("exp", p.times(p.number(-1.0), k, t))

    return closed_form_model({"t": (0, 1), "k": (0.1, 10)}, formula, **options)


def wave_model(**options):
    """u = sin(w t): t in [0, 1], w in [2, 16], where least squares has several minima."""

    def formula(p, inputs):
        t, w = inputs
        return p.add("sin", p.times(w, t))

    return closed_form_model({"t": (0, 1), "w": (2, 16)}, formula, **options)
