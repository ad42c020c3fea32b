"""`verify` passes a good model and fails each of the ways in which one can be bad."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model, burgers_equation, network, sample, with_baseline
from normal_distribution import distribution
from numpy_model import NumpyModel

from kdpinn_runtime import verify
from kdpinn_runtime._latency import call_times, quantile, summary
from kdpinn_runtime._rounding import float64_bound
from kdpinn_runtime.format import Layer, Target, pack

QUICK = {"latency_seconds": 0.2}


def checks(file, **options):
    """{name: check} of the file, evaluated by numpy."""
    verdict = verify(NumpyModel(file, "0" * 64), **{"latency": False} | options)
    return {check.name: check for check in verdict.checks}


def failed(file, **options):
    return {name for name, check in checks(file, **options).items() if check.passed is False}


def with_weight(file, layer, change):
    """`file` with `change` applied to a copy of one layer's weight."""
    weight = file.layers[layer].weight.copy()
    change(weight)
    changed = Layer(
        weight=weight, bias=file.layers[layer].bias, activation=file.layers[layer].activation
    )
    return replace(file, layers=(*file.layers[:layer], changed, *file.layers[layer + 1 :]))


def next_up(weight):
    weight[0, 0] = np.nextafter(weight[0, 0], weight.dtype.type(np.inf))


def test_a_good_model_passes():
    found = checks(sample(), latency=True, **QUICK)
    assert list(found) == [
        "integrity",
        "known answers float64",
        "known answers float32",
        "reference",
        "teacher",
        "equation momentum",
        "finite outputs",
        "latency 1 point p90",
    ]
    assert all(check.passed is True for check in found.values())


def test_the_measures_are_those_of_the_samples():
    """The reference is 1.001 times the outputs, the teacher 1.0005; float32 stores the rest."""
    found, eps = checks(sample()), np.finfo(np.float32).eps
    assert abs(found["reference"].measured - 0.001 / 1.001) <= 4 * eps
    assert abs(found["teacher"].measured - 0.0005 / 1.0005) <= 4 * eps
    model = NumpyModel(sample())
    residual = model.residual(model.file.baseline.points, model.file.baseline.data)
    assert found["equation momentum"].measured == pytest.approx(
        math.sqrt((residual**2).mean()), rel=1e-14
    )


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_one_unit_in_the_last_place_of_one_weight_is_seen(layer):
    """A changed weight with a right digest: only the known answers can tell."""
    assert failed(with_weight(sample(), layer, next_up)) == {"known answers float64"}


def test_a_swapped_pair_of_weights_fails_both_arithmetics():
    def swap(weight):
        weight[0, 0], weight[0, 1] = weight[0, 1], weight[0, 0]

    assert {"known answers float64", "known answers float32"} <= failed(
        with_weight(sample(), 0, swap)
    )


@pytest.mark.parametrize("role", ["reference", "teacher"])
def test_a_limit_below_the_error_fails(role):
    file = sample()
    measured = checks(file)[role].measured
    for factor, expected in ((1.001, set()), (0.999, {role})):
        limits = dict(file.baseline.limits) | {role: factor * measured}
        assert failed(replace(file, baseline=replace(file.baseline, limits=limits))) == expected


def test_physics_are_held_to_their_limit():
    file = sample()
    measured = checks(file)["equation momentum"].measured
    assert failed(replace(file, equations=(burgers_equation(1.001 * measured),))) == set()
    assert failed(replace(file, equations=(burgers_equation(0.999 * measured),))) == {
        "equation momentum"
    }


def test_outputs_that_are_not_finite_fail():
    def huge(weight):
        weight[...] = 3e38

    file = with_baseline(bare_model(activation="identity"))
    for layer in (0, 1, 2):
        file = with_weight(file, layer, huge)
    model = NumpyModel(file, "0" * 64)
    with np.errstate(over="ignore"):
        verdict = verify(model, latency=False)
    found = {check.name: check for check in verdict.checks}
    assert found["finite outputs"].passed is False
    assert found["finite outputs"].measured > 4000
    assert found["known answers float32"].passed is False
    assert json.loads(json.dumps(verdict.to_dict(), allow_nan=False))["passed"] is False


def test_what_the_file_does_not_carry_is_skipped_visibly():
    found = checks(bare_model())
    absent = ["known answers", "reference", "teacher", "equations"]
    assert [name for name, check in found.items() if check.passed is None] == absent
    assert all("not carried in the file" in found[name].note for name in absent)
    verdict = verify(NumpyModel(bare_model(), "0" * 64), latency=False)
    assert verdict.passed
    assert "4 skipped" in str(verdict)


def test_equations_without_points_are_skipped():
    equation = replace(burgers_equation(), terms=burgers_equation().terms[:2])
    found = checks(replace(bare_model(), equations=(equation,)))
    assert found["equation momentum"].passed is None


