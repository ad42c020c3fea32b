"""The contents of a model file: expected outputs, limits, physics."""

import numpy as np
import pytest
from export_samples import BURGERS, arrays, model
from numpy_model import NumpyModel

from kdpinn_export import BaselineTables, Physics, baseline_points, plain_network, to_kdp
from kdpinn_export.limits import MARGIN, ROOM
from kdpinn_export.taylor import evaluate
from kdpinn_runtime.format import DEFAULT_TARGETS, FormatError, Variable

UNIT_BOX = [Variable(name=name, lower=0.0, upper=1.0) for name in "xt"]


def rms(a):
    return np.sqrt(np.mean(np.square(a)))


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_expected_outputs_are_those_of_the_stored_weights(dtype):
    file = model(dtype=dtype)
    expected = NumpyModel(file)(file.baseline.points)
    largest = np.max(abs(expected))
    assert np.max(abs(file.baseline.expected - expected)) <= 64 * 2.0**-53 * largest
    assert file.dtype == {"f32": np.float32, "f64": np.float64}[dtype]
    assert (file.outputs[0].lower, file.outputs[0].upper) == pytest.approx(
        (expected.min(), expected.max()), rel=1e-12
    )
    assert file.targets == DEFAULT_TARGETS


def test_limits_are_margin_plus_rounding():
    file = model(dtype="f64")
    base = file.baseline
    rounding = abs(evaluate(file, base.points, (), np.float32).value - base.expected).max()
    assert base.limits["expected"] == pytest.approx(ROOM * rounding / abs(base.expected).max())
    for role in ("reference", "teacher"):
        truth = getattr(base, role)
        distance = rms(base.expected - truth) / rms(truth)
        assert MARGIN * distance < base.limits[role] < MARGIN * distance + 1e-4
    residual = rms(NumpyModel(file).residual(base.points, base.data))
    (equation,) = file.equations
    assert MARGIN * residual < equation.limit < MARGIN * residual + 1e-3


def test_a_model_in_float32_stays_inside_the_limits_of_the_expected_outputs():
    for seed in range(8):
        file = model(seed=seed)
        base = file.baseline
        narrow = evaluate(file, base.points, (), np.float32).value
        allowed = base.limits["expected"] * abs(base.expected).max()
        assert abs(narrow - base.expected).max() <= allowed
        assert base.limits["expected"] < 1e-4  # and a wrong digit in the fifth place is seen


def test_residual_limit_sees_a_wrong_parameter():
    """A model that solves its equation exactly gets a limit far below a 1 % change of it."""
    # u = sin(2 x + t): u_t - u_xx / 4 = cos + sin, so the data column is that right-hand side.
    network = plain_network([[[2.0, 1.0]], [[1.0]]], [[0.0], [0.0]], "sin", dtype="f64")
    points = baseline_points([0.0, 0.0], [1.0, 1.0], 200)
    angle = points @ [2.0, 1.0]
    u = np.sin(angle)[:, None]
    right = (2 * np.sin(angle) * np.cos(angle) + np.cos(angle) + 4 * 0.25 * np.sin(angle))[:, None]
    file = to_kdp(
        network,
        inputs=UNIT_BOX,
        outputs=[("u", "")],
        tables=BaselineTables(points=points, reference=u, data=right),
        physics=Physics(
            equations={"momentum": BURGERS}, pairs=((0, 0),), parameters=(("nu", "", 0.25),)
        ),
    )
    (equation,) = file.equations
    assert equation.limit < 1e-4
    assert file.baseline.limits["reference"] < 1e-5
    assert rms(0.01 * 0.25 * 4 * u) > 10 * equation.limit


def test_equation_without_its_data_is_refused():
    network = plain_network(*arrays((2, 5, 1)), "tanh")
    with pytest.raises(ValueError, match=r"data column 0.*tabulate the source terms"):
        to_kdp(
            network,
            inputs=UNIT_BOX,
            outputs=[("u", "")],
            tables=BaselineTables(points=baseline_points([0, 0], [1, 1], 8)),
            physics=Physics(
                equations={"momentum": BURGERS}, pairs=((0, 0),), parameters=(("nu", "", 0.25),)
            ),
        )


def test_zero_reference_is_refused():
    network = plain_network(*arrays((2, 5, 1)), "tanh")
    points = baseline_points([0, 0], [1, 1], 8)
    with pytest.raises(ValueError, match="zero at every baseline point"):
        to_kdp(
            network,
            inputs=UNIT_BOX,
            outputs=[("u", "")],
            tables=BaselineTables(points=points, reference=np.zeros((8, 1))),
        )


def test_unknown_activation_is_refused():
    with pytest.raises(FormatError, match=r"'softplus', known: identity, tanh"):
        plain_network(*arrays((2, 5, 1)), "softplus")
