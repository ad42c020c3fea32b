"""Functions of the coordinates for tests: a small builder, maps, models that have them."""

import math
from dataclasses import replace

import numpy as np
from kdp_samples import bare_model, burgers_equation, network, with_baseline

from kdpinn_runtime.format import CoordinateMap, Operation


class Program:
    """Operations one after the other; every method gives the index of what it added."""

    def __init__(self):
        self.operations = []

    def add(self, kind, a=0, b=0, value=0.0):
        self.operations.append(Operation(kind, a, b, value))
        return len(self.operations) - 1

    def x(self, column):
        return self.add("coordinate", column)

    def number(self, value):
        return self.add("constant", value=value)

    def times(self, *factors):
        product = factors[0]
        for factor in factors[1:]:
            product = self.add("multiply", product, factor)
        return product

    def plus(self, *terms):
        total = terms[0]
        for term in terms[1:]:
            total = self.add("add", total, term)
        return total

    def map(self, *results):
        return CoordinateMap(tuple(self.operations), results)


def periodic():
    """(cos pi x, sin pi x, t) of (x, t), with cos a = sin(a + pi / 2)."""
    p = Program()
    angle = p.times(p.number(math.pi), p.x(0))
    cosine = p.add("sin", p.plus(angle, p.number(math.pi / 2)))
    return p.map(cosine, p.add("sin", angle), p.x(1))


def walls(outputs=1):
    """-sin(pi x) exp(-t) + (1 - x)(1 + x) tanh(t) u of (x, t): exact at x = -1, x = 1, t = 0."""
    p = Program()
    x, t, one, minus = p.x(0), p.x(1), p.number(1.0), p.number(-1.0)
    decay = p.add("exp", p.times(minus, t))
    base = p.times(minus, p.add("sin", p.times(p.number(math.pi), x)), decay)
    factor = p.times(p.plus(one, p.times(minus, x)), p.plus(one, x), p.add("tanh", t))
    return p.map(*[base] * outputs, *[factor] * outputs)


def everything():
    """Two functions of (x, t) in which every kind of operation meets both coordinates."""
    p = Program()
    x, t = p.x(0), p.x(1)
    product = p.times(x, t)
    above = p.plus(p.number(2.5), p.times(x, t, t))
    wave = p.add("sin", p.plus(p.times(p.number(3.0), x), product))
    bump = p.add("exp", p.times(p.number(-1.5), x, x))
    step = p.add("tanh", p.plus(product, p.number(0.25)))
    inverse = p.add("reciprocal", above)
    return p.map(p.plus(p.times(wave, bump), inverse), p.times(step, inverse, wave))


def mapped_model(features=True, exact=True, hidden=(5, 5), outputs=1, **options):
    """A model of (x, t) with `periodic` features, `walls`, or both, without a baseline."""
    file = bare_model(sizes=(2, *hidden, outputs), **options)
    if features:
        options.setdefault("dtype", np.float32)
        file = replace(
            file,
            layers=network((3, *hidden, outputs), **options),
            input_shift=np.array([0.125, -0.25, 0.5]),
            input_scale=np.array([1.5, -0.75, 2.0]),
            features=periodic(),
        )
    return replace(file, exact=walls(outputs)) if exact else file


def mapped_tiny():
    """The smallest file with both: features (t, x t), and the condition x + t u."""
    p, q = Program(), Program()
    features = p.map(p.x(1), p.times(p.x(0), 0))
    x, t = q.x(0), q.x(1)
    return replace(
        bare_model(sizes=(2, 1, 1)), features=features, exact=q.map(x, t), targets=(), card={}
    )


def mapped_sample(features=True, exact=True, **options):
    """`mapped_model` with Burgers' equation and a baseline."""
    return replace(
        with_baseline(mapped_model(features, exact, **options)),
        pairs=((0, 0),),
        parameters=(("nu", "m2/s", 0.01),),
        equations=(burgers_equation(),),
    )
