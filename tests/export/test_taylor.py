"""The exporter's evaluator against an independent one, within derived bounds."""

import numpy as np
import pytest
from export_samples import INPUTS, model
from numpy_model import NumpyModel

from kdpinn_export import bounded_outputs
from kdpinn_export.arithmetic import Bounded, RunningError, sigmoid
from kdpinn_export.taylor import evaluate

ACTIVATIONS = ["identity", "tanh", "sin", "sigmoid", "silu", "relu", "gelu"]
SIZES = [(1, 3, 1), (2, 1), (2, 20, 20, 1), (3, 17, 9, 2)]


def stacked(jets):
    """(channels, n, m)."""
    return np.stack([jets.value, *jets.first, *jets.second])


def independent(file, x):
    jet = NumpyModel(file)._jet(x, file.pairs)
    first, second = np.moveaxis(jet.first, 2, 0), np.moveaxis(jet.second, 2, 0)
    return np.concatenate([jet.value[None], first, second])


def bounds(file, x, dtype):
    """Errors in the channel order of `stacked`."""
    outputs = list(bounded_outputs(file, x, dtype).values())
    m = len(file.outputs)
    columns = [np.hstack([b.error for b in outputs[k : k + m]]) for k in range(0, len(outputs), m)]
    return np.stack(columns)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("sizes", SIZES)
def test_evaluators_agree(activation, sizes):
    file = model(sizes, activation, dtype="f64", physics=False)
    x = file.baseline.points
    got, expected = stacked(evaluate(file, x, file.pairs)), independent(file, x)
    assert got.shape == expected.shape
    assert np.all(abs(got - expected) <= bounds(file, x, np.float64))
    narrow = stacked(evaluate(file, x, file.pairs, np.float32))
    assert narrow.dtype == np.float32
    assert np.all(abs(narrow - expected) <= bounds(file, x, np.float32))


@pytest.mark.parametrize("activation", ACTIVATIONS[1:])
def test_the_bound_sees_a_small_mistake(activation):
    """A bound that permits a relative change of 3 % of one weight would prove nothing."""
    file = model((2, 20, 20, 1), activation, dtype="f64")
    x = file.baseline.points
    other = [layer.weight.copy() for layer in file.layers]
    other[1][0, 2] *= 1.03  # the first two neurons of the relu network are off everywhere
    object.__setattr__(file.layers[1], "weight", other[1])
    changed = independent(file, x)
    fresh = model((2, 20, 20, 1), activation, dtype="f64")
    apart = abs(changed - independent(fresh, x)) > bounds(fresh, x, np.float32)
    seen = apart.any(axis=(1, 2))  # in every channel, where a relu has none that bends
    assert seen[: 1 + len(file.inputs) if activation == "relu" else None].all()


@pytest.mark.parametrize("activation", ["silu", "gelu"])
def test_derivatives_match_finite_differences(activation):
    file = model((2, 20, 20, 1), activation, dtype="f64")
    x = file.baseline.points
    jet = evaluate(file, x, file.pairs)
    errors = []
    steps = np.array([2e-2, 1e-2, 5e-3, 2.5e-3])
    for h in steps:
        up, down = (evaluate(file, x + s * np.array([h, 0.0])).value for s in (1, -1))
        errors.append(np.max(abs((up - 2 * jet.value + down) / h**2 - jet.second[0])))
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert abs(slope - 2.0) < 0.1  # second-order differences


def test_near_a_kink_the_bound_admits_either_slope():
    running = RunningError(np.float32)
    values = np.array([-1.0, -1e-9, 0.0, 1e-9, 1.0])
    near = Bounded(values, np.full(5, 1e-8))
    assert running.function("step", near).value.tolist() == [0, 0, 0, 1, 1]
    assert running.function("step", near).error.tolist() == [0, 1, 1, 1, 0]
    assert running.function("relu", near).error.tolist() == [0, 1e-8, 1e-8, 1e-8, 1e-8]


def test_multiplication_bound_covers_every_rounding():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(2, 1000))
    running = RunningError(np.float32)
    bounded = running.multiply(running.constant(a), running.constant(b))
    got = a.astype(np.float32) * b.astype(np.float32)
    error = abs(got - a * b)
    assert np.all(error <= bounded.error)
    assert np.max(error / bounded.error) > 0.2  # and is not a wild overestimate


def test_sigmoid_has_no_overflow():
    v = np.array([-1e30, -100.0, 0.0, 100.0, 1e30], np.float32)
    got = sigmoid(v)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, [0.0, np.exp(-100.0), 0.5, 1.0, 1.0], rtol=3e-7, atol=1e-44)


def test_samples_have_a_shifted_domain():
    assert INPUTS[1].lower == 10.0  # cancellation in x - shift is part of what is tested
