"""The core's own replay of the baseline gives the figures that `verify` gives, everywhere."""

import math
from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model, burgers_equation, network, sample, with_baseline

from kdpinn_runtime import _core, load, pack, verify
from kdpinn_runtime.format import Layer

ISAS = _core.isas()
DTYPES = (np.float32, np.float64)


def many_points(dtype=np.float32, **options):
    """A complete model with more points than the replay takes at a time."""
    bare = bare_model(dtype=dtype, **options)
    return replace(sample(dtype=dtype, **options), baseline=with_baseline(bare, n=150).baseline)


def with_weight(file, layer, change):
    weight = file.layers[layer].weight.copy()
    change(weight)
    old = file.layers[layer]
    changed = Layer(weight=weight, bias=old.bias, activation=old.activation)
    return replace(file, layers=(*file.layers[:layer], changed, *file.layers[layer + 1 :]))


def with_limits(file, **limits):
    baseline = replace(file.baseline, limits=dict(file.baseline.limits) | limits)
    return replace(file, baseline=baseline)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "activation", ["tanh", "sin", "sigmoid", "silu", "relu", "gelu", "identity"]
)
def test_figures_are_those_of_verify(isa, dtype, activation):
    """The file's weights have the replay's type: `verify` compares in the same arithmetic."""
    file = many_points(dtype, activation=activation)
    model = load(pack(file), isa=isa)
    replayed = model.selftest(dtype)
    said = {check.name: check for check in verify(model, latency=False).checks}
    answers = said[f"known answers {np.dtype(dtype)}"]
    assert replayed["passed"]
    assert replayed["points"] == 150
    assert replayed["expected"][0] == answers.measured  # a maximum: no rounding of its own
    assert replayed["expected"][1] == pytest.approx(answers.limit, rel=1e-12)
    for role in ("reference", "teacher"):
        # Sums of 150 squares in another order, in float64.
        assert replayed[role][0] == pytest.approx(said[role].measured, rel=300 * 2.0**-53)
        assert replayed[role][1:] == (said[role].limit, True)
    ratio, limit, passed = replayed["residual"]
    residual = model.residual(file.baseline.points.astype(dtype), file.baseline.data)
    rms = math.sqrt((residual**2).mean())
    assert ratio == pytest.approx(rms / file.equations[0].limit, rel=300 * 2.0**-53)
    assert (limit, passed, replayed["equation"]) == (1.0, True, 0)
    if dtype is np.float64:
        assert rms == pytest.approx(said["equation momentum"].measured, rel=1e-15)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_float64_sees_one_unit_in_the_last_place_of_one_weight(isa, layer):
    def next_up(weight):
        weight[0, 0] = np.nextafter(weight[0, 0], weight.dtype.type(np.inf))

    changed = load(pack(with_weight(sample(), layer, next_up)), isa=isa).selftest(np.float64)
    assert not changed["passed"]
    assert not changed["expected"][2]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_both_precisions_see_a_swapped_pair_of_weights(isa, dtype):
    def swap(weight):
        weight[0, 0], weight[0, 1] = weight[0, 1], weight[0, 0]

    changed = load(pack(with_weight(sample(), 0, swap)), isa=isa).selftest(dtype)
    assert not changed["passed"]
    assert not changed["expected"][2]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("role", ["expected", "reference", "teacher", "residual"])
def test_each_limit_decides_its_own_check(dtype, role):
    file = many_points(dtype)
    measured = load(pack(file)).selftest(dtype)[role][0]
    for factor, passed in ((1.001, True), (0.999, False)):
        limit = factor * measured
        if role == "residual":
            judged = replace(file, equations=(burgers_equation(limit * file.equations[0].limit),))
        else:
            judged = with_limits(file, **{role: limit})
        replayed = load(pack(judged)).selftest(dtype)
        assert replayed["passed"] == replayed[role][2] == passed
        others = {"expected", "reference", "teacher", "residual"} - {role}
        assert all(replayed[other][2] for other in others)


def test_the_worst_equation_is_named():
    file = many_points(np.float64)
    two = tuple(
        replace(burgers_equation(limit), name=name) for name, limit in (("a", 20.0), ("b", 5.0))
    )
    replayed = load(pack(replace(file, equations=two))).selftest(np.float64)
    single = load(pack(file)).selftest(np.float64)
    assert replayed["equation"] == 1
    assert replayed["residual"][0] == pytest.approx(2 * single["residual"][0], rel=1e-15)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_the_file_does_not_carry_is_left_out(dtype):
    nothing = load(pack(bare_model())).selftest(dtype)
    roles = ("expected", "reference", "teacher", "residual")
    assert nothing["passed"]
    assert nothing["points"] == 0
    assert all(nothing[role] is None for role in roles)
    bare = with_baseline(bare_model(), teacher=False)
    without = load(pack(replace(bare, baseline=replace(bare.baseline, data=None)))).selftest(dtype)
    assert without["teacher"] is None
    assert without["residual"] is None
    assert without["reference"][2]


def test_outputs_that_are_not_finite_fail():
    file = sample(activation="identity")
    for layer in range(3):
        file = with_weight(file, layer, lambda weight: weight.fill(3e38))
    replayed = load(pack(file)).selftest(np.float32)
    assert not replayed["passed"]
    assert not replayed["expected"][2]
    assert not replayed["reference"][2]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("isa", ISAS)
def test_wide_networks_with_several_outputs(isa, dtype):
    """The workspace of the size that the core asks for, for shapes away from the usual ones."""
    for sizes in ((3, 130, 7, 3), (1, 1), (4, 2, 2)):
        file = with_baseline(bare_model(sizes=sizes, dtype=dtype), n=65)
        assert load(pack(file), isa=isa).selftest(dtype)["passed"]


def test_wrong_types_are_named():
    with pytest.raises(ValueError, match="float32 or float64, got int64"):
        load(pack(sample())).selftest(np.int64)


def test_the_bound_of_float64_holds_for_large_weights():
    """Weights three times larger: rounding grows, and the limit of the known answers with it."""
    for activation in ("tanh", "sin", "sigmoid", "silu", "relu", "gelu"):
        base = bare_model(sizes=(2, 50, 50, 1), dtype=np.float64)
        layers = tuple(
            replace(layer, weight=3 * layer.weight)
            for layer in network((2, 50, 50, 1), activation, np.float64, seed=3)
        )
        file = with_baseline(replace(base, layers=layers), n=100)
        for isa in ISAS:
            assert load(pack(file), isa=isa).selftest(np.float64)["expected"][2]
