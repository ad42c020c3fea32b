"""Networks with symmetries for the tests of tied layers, all from a seed."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from kdp_samples import bare_model, with_baseline
from map_samples import Program

from kdpinn_runtime.format import Generator, Layer, Symmetry

FLIP_FIRST = Generator(signs=(-1, 1), outputs=(-1,))
FLIP_SECOND = Generator(signs=(1, -1), outputs=(1,))
SWAP = Generator(signs=(1, 1), order=(1, 0), outputs=(1,))
SYMMETRIES = {
    "odd": Symmetry(generators=(FLIP_FIRST,)),
    "even": Symmetry(generators=(FLIP_SECOND,)),
    "odd and even": Symmetry(generators=(FLIP_FIRST, FLIP_SECOND)),
    "swap": Symmetry(generators=(replace(SWAP, outputs=(-1,)),)),
    "swap with signs and both": Symmetry(
        generators=(
            replace(SWAP, signs=(-1, -1)),
            Generator(signs=(-1, -1), outputs=(-1,)),
        )
    ),
    "three": Symmetry(
        generators=(
            Generator(signs=(-1, 1, 1), outputs=(-1, 1, 1)),
            Generator(signs=(1, -1, 1), outputs=(-1, -1, 1)),
            Generator(signs=(1, 1, 1), order=(0, 1, 2), outputs=(1, 1, 1)),
        )
    ),
    "four": Symmetry(
        generators=(
            Generator(signs=(-1, 1, 1, 1), outputs=(1, -1)),
            Generator(signs=(1, -1, 1, 1), outputs=(-1, -1)),
            Generator(signs=(1, 1, 1, 1), order=(0, 1, 3, 2), outputs=(1, 1)),
            Generator(signs=(1, 1, -1, -1), outputs=(-1, 1)),
        )
    ),
}
"""Groups of 2, 4, 8 and 16 elements: signs, places, several outputs that differ in their signs."""
QUARTER = Generator(signs=(-1, 1), order=(1, 0), outputs=(-1,))
CYCLE = Generator(signs=(1, 1, 1), order=(1, 2, 0), outputs=(1, 1))
EXCHANGE = Generator(signs=(1, 1, 1), order=(1, 0, 2), outputs=(-1, 1))
WRITTEN_OUT = {
    "C4": Symmetry(generators=(QUARTER,)),
    "D4": Symmetry(generators=(replace(QUARTER, outputs=(1,)), FLIP_SECOND)),
    "C3": Symmetry(generators=(CYCLE,)),
    "S3": Symmetry(generators=(CYCLE, EXCHANGE)),
    "D6": Symmetry(generators=(CYCLE, EXCHANGE, Generator(signs=(-1, -1, -1), outputs=(1, -1)))),
}
"""Groups that are no powers of Z2, of 4, 8, 3, 6 and 12 elements."""


def free_layers(symmetry, hidden, dtype=np.float32, activation="tanh", seed=0):
    """The free part of a network with `hidden` neurons in each copy of each hidden layer."""
    rng = np.random.default_rng(seed)
    first = symmetry.generators[0]
    shapes = [(hidden[0], len(first.signs))]
    shapes += [(n_out, symmetry.order * n_in) for n_in, n_out in pairwise(hidden)]
    shapes.append((len(first.outputs), hidden[-1]))
    odd = np.array([g.outputs for g in symmetry.generators]).min(axis=0) < 0
    layers = []
    for index, (n_out, n_in) in enumerate(shapes):
        last = index == len(shapes) - 1
        bias = 0.1 * rng.normal(size=n_out)
        layers.append(
            Layer(
                weight=(rng.normal(size=(n_out, n_in)) * np.sqrt(1.5 / n_in)).astype(dtype),
                bias=np.where(odd, 0, bias).astype(dtype) if last else bias.astype(dtype),
                activation="identity" if last else activation,
            )
        )
    return layers


def tied_model(name="odd", hidden=(5, 7), dtype=np.float32, activation="tanh", seed=0):
    """A model of that symmetry, on [-1, 1]^d."""
    symmetry = (SYMMETRIES | WRITTEN_OUT)[name]
    d, m = len(symmetry.generators[0].signs), len(symmetry.generators[0].outputs)
    bare = bare_model(sizes=(d, 3, m))
    odd = np.array([g.outputs for g in symmetry.generators]).min(axis=0) < 0
    scale = np.full(d, 0.75)
    return replace(
        bare,
        inputs=tuple(replace(v, lower=-1.0, upper=1.0) for v in bare.inputs),
        input_shift=np.zeros(d),
        input_scale=scale,
        output_shift=np.where(odd, 0.0, bare.output_shift),
        layers=symmetry.expand(free_layers(symmetry, hidden, dtype, activation, seed)),
        symmetry=symmetry,
    )


def odd_maps():
    """Features (x, x^2 t) of (x, t), and u = (x^2 + 1) network: exact for a change of x's sign."""
    features = Program()
    x, t = features.x(0), features.x(1)
    exact = Program()
    even = exact.plus(exact.times(exact.x(0), exact.x(0)), exact.number(1.0))
    return features.map(x, features.times(x, x, t)), exact.map(exact.number(0.0), even)


def tied_mapped(hidden=(5, 7), dtype=np.float32, features=True, exact=True):
    """`tied_model("odd")` that sees features, is imposed on, or both."""
    seen, imposed = odd_maps()
    file = tied_model("odd", hidden, dtype)
    return replace(file, features=seen if features else None, exact=imposed if exact else None)


def tied_tiny():
    """The smallest model with a symmetry and a baseline, for exhaustive tests."""
    return with_baseline(tied_model(hidden=(1, 1)), n=1)


def untied(file):
    """The same network without saying that its layers are tied."""
    return replace(file, symmetry=None)
