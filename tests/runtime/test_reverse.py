"""The reverse pass through the jets, against central differences and against itself."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from jet_bound import jet_bound
from kdp_samples import bare_model
from map_samples import mapped_model
from numpy_model import NumpyModel

from kdpinn_runtime import _core, reverse

ISAS = _core.isas()
CASES = [
    # sizes, pairs, order, points: around the tile widths, every order, mixed pairs, several outputs
    ((2, 7, 5, 1), ((0, 0),), 2, 37),
    ((3, 20, 20, 2), ((0, 0), (0, 1), (2, 2)), 2, 65),
    ((2, 10, 10, 1), (), 0, 129),
    ((2, 9, 9, 3), (), 1, 5),
    ((1, 4, 1), ((0, 0),), 2, 1),
    ((2, 3), (), 1, 4),
]
INPUTS_GIVEN = [
    # the same, and the number of coordinates: fewer than inputs, more, none
    (((5, 7, 5, 2), ((0, 0), (0, 1)), 2, 37), 2),
    (((1, 6, 1), ((0, 2),), 2, 9), 3),
    (((20, 6, 3), (), 1, 65), 2),
    (((4, 6, 1), (), 0, 3), 2),
]
WITH_COORDINATES = [(case, None) for case in CASES] + INPUTS_GIVEN


class Network:
    """One case: parameters, points and seeds at random, and short calls of the module."""

    def __init__(self, sizes, pairs, order, n, activation="tanh", isa=None, threads=1, d=None):
        rng = np.random.default_rng(0)
        self.sizes, self.pairs, self.order, self.n = sizes, pairs, order, n
        self.activation, self.isa, self.threads = activation, isa, threads
        self.count = sum((a + 1) * b for a, b in pairwise(sizes))
        self.theta = 0.6 * rng.standard_normal(self.count)
        self.x = rng.uniform(-1, 1, (n, sizes[0]))
        self.scale = rng.uniform(0.5, 3, sizes[0])
        self.channels = 1 + ((d or sizes[0]) if order else 0) + len(pairs)
        # With d coordinates of its own, the network takes whatever jets of its inputs it is given.
        self.inputs = rng.uniform(-1, 1, (self.channels, n, sizes[0])) if d else None
        self.seed = rng.standard_normal((self.channels, n, sizes[-1]))

    def network(self, theta):
        given = (
            {"x": self.x, "scale": self.scale} if self.inputs is None else {"inputs": self.inputs}
        )
        return reverse.Network(
            sizes=self.sizes,
            activation=self.activation,
            theta=theta,
            pairs=self.pairs,
            order=self.order,
            **given,
        )

    def sides(self, theta):
        """On which side of the kink of relu the hidden neurons are, at every point."""
        a, found = (self.x if self.inputs is None else self.inputs[0]), [np.empty(0, bool)]
        for n_in, n_out in pairwise(self.sizes[:-1]):
            weight, bias, theta = np.split(theta, [n_in * n_out, (n_in + 1) * n_out])
            z = a @ weight.reshape(n_out, n_in).T + bias
            a = np.maximum(z, 0)
            found.append(z.ravel() > 0)
        return np.concatenate(found)

    def _call(self, function, theta, *arrays):
        function(self.network(theta), *arrays, threads=self.threads, isa=self.isa)
        return arrays[-1]

    def jets(self, theta=None):
        out = np.empty_like(self.seed)
        return self._call(reverse.jets, self.theta if theta is None else theta, out)

    def vjp(self):
        return self._call(reverse.vjp, self.theta, self.seed, np.empty(self.count))

    def jacobian(self):
        return self._call(reverse.jacobian, self.theta, self.seed, np.empty((self.count, self.n)))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ["tanh", "sin", "sigmoid", "silu", "relu", "gelu"])
@pytest.mark.parametrize(("case", "d"), WITH_COORDINATES)
def test_gradient_is_the_limit_of_differences(isa, activation, case, d):
    """Central differences with step h = u^(1/3) err by O(h^2), about 1e-10 of the terms' size.

    Those of relu do as long as no step crosses a kink: such directions are drawn again.
    """
    net = Network(*case, activation=activation, isa=isa, d=d)
    gradient = net.vjp()
    rng = np.random.default_rng(1)
    h = np.cbrt(2.0**-53)
    size = np.abs(net.seed * net.jets()).sum() + np.abs(gradient).sum()
    for _ in range(3):
        direction = rng.standard_normal(net.count)
        while activation == "relu" and any(
            (net.sides(net.theta + s * h * direction) != net.sides(net.theta)).any()
            for s in (1, -1)
        ):
            direction = rng.standard_normal(net.count)
        upper, lower = (net.jets(net.theta + s * h * direction) for s in (1, -1))
        difference = ((upper - lower) * net.seed).sum() / (2 * h)
        assert abs(gradient @ direction - difference) <= 1e3 * h**2 * size


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(("case", "d"), WITH_COORDINATES)
def test_jacobian_rows_are_the_gradients_of_single_points(isa, case, d):
    net = Network(*case, isa=isa, d=d)
    jacobian = net.jacobian()
    slack = 64 * 2.0**-53 * (np.abs(jacobian).sum(axis=1) + 1) * net.n
    assert (np.abs(jacobian.sum(axis=1) - net.vjp()) <= slack).all()
    point = net.n // 2
    seed = net.seed.copy()
    net.seed[:, np.arange(net.n) != point] = 0
    assert (np.abs(net.vjp() - jacobian[:, point]) <= slack).all()
    net.seed = seed


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ["tanh", "sin", "sigmoid", "silu", "relu", "gelu"])
def test_jets_are_those_of_the_evaluator(isa, activation):
    file = bare_model(sizes=(3, 9, 8, 2), activation=activation, dtype=np.float64)
    pairs = ((0, 0), (0, 2), (1, 1))
    theta = np.concatenate([np.append(w.weight.ravel(), w.bias) for w in file.layers])
    net = Network((3, 9, 8, 2), pairs, 2, 50, activation=activation, isa=isa)
    net.scale = file.input_scale
    x = net.x / file.input_scale + file.input_shift
    got = net.jets(theta)
    got *= file.output_scale
    got[0] += file.output_shift
    jet = NumpyModel(file)._jet(x, pairs)
    want = np.concatenate(
        [jet.value[None], np.moveaxis(jet.first, 2, 0), np.moveaxis(jet.second, 2, 0)]
    )
    bound = 2 * jet_bound(file, x, pairs, 2.0**-53)
    assert (np.abs(got - want).max(axis=1) <= bound).all()


@pytest.mark.parametrize("isa", ISAS)
def test_coordinates_are_one_kind_of_inputs(isa):
    """The jets of normalized coordinates, given as inputs, lead to the same bits everywhere."""
    simple, given = (Network((3, 9, 8, 2), ((0, 0), (0, 2)), 2, 50, isa=isa) for _ in range(2))
    given.inputs = np.zeros((6, 50, 3))
    given.inputs[0] = given.x
    given.inputs[1:4] = np.diag(given.scale)[:, None, :]
    for of in (Network.jets, Network.vjp, Network.jacobian):
        assert np.array_equal(of(simple), of(given))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("activation", ["tanh", "silu", "gelu"])
def test_inputs_may_be_functions_of_the_coordinates(isa, activation):
    """Feature jets through the network are the jets of the composed function."""
    file = mapped_model(exact=False, dtype=np.float64, activation=activation)
    theta = np.concatenate([np.append(w.weight.ravel(), w.bias) for w in file.layers])
    pairs = ((0, 0), (0, 1))
    net = Network((3, 5, 5, 1), pairs, 2, 50, activation=activation, isa=isa, d=2)
    x = np.random.default_rng(2).uniform((-1, 0), (1, 1), (50, 2))
    value, first, second = file.features.jet(x, pairs)
    channels = [value[None], np.moveaxis(first, 2, 0), np.moveaxis(second, 2, 0)]
    net.inputs = np.ascontiguousarray(np.concatenate(channels) * file.input_scale)
    net.inputs[0] -= file.input_shift * file.input_scale
    got = net.jets(theta) * file.output_scale
    got[0] += file.output_shift
    jet = NumpyModel(file)._jet(x, pairs)
    want = np.concatenate(
        [jet.value[None], np.moveaxis(jet.first, 2, 0), np.moveaxis(jet.second, 2, 0)]
    )
    # float64 throughout: a thousand roundings of the largest entry are 1e-13 of it
    assert (np.abs(got - want) <= 1e3 * 2.0**-53 * np.abs(want).max()).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("d", [None, 3])
def test_threads_share_the_points(isa, d):
    """Jets and Jacobian bit for bit; the gradient sums in another order, always the same one."""
    case = ((2, 12, 12, 2), ((0, 1),), 2, 1000)
    one, two = (Network(*case, isa=isa, threads=t, d=d) for t in (1, 2))
    assert np.array_equal(one.jets(), two.jets())
    assert np.array_equal(one.jacobian(), two.jacobian())
    assert np.array_equal(two.vjp(), two.vjp())
    slack = 1000 * 2.0**-53 * np.abs(one.jacobian()).sum(axis=1)
    assert (np.abs(one.vjp() - two.vjp()) <= slack).all()


def test_shapes_are_checked():
    net = Network((2, 3, 1), (), 1, 5)
    with pytest.raises(ValueError, match="theta does not have"):
        net.jets(np.zeros(3))
    net.seed = np.zeros((2, 5, 1))
    with pytest.raises(ValueError, match=r"\(channels, n, outputs\)"):
        net.vjp()
    with pytest.raises(ValueError, match=r"`activation` must be one of.*'selu'"):
        Network((2, 3, 1), (), 1, 5, activation="selu").jets()
    with pytest.raises(ValueError, match="names no input"):
        Network((2, 3, 1), ((0, 2),), 2, 5).jets()
    given = Network((2, 3, 1), ((0, 0), (1, 1)), 2, 5, d=2)
    given.inputs = given.inputs[:2].copy()
    with pytest.raises(ValueError, match="the inputs have too few channels"):
        given.jets()
    given = Network((2, 3, 1), (), 0, 5, d=2)
    given.inputs = np.zeros((2, 5, 2))
    with pytest.raises(ValueError, match=r"the inputs must be \(channels, n, inputs\)"):
        given.jets()
    with pytest.raises(ValueError, match="at most 16 coordinates"):
        Network((2, 3, 1), (), 1, 5, d=17).jets()
    with pytest.raises(ValueError, match="either `x` and `scale`, or `inputs`"):
        reverse.Network(sizes=(2, 1), activation="tanh", theta=np.zeros(3), x=np.zeros((1, 2)))


def equations(net, scalars):
    """Two equations with every kind of factor, one of them squared, and weights that vary."""
    jets = net.channels * net.sizes[-1]
    columns = np.random.default_rng(5).uniform(-1, 1, (4, net.n))
    last = jets - 1
    return reverse.Equations(
        products=[
            (0.7, 0, [0, 0, last]),
            (-1.5, 0, [jets + 2, jets + len(columns)]),
            (2.0, 0, [last]),
            (0.25, 1, []),
            (1.0, 1, [0, jets + 3, jets + len(columns) + 1]),
        ],
        equations=2,
        columns=columns,
        scalars=len(scalars),
    )


def by_hand(net, columns, scalars):
    """f, its derivative by the jets and by the scalars, from the formula of `equations`."""
    jets = net.jets()
    first, last = jets[0, :, 0], jets[-1, :, -1]
    weights, (p, q) = columns[:2], scalars
    r = weights * [
        0.7 * first**2 * last - 1.5 * columns[2] * p + 2 * last,
        0.25 + first * columns[3] * q,
    ]
    outer = 2 * weights * r
    seed = np.zeros_like(jets)
    seed[0, :, 0] += outer[0] * 1.4 * first * last + outer[1] * columns[3] * q
    seed[-1, :, -1] += outer[0] * (0.7 * first**2 + 2)
    by_scalar = [(outer[0] * -1.5 * columns[2]).sum(), (outer[1] * first * columns[3]).sum()]
    return (r**2).sum(), seed, np.array(by_scalar)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(("case", "d"), WITH_COORDINATES)
def test_squares_are_jets_and_a_reverse_pass(isa, threads, case, d):
    """The same sums in another order: some hundred roundings of sums of magnitudes."""
    net = Network(*case, isa=isa, d=d)
    scalars = np.array([0.3, -2.0])
    asked = equations(net, scalars)
    value, net.seed, by_scalar = by_hand(net, asked.columns, scalars)
    gradient, got_by_scalar = np.empty(net.count), np.empty(2)
    squares = reverse.Squares([(net.network(net.theta), asked)] * 2, isa=isa)
    got = squares.evaluate(net.theta, scalars, gradient, got_by_scalar, threads=threads)
    slack = 200 * 2.0**-53
    assert abs(got - 2 * value) <= slack * net.n * value
    size = np.abs(net.jacobian()).sum(axis=1) + np.abs(net.seed).sum()
    assert (np.abs(gradient - 2 * net.vjp()) <= slack * net.n * size).all()
    assert np.allclose(got_by_scalar, 2 * by_scalar, rtol=slack * net.n, atol=slack * net.n)


def test_squares_check_what_they_are_given():
    net, scalars = Network((2, 3, 1), (), 1, 5), np.zeros(2)
    right = equations(net, scalars)

    def refused(match, **wrong):
        with pytest.raises(ValueError, match=match):
            reverse.Squares([(net.network(net.theta), replace(right, **wrong))])

    refused("a number for every point", columns=right.columns[:, :4].copy())
    refused("a column of weights", equations=5)
    refused("more than 10 factors", products=[(1.0, 0, [0] * 11)])
    refused("in the order of their equations", products=[(1.0, 1, []), (1.0, 0, [])])
    refused("a factor does not exist", products=[(1.0, 0, [net.channels + 4 + 2])])
    squares = reverse.Squares([(net.network(net.theta), right)])
    with pytest.raises(ValueError, match="all parameters"):
        squares.evaluate(net.theta[1:].copy(), scalars, net.theta.copy(), scalars.copy())
    with pytest.raises(ValueError, match="scalars do not fit"):
        squares.evaluate(net.theta, scalars[:1].copy(), net.theta.copy(), scalars.copy())
    other = Network((2, 4, 1), (), 1, 5)
    with pytest.raises(ValueError, match="one network"):
        reverse.Squares([(n.network(n.theta), right) for n in (net, other)])
