"""Errors of the core's own tanh, sin, cos and exp, over the whole range, on every instruction set.

One neuron evaluates one function: y = f(x). The references are computed in extended precision.
"""

from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model

from kdpinn_runtime import _core, load, pack
from kdpinn_runtime.format import Layer, Variable

ONE, ZERO = np.ones((1, 1)), np.zeros(1)


def neuron(activation, isa):
    """The model u = activation(x) on [-1e5, 1e5], without scaling."""
    file = replace(
        bare_model(sizes=(1, 1, 1)),
        inputs=(Variable(name="x", lower=-1e5, upper=1e5),),
        input_shift=ZERO,
        input_scale=np.ones(1),
        output_shift=ZERO,
        output_scale=np.ones(1),
        layers=(
            Layer(weight=ONE, bias=ZERO, activation=activation),
            Layer(weight=ONE, bias=ZERO, activation="identity"),
        ),
    )
    return load(pack(file), isa=isa)


def samples(limit, dtype):
    """Both signs, from the smallest normal number to `limit`, dense where the functions bend."""
    rng = np.random.default_rng(0)
    tiny = float(np.finfo(dtype).tiny)
    magnitude = np.exp(rng.uniform(np.log(tiny), np.log(limit), 200_000))
    x = np.concatenate([magnitude, rng.uniform(0, min(limit, 12), 400_000)]).astype(dtype)
    return np.concatenate([x, -x, np.zeros(1, dtype)])


def ulps(got, want, dtype):
    """Error in units of the last place of the exact value."""
    return np.abs(got.astype(np.longdouble) - want) / np.spacing(np.abs(want).astype(dtype)).astype(
        float
    )


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_tanh_is_within_the_stated_ulps_and_odd(isa, dtype):
    model = neuron("tanh", isa)
    x = samples(1e4, dtype)
    got = model(x[:, None])[:, 0]
    bound = 7 if dtype is np.float32 else 3
    assert ulps(got, np.tanh(x.astype(np.longdouble)), dtype).max() <= bound
    assert np.array_equal(model(-x[:, None])[:, 0], -got)
    assert (np.abs(got) <= 1).all()
    edges = np.array([0.0, np.finfo(dtype).tiny, 9.0, 9.5, 20.0, 1e5], dtype)[:, None]
    assert np.allclose(model(edges), np.tanh(edges), rtol=bound * np.finfo(dtype).eps, atol=0)


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 2e-7), (np.float64, 3e-16)])
def test_sine_and_cosine_are_within_the_stated_absolute_error(isa, dtype, bound):
    model = neuron("sin", isa)
    x = samples(1e4, dtype)
    exact = x.astype(np.longdouble)
    jet = model.jet(x[:, None], ())
    assert np.abs(jet["u"] - np.sin(exact)).max() <= bound
    assert np.abs(jet["u_x"] - np.cos(exact)).max() <= bound


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exponential_through_the_sigmoid(isa, dtype):
    """1 / (1 + e^-x): for very negative x it is e^x itself, so this measures exp."""
    model = neuron("sigmoid", isa)
    x = samples(80 if dtype is np.float32 else 700, dtype)
    exact = 1 / (1 + np.exp(-x.astype(np.longdouble)))
    assert ulps(model(x[:, None])[:, 0], exact, dtype).max() <= 4
    far = np.array([[-1e5], [1e5]], dtype)
    assert np.allclose(model(far)[:, 0], [0.0, 1.0], atol=2e-38)
