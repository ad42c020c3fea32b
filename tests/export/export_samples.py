"""Plain networks for the tests of the exporters, all from a seed."""

from itertools import pairwise

import numpy as np

from kdpinn_export import BaselineTables, Physics, baseline_points, plain_network, to_kdp
from kdpinn_runtime.format import Factor, Parameter, Term, Variable

VALUE, BY_X, BY_T = (
    Factor(kind="value", a=0),
    Factor(kind="first", a=0, b=0),
    Factor(kind="first", a=0, b=1),
)
NU, BY_XX, SOURCE = (
    Factor(kind="parameter", a=0),
    Factor(kind="second", a=0, b=0),
    Factor(kind="data", a=0),
)
BURGERS = (
    Term(coefficient=1.0, factors=(BY_T,)),
    Term(coefficient=1.0, factors=(VALUE, BY_X)),
    Term(coefficient=-1.0, factors=(NU, BY_XX)),
    Term(coefficient=-1.0, factors=(SOURCE,)),
)
INPUTS = (
    Variable(name="x", unit="m", lower=-1.0, upper=3.0),
    Variable(name="t", unit="s", lower=10.0, upper=10.5),
    Variable(name="y", unit="m", lower=-0.1, upper=0.1),
)


def arrays(sizes, seed=0):
    """Weights (Xavier normal) and biases in float64."""
    rng = np.random.default_rng(seed)
    pairs = list(pairwise(sizes))
    weights = [rng.normal(size=(o, i)) * np.sqrt(2 / (i + o)) for i, o in pairs]
    return weights, [0.2 * rng.normal(size=o) for _, o in pairs]


def model(sizes=(2, 20, 20, 1), activation="tanh", dtype="f32", count=64, seed=0, physics=True):
    """A model file with normalization on both sides, physics, a reference and a teacher."""
    inputs, m = INPUTS[: sizes[0]], sizes[-1]
    lower = np.array([v.lower for v in inputs])
    upper = np.array([v.upper for v in inputs])
    network = plain_network(
        *arrays(sizes, seed),
        activation,
        input_shift=(lower + upper) / 2,
        input_scale=2 / (upper - lower),
        output_shift=0.3,
        output_scale=1.7,
        dtype=dtype,
    )
    points = baseline_points(lower, upper, count)
    equations = Physics(
        equations={"momentum": BURGERS} if physics else {},
        pairs=((0, 0), (0, 1)) if sizes[0] > 1 else ((0, 0),),
        parameters=(Parameter("nu", "m2/s", 0.01),),
    )
    truth = np.tile(np.sin(points.sum(axis=1, keepdims=True)), (1, m))
    return to_kdp(
        network,
        inputs=inputs,
        outputs=[("uvw"[k], "m/s") for k in range(m)],
        tables=BaselineTables(
            points=points,
            reference=truth,
            teacher=truth + 0.1,
            data=np.cos(points[:, :1]),
        ),
        physics=equations,
        card={"problem": "sample"},
    )
