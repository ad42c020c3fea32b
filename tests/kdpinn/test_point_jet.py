import copy
import operator

import numpy as np
import pytest
import sympy
import torch

from kdpinn.jets import JetSpec
from kdpinn.problems import functions
from kdpinn.problems.point_jet import PointJet

SPEC = JetSpec(2, 2, ((0, 0), (0, 1)))
N = 5


def channels() -> np.ndarray:
    return 0.5 + np.random.default_rng(0).random((5, N, 2))


def jet(backend: str) -> PointJet:
    values = channels()
    made = torch.from_numpy(values) if backend == "torch" else values
    x = made[0, :, :] + 1
    return PointJet.from_channels(
        made,
        SPEC,
        fields=("u", "v"),
        coordinates={"x": x[:, 0], "theta": x[:, 1]},
        others={"nu": 0.3, "f": 2 * x[:, 0]},
    )


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_channels_are_found_by_their_names(backend):
    j, c = jet(backend), channels()
    for k, field in enumerate((j.u, j.v)):
        for got, channel in (
            (field.value, 0),
            (field.x, 1),
            (field.theta, 2),
            (field.xx, 3),
            (field.xtheta, 4),
            (field.thetax, 4),
            (field.d("x"), 1),
            (field.d("theta", "x"), 4),
        ):
            assert np.array_equal(np.asarray(got), c[channel, :, k])


OPERATIONS = [
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.pow,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
]


@pytest.mark.parametrize("backend", ["torch", "numpy"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_field_acts_as_its_value(backend, operation):
    j = jet(backend)
    u, v = j.u.value, j.v.value
    others = [(2.5, 2.5), (j.v, v), (v, v), (np.float64(1.5), 1.5)]
    for other, bare in others:
        assert np.array_equal(operation(j.u, other), operation(u, bare))
        # torch divides a number by a tensor through the reciprocal: two roundings, not one.
        got, wanted = operation(other, j.u), operation(bare, u)
        assert np.allclose(np.asarray(got), np.asarray(wanted), rtol=4.5e-16, atol=0)
    assert np.array_equal(-j.u, -u)
    assert np.array_equal(+j.u, u)
    assert np.array_equal(abs(-j.u + 0), abs(u))
    assert np.array_equal(abs(j.u), abs(u))


def test_gradients_pass_through():
    value = torch.tensor([0.3, 0.7], dtype=torch.float64, requires_grad=True)
    j = PointJet.from_channels(
        value.reshape(1, 2, 1), JetSpec(1, 0), fields=("u",), coordinates={"x": value}, others={}
    )
    (torch.sin(j.u) * j.u).sum().backward()
    expected = torch.cos(value) * value + torch.sin(value)
    assert torch.allclose(value.grad, expected, rtol=4e-16, atol=0)


@pytest.mark.parametrize(
    "sine", [torch.sin, np.sin, functions.sin], ids=["torch", "numpy", "kdpinn"]
)
@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_functions_of_either_library_apply(backend, sine):
    j = jet(backend)
    # torch and numpy may differ by one unit in the last place.
    assert np.allclose(np.asarray(sine(j.u)), np.sin(channels()[0, :, 0]), rtol=4.5e-16, atol=0)
    assert type(sine(j.u)) is type(j.u.value)


def test_functions_apply_to_derivatives_and_symbols():
    x, u = sympy.symbols("x u")
    j = PointJet.from_values({"u": {"": u, "x": x}}, coordinates={"x": x})
    assert functions.exp(j.u.x) == sympy.exp(x)
    assert torch.tanh(j.u) == sympy.tanh(u)
    assert 2 * j.u == 2 * u
    assert x + j.u == x + u
    assert x**j.u == x**u
    numeric = jet("numpy")
    for name in ("sin", "cos", "tanh", "exp", "log", "sqrt"):
        got = getattr(functions, name)(numeric.u.x)
        assert np.array_equal(got, getattr(np, name)(channels()[1, :, 0]))


def test_functions_of_several_fields():
    j = jet("torch")
    assert torch.stack([j.u, j.v]).shape == (2, N)
    assert torch.equal(torch.where(j.u > j.v, j.u, j.v), torch.maximum(j.u, j.v))
    assert np.array_equal(np.hypot(jet("numpy").u, 1.0), np.hypot(channels()[0, :, 0], 1.0))


def test_other_names_are_passed_on():
    j = jet("numpy")
    assert j.nu == 0.3
    assert np.array_equal(j.f, 2 * j.x)
    assert dir(j) == ["f", "nu", "theta", "u", "v", "x"]
    assert copy.copy(j.u).value is j.u.value


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda j: j.w, r"`j\.w` does not exist.*u, v, x, theta, nu, f"),
        (lambda j: j.u.y, r"`j\.u\.y`.*coordinates are x, theta"),
        (lambda j: j.u.sin(), r"`j\.u\.sin`.*`\.value`"),
        (lambda j: j.u.xxx, r"`j\.u\.xxx`: only first and second derivatives"),
        (lambda j: j.u.xthetax, "xthetax`: only first and second"),
        (lambda j: j.u.d("x", "x", "x"), "only first and second"),
        (lambda j: j.u.d("y"), r"d\('y'\).*coordinates are x, theta"),
        (lambda j: j.u.d(), "coordinates are x, theta"),
        (lambda j: j.u.thetatheta, r"\(1, 1\) of 'u' is not in this jet.*problem\.spec"),
    ],
)
def test_wrong_names_are_explained(read, message):
    with pytest.raises(AttributeError, match=message):
        read(jet("numpy"))


def test_unknown_function_is_explained():
    with pytest.raises(TypeError, match="torch has no function 'cbrt'"):
        np.cbrt(jet("torch").u)


def test_channels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \(5, N, 1\), got \(4, 3, 1\)"):
        PointJet.from_channels(np.zeros((4, 3, 1)), SPEC, fields=("u",), coordinates={}, others={})


def test_missing_derivative_of_a_known_solution_is_explained():
    j = PointJet.from_values({"u": {"": 1.0}}, coordinates={"x": 0.0, "t": 0.0})
    with pytest.raises(AttributeError, match="'u' was given no derivative 'xt'"):
        _ = j.u.tx
