"""Small models for the tests of the runtime, all from a seed."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
from numpy_model import NumpyModel

from kdpinn_runtime.format import (
    Baseline,
    Equation,
    Factor,
    Layer,
    ModelFile,
    Target,
    Term,
    Variable,
)


def network(sizes, activation="tanh", dtype=np.float32, seed=0):
    """Layers with Xavier normal weights, the last one linear."""
    rng = np.random.default_rng(seed)
    layers = []
    for number, (n_in, n_out) in enumerate(pairwise(sizes)):
        weight = rng.normal(size=(n_out, n_in)) * np.sqrt(2 / (n_in + n_out))
        last = number == len(sizes) - 2
        layers.append(
            Layer(
                weight=weight.astype(dtype),
                bias=(0.1 * rng.normal(size=n_out)).astype(dtype),
                activation="identity" if last else activation,
            )
        )
    return tuple(layers)


def burgers_equation(limit=10.0):
    """u_t + u u_x - nu u_xx - f, with inputs (x, t), pair 0 = (x, x), f in data column 0."""
    u, u_x = Factor(kind="value", a=0), Factor(kind="first", a=0, b=0)
    u_t, u_xx = Factor(kind="first", a=0, b=1), Factor(kind="second", a=0, b=0)
    return Equation(
        name="momentum",
        terms=(
            Term(coefficient=1.0, factors=(u_t,)),
            Term(coefficient=1.0, factors=(u, u_x)),
            Term(coefficient=-1.0, factors=(Factor(kind="parameter", a=0), u_xx)),
            Term(coefficient=-1.0, factors=(Factor(kind="data", a=0),)),
        ),
        limit=limit,
    )


def bare_model(sizes=(2, 5, 5, 1), activation="tanh", dtype=np.float32, seed=0):
    """A model without physics and baseline; inputs x in [-1, 1] m and t in [0, 1] s (and more)."""
    names = ("x", "t", "y", "z")[: sizes[0]]
    bounds = ((-1.0, 1.0), (0.0, 1.0), (2.0, 5.0), (-3.0, 0.0))
    d, m = sizes[0], sizes[-1]
    units = ("m", "s", "m", "m")[:d]
    return ModelFile(
        inputs=tuple(
            Variable(name=n, unit=u, lower=a, upper=b)
            for n, u, (a, b) in zip(names, units, bounds[:d], strict=True)
        ),
        outputs=tuple(
            Variable(name="uvwp"[k], unit="m/s", lower=-1.0, upper=1.0) for k in range(m)
        ),
        input_shift=np.array([(a + b) / 2 for a, b in bounds[:d]]),
        input_scale=np.array([2 / (b - a) for a, b in bounds[:d]]),
        output_shift=0.25 * np.arange(1, m + 1),
        output_scale=1.5 + np.arange(m),
        layers=network(sizes, activation, dtype, seed),
        targets=(Target(points=1, limit_ms=1e3, quantile=0.9),),
        card={"problem": "sample", "accuracy": {"rel_l2": 1e-3}},
    )


def with_baseline(file, n=7, seed=1, teacher=True):
    """`file` with a baseline: a made-up reference 0.1 % off, a teacher 0.05 % off, zero data."""
    rng = np.random.default_rng(seed)
    lower, upper = np.array(list(file.domain.values())).T
    points = rng.uniform(lower, upper, (n, len(lower))).astype(np.float32).astype(np.float64)
    expected = NumpyModel(file)(points)
    ranges = zip(file.outputs, expected.min(axis=0), expected.max(axis=0), strict=True)
    limits = {"reference": 2e-3, "expected": 1e-5} | ({"teacher": 1e-3} if teacher else {})
    return replace(
        file,
        outputs=tuple(replace(v, lower=float(a), upper=float(b)) for v, a, b in ranges),
        baseline=Baseline(
            points=points,
            expected=expected,
            reference=expected * 1.001,
            teacher=expected * 1.0005 if teacher else None,
            data=np.zeros((n, 1)),
            limits=limits,
        ),
    )


def sample(**options):
    """A complete small model: Burgers' equation, a parameter, a baseline, a card, targets."""
    file = with_baseline(bare_model(**options))
    return replace(
        file,
        pairs=((0, 0),),
        parameters=(("nu", "m2/s", 0.01),),
        equations=(burgers_equation(),),
    )


def tiny(**options):
    """The smallest model with every kind of record, for exhaustive tests."""
    options = {"sizes": (2, 1, 1)} | options
    return replace(sample(**options), baseline=with_baseline(bare_model(**options), n=1).baseline)


def same(a, b):
    """True if two models are equal in every part, arrays bit for bit."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if hasattr(a, "__dataclass_fields__"):
        return type(a) is type(b) and all(
            same(getattr(a, f.name), getattr(b, f.name)) for f in fields(a)
        )
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(p, q) for p, q in zip(a, b, strict=True))
    return a == b
