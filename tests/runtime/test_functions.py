"""Errors of the core's own tanh, sin, cos, exp and gelu, over the whole range, on every instruction
set; relu.

One neuron evaluates one function: y = f(x). The references are computed in extended precision.
"""

from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model
from normal_distribution import density, distribution

from kdpinn_runtime import _core, load, pack, reverse
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


def jets(activation, isa, x):
    """Value, first and second derivative at x (n,)."""
    return neuron(activation, isa).jet(x[:, None], [("x", "x")]).channels[..., 0]


def third(activation, isa, x):
    """The third derivative, from the reverse pass: that of u_xx by the bias of the neuron."""
    net = reverse.Network(
        sizes=(1, 1, 1),
        activation=activation,
        theta=np.array([1.0, 0.0, 1.0, 0.0]),
        x=np.ascontiguousarray(x[:, None]),
        scale=np.ones(1),
        pairs=((0, 0),),
        order=2,
    )
    seed = np.zeros((3, len(x), 1))
    seed[2] = 1
    jacobian = np.empty((4, len(x)))
    reverse.jacobian(net, seed, jacobian, isa=isa)
    return jacobian[1]


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_is_within_the_stated_units(isa, dtype):
    """In units u of rounding: x^2 errs by u x^2, which e^(-x^2 / 2) makes u x^2 / 2 of itself.

    Beside that e and its multiples err by less than 7 u, the tail p = e ratio by 10 u, and each
    factor x^2 - c by u (x^2 + |x^2 - c|). A density below the normal numbers may be taken for 0.
    """
    x = samples(60, dtype)[::20]
    z = x.astype(np.longdouble)
    unit, tiny = np.finfo(dtype).eps / 2, float(np.finfo(dtype).tiny)
    q, p, half = density(z), distribution(-np.abs(z)), z**2 / 2

    def factor(c):
        return (7 + half) * np.abs(z**2 - c) + z**2

    value, first = z * distribution(z), distribution(z) + z * q
    got = jets("gelu", isa, x)
    bounds = [
        (10 + np.where(z < 0, half, 0)) * np.abs(value),
        (10 + half) * (p + np.abs(z) * q) + np.abs(first),
        q * factor(2),
    ]
    lost = [tiny * np.maximum(1, np.abs(z)) ** order for order in range(4)]
    for order, want in enumerate((value, first, q * (2 - z**2))):
        assert (np.abs(got[order] - want) <= unit * bounds[order] + lost[order]).all()
    if dtype is np.float64:
        error = np.abs(third("gelu", isa, x) - q * z * (z**2 - 4))
        assert (error <= unit * q * np.abs(z) * factor(4) + lost[3]).all()


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gelu_ends_as_zero_and_as_its_argument(isa, dtype):
    x = np.array([-1e5, -40, 0, 40, 1e5], dtype)
    with_slopes = [[0, 0, 0, 40, x[4]], [0, 0, 0.5, 1, 1]]
    got = jets("gelu", isa, x)
    assert np.array_equal(got[0], with_slopes[0])
    assert np.allclose(got[1], with_slopes[1], rtol=10 * np.finfo(dtype).eps, atol=0)
    assert np.array_equal(got[2][[0, 1, 3, 4]], np.zeros(4))


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_is_exact_and_flat_at_its_kink(isa, dtype):
    x = samples(1e4, dtype)
    got = jets("relu", isa, x)
    assert np.array_equal(got[0], np.maximum(x, 0))
    assert np.array_equal(got[1], x > 0)
    assert not got[2].any()
    assert not third("relu", isa, x.astype(np.float64)).any()


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_what_overflowed_before_an_activation_stays_visible(isa, dtype, activation):
    """inf goes through, -inf gives 0, inf - inf is no number: in tiles and for single points."""
    huge = np.full((2, 1), np.finfo(dtype).max)
    points = np.tile(np.array([[4.0], [-4.0]], dtype), (40, 1))
    for second, want in (([[1.0, 0.0]], [np.inf, 0.0]), ([[1.0, -1.0]], [np.nan, np.nan])):
        weights = (huge * [[1.0], [second[0][1] != 0]], np.array(second), np.ones((1, 1)))
        layers = tuple(
            Layer(
                weight=weight.astype(dtype),
                bias=np.zeros(len(weight), dtype),
                activation=activation if k == 1 else "identity",
            )
            for k, weight in enumerate(weights)
        )
        file = replace(neuron("tanh", isa).file, layers=layers)
        model = load(pack(file), isa=isa)
        assert np.array_equal(model(points)[:, 0], np.tile(want, 40), equal_nan=True)
        for row in range(2):
            assert np.array_equal(model(points[row : row + 1])[0], [want[row]], equal_nan=True)