def test_to_dict_is_json():
    verdict = verify(NumpyModel(sample(), "ab"), **QUICK)
    said = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert said["passed"] is True
    assert said["digest"] == "ab"
    assert {"name", "passed", "measured", "limit", "unit", "note", "detail"} == set(
        said["checks"][0]
    )
    assert said["checks"][-1]["detail"]["misses"] == 0


def test_the_table_lines_up():
    lines = str(verify(NumpyModel(sample(), "ab"), latency=False)).splitlines()
    column = lines[0].index("result")
    assert all(line[column:].startswith(("result", "pass")) for line in lines[:-1])
    assert lines[-1] == "passed"


@pytest.mark.parametrize(
    "activation", ["identity", "tanh", "sin", "sigmoid", "silu", "relu", "gelu"]
)
@pytest.mark.parametrize("widths", [(2, 1), (2, 50, 50, 50, 1), (1, 3, 3)])
def test_the_float64_bound_holds_for_another_order_of_summation(activation, widths):
    """Against the same network in extended precision, the points many and the weights large."""
    model = bare_model(sizes=widths, activation=activation, dtype=np.float64)
    layers = network(widths, activation, np.float64, seed=3)
    model = replace(
        model,
        layers=tuple(
            Layer(weight=3 * layer.weight, bias=layer.bias, activation=layer.activation)
            for layer in layers
        ),
    )
    evaluator = NumpyModel(model)
    x = np.random.default_rng(0).uniform(*evaluator.domain.T, (500, widths[0]))
    outputs = evaluator(x)
    z = (x.astype(np.longdouble) - model.input_shift) * model.input_scale
    functions = {
        "identity": lambda s: s,
        "tanh": np.tanh,
        "sin": np.sin,
        "sigmoid": lambda s: 1 / (1 + np.exp(-s)),
        "silu": lambda s: s / (1 + np.exp(-s)),
        "relu": lambda s: np.maximum(s, 0),
        "gelu": lambda s: s * distribution(s),
    }
    for layer in model.layers:
        z = functions[layer.activation](z @ layer.weight.T.astype(np.longdouble) + layer.bias)
    exact = z * model.output_scale + model.output_shift
    bound = float64_bound(model, x)
    assert np.abs(outputs - exact).max() <= bound / 2
    assert bound <= 1e-6 * max(1.0, np.abs(outputs).max()), "and the bound still says something"


# Latency


@pytest.mark.parametrize(
    ("q", "rank"), [(0.5, 50), (0.9, 90), (0.99, 99), (0.999, 100), (0.001, 1), (0.011, 2)]
)
def test_quantile_is_the_nearest_rank(q, rank):
    assert quantile(np.arange(1, 101), q) == rank


def test_quantile_of_few_is_the_largest():
    assert quantile(np.array([1, 2, 9]), 0.999) == 9


def test_timing_counts_every_call():
    times = np.arange(1, 1001) * 1_000_000
    timing = summary(7, times)
    assert (timing.points, timing.count) == (7, 1000)
    assert (timing.p50_ms, timing.p99_ms, timing.p999_ms, timing.max_ms) == (500, 990, 999, 1000)


def test_call_times_stop_at_the_budget_and_at_the_count():
    assert len(call_times(lambda: None, calls=100, budget_s=1.0)) == 100
    slow = call_times(lambda: math.factorial(3000), calls=10**6, budget_s=0.05)
    assert 1 <= len(slow) < 10**6
    assert (np.diff(slow) >= 0).all()


def test_a_missed_target_fails_and_counts_the_misses():
    target = Target(points=10, limit_ms=1e-6, quantile=0.999)
    check = checks(replace(sample(), targets=(target,)), latency=True, **QUICK)[
        "latency 10 points p99.9"
    ]
    assert check.passed is False
    assert check.unit == "ms"
    assert check.detail["misses"] == check.detail["count"] > 0
    assert check.measured == check.detail["p999_ms"]


def test_too_few_calls_for_a_quantile_are_said():
    target = Target(points=1, limit_ms=1e3, quantile=0.99999)
    found = checks(replace(sample(), targets=(target,)), latency=True, latency_seconds=0.02)
    check = found["latency 1 point p99.999"]
    assert "too few calls" in check.note
    assert check.measured == check.detail["max_ms"]


# Through the compiled core


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["tanh", "sin", "sigmoid", "silu", "relu", "gelu"])
def test_the_core_passes(activation, dtype):
    pytest.importorskip("kdpinn_runtime._core", reason="the C core is not built")
    verdict = verify(pack(sample(activation=activation, dtype=dtype)), **QUICK)
    assert verdict.passed, str(verdict)


def test_the_core_sees_a_changed_weight():
    pytest.importorskip("kdpinn_runtime._core", reason="the C core is not built")
    verdict = verify(pack(with_weight(sample(), 1, next_up)), latency=False)
    assert [c.name for c in verdict.checks if c.passed is False] == ["known answers float64"]
