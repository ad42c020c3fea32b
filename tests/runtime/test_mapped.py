"""Models with features and exact conditions, on every instruction set of this machine."""

from dataclasses import replace

import numpy as np
import pytest
from jet_bound import jet_bound
from kdp_samples import bare_model, with_baseline
from map_samples import Program, everything, mapped_model, mapped_sample
from numpy_model import NumpyModel
from test_core import COUNTS, ISAS, UNIT, all_pairs, points_in

from kdpinn_runtime import load, pack, verify
from kdpinn_runtime.format import CoordinateMap, Operation


def with_everything(**options):
    """Features and a condition in which every kind of operation takes part."""
    p = Program()
    parts = everything()
    p.operations = list(parts.operations)
    file = mapped_model(exact=False, **options)
    features = p.map(*parts.results, p.x(1))
    return replace(file, features=features, exact=everything())


MODELS = {
    "features": lambda **options: mapped_model(exact=False, **options),
    "exact": lambda **options: mapped_model(features=False, **options),
    "both": mapped_model,
    "both, three outputs": lambda **options: mapped_model(outputs=3, hidden=(7, 9), **options),
    "every operation": with_everything,
}


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_jets_lie_within_the_rounding_bound(isa, dtype, name):
    file, pairs = MODELS[name](), all_pairs(2)
    x = points_in(file, 129, dtype)
    jet = load(pack(file), isa=isa).jet(x)
    exact = NumpyModel(file)._jet(x.astype(np.float64), pairs)
    want = np.concatenate(
        [exact.value[None], np.moveaxis(exact.first, 2, 0), np.moveaxis(exact.second, 2, 0)]
    )
    bound = jet_bound(file, x.astype(np.float64), pairs, UNIT[dtype])
    error = np.abs(jet.channels - want).max(axis=1)
    own = 64 * 2.0**-52 * np.abs(want).max(axis=1)  # of the evaluator compared with
    assert jet.channels.dtype == dtype
    assert (error <= bound + own).all()


@pytest.mark.parametrize("name", MODELS)
def test_the_bound_sees_a_changed_constant(name):
    """By a relative 1e-9 in float64: the bound is not so wide that nothing could fail."""
    file = MODELS[name]()
    which = "exact" if file.exact is not None else "features"
    program = getattr(file, which)
    at = next(k for k, o in enumerate(program.operations) if o.kind == "constant")
    operations = list(program.operations)
    operations[at] = Operation("constant", value=operations[at].value * (1 + 1e-9))
    changed = replace(file, **{which: CoordinateMap(tuple(operations), program.results)})
    x = points_in(file, 129)
    bound = jet_bound(file, x, (), UNIT[np.float64])[0]
    assert np.abs(load(pack(changed))(x) - NumpyModel(file)(x)).max() > bound.max()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MODELS)
def test_a_point_has_one_answer_wherever_it_stands(isa, dtype, name):
    file = MODELS[name]()
    model = load(pack(file), isa=isa)
    x = points_in(file, max(COUNTS), dtype)
    whole, jets = model(x), model.jet(x).channels
    assert np.array_equal(jets[0], whole)
    for n in COUNTS:
        assert np.array_equal(model(x[:n]), whole[:n])
        assert np.array_equal(model(x[-n:]), whole[-n:])
        assert np.array_equal(model.jet(x[:n]).channels, jets[:, :n])
    large = np.tile(x, (8, 1))
    assert np.array_equal(model(large, threads=2), np.tile(whole, (8, 1)))
    out = np.empty((1, len(file.outputs)), dtype)
    model.bind(x[:1].copy(), out)()
    assert np.array_equal(out, whole[:1])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_conditions_hold_to_the_last_bit(isa, dtype):
    """Zero where the base is 0, the base's own bits elsewhere, whatever the network says."""
    p = Program()
    x, t = p.x(0), p.x(1)
    wall = p.times(p.plus(p.number(1.0), x), p.plus(p.number(1.0), p.times(p.number(-1.0), x)))
    zero = p.number(0.0)
    start = p.add("sin", p.times(p.number(3.0), x))
    t_start = p.add("tanh", t)
    file = mapped_model(outputs=2, exact=False)
    file = replace(file, exact=p.map(zero, start, wall, t_start))
    other = mapped_model(outputs=2, exact=False, seed=9)
    other = replace(other, exact=file.exact)
    at = np.linspace(0, 1, 33)
    walls = np.stack([np.repeat([-1.0, 1.0], 33), np.tile(at, 2)], 1).astype(dtype)
    beginning = np.stack([2 * at - 1, 0 * at], 1).astype(dtype)
    models = [load(pack(f), isa=isa) for f in (file, other)]
    for model in models:
        assert (model(walls)[:, 0] == 0).all()
        assert (model.jet(walls)["u_t"] == 0).all()
        assert (model.jet(walls)["u_tt"] == 0).all()
        assert np.abs(model(walls)[:, 1]).max() > 0.1
    first, second = (model(beginning)[:, 1] for model in models)
    assert np.array_equal(first, second)
    # the base alone: three roundings of 3 x and those of sin, below 16 units of 3
    exact = np.sin(3 * beginning[:, 0].astype(float))
    assert (np.abs(first - exact) <= 48 * UNIT[dtype]).all()


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_periodic_features_make_a_periodic_model(isa, dtype):
    """Values and derivatives at x and x + 2 differ by rounding; pi is rounded too."""
    file, pairs = mapped_model(exact=False), all_pairs(2)
    model = load(pack(file), isa=isa, outside="count")
    x = points_in(file, 65).astype(np.float32)
    left = np.concatenate([[[-1.0, 0.5]], np.stack([x[:, 0] - 1, x[:, 1]], 1)])
    left = (np.round(left * 1024) / 1024).astype(dtype)  # so that the period is added exactly
    right = (left + np.array([2, 0])).astype(dtype)
    bound = [jet_bound(file, at.astype(float), pairs, UNIT[dtype]) for at in (left, right)]
    difference = np.abs(model.jet(left).channels - model.jet(right).channels).max(axis=1)
    assert (difference <= bound[0] + bound[1]).all()
    plain = mapped_model(features=False, exact=False)
    assert np.abs(NumpyModel(plain)(left) - NumpyModel(plain)(right)).max() > 0.1


@pytest.mark.parametrize("isa", ISAS)
def test_the_residual_reads_physical_coordinates(isa):
    file = mapped_sample()
    x, data = points_in(file, 40), np.random.default_rng(3).normal(size=(40, 1))
    jet = load(pack(file), isa=isa).jet(x, [("x", "x")])
    terms = [jet["u_t"], jet["u"] * jet["u_x"], -0.01 * jet["u_xx"], -data[:, 0]]
    slack = 8 * 2.0**-53 * np.sum(np.abs(terms), axis=0)
    got = load(pack(file), isa=isa).residual(x, data)[:, 0]
    assert (np.abs(got - np.sum(terms, axis=0)) <= slack).all()
    reference = NumpyModel(file).residual(x, data)[:, 0]
    np.testing.assert_allclose(got, reference, rtol=0, atol=1e3 * 2.0**-53 * np.abs(terms).max())


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", ["features", "both"])
def test_points_outside_and_not_finite_are_told(isa, name):
    file = MODELS[name]()
    model = load(pack(file), isa=isa, outside="count")
    x = points_in(file, 70)
    x[5, 0] = 3.0
    model(x)
    model.jet(x)
    model(x[5:6])
    assert model.outside_count == 3
    x[64, 1] = np.nan
    with pytest.raises(ValueError, match="Row 64 .*not finite"):
        model(x)
    with pytest.raises(ValueError, match="Row 0 .*not finite"):
        model(x[64:65])


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("name", MODELS)
def test_the_baseline_is_replayed(isa, name):
    """By Python and by the core, which agree on the float64 bound; a wrong map is seen."""
    file = with_baseline(MODELS[name](), n=5)
    verdict = verify(load(pack(file), isa=isa), latency=False)
    assert verdict.passed, str(verdict)
    told = load(pack(file), isa=isa).selftest(np.float64)
    assert told["passed"]
    check = next(c for c in verdict.checks if c.name == "known answers float64")
    assert told["expected"][1] == pytest.approx(check.limit, rel=1e-12)
    assert check.limit < 1e-9
    which = "features" if file.features is not None else "exact"
    program = getattr(file, which)
    at = next(k for k, o in enumerate(program.operations) if o.kind == "constant")
    operations = list(program.operations)
    operations[at] = Operation("constant", value=operations[at].value * (1 + 1e-6))
    wrong = replace(file, **{which: CoordinateMap(tuple(operations), program.results)})
    assert not load(pack(wrong), isa=isa).selftest(np.float64)["passed"]


def test_what_cannot_be_bounded_falls_back_to_the_limit_of_the_file():
    """1 / (x - 2 x) over a range that contains 0, and e^1000 where e^-1000 is meant."""
    p = Program()
    x = p.x(0)
    wild = p.add("reciprocal", p.plus(x, p.times(p.number(-2.0), x)))
    flat = p.times(
        p.number(1e-3), p.add("tanh", wild), p.add("exp", p.times(p.number(-90.0), x, x))
    )
    large = p.times(p.number(1e-305), p.add("exp", p.plus(p.number(701.0), x)))
    file = replace(bare_model(), exact=p.map(p.plus(flat, large), p.number(0.5)))
    file = with_baseline(file)
    for isa in ISAS:
        told = load(pack(file), isa=isa).selftest(np.float64)
        assert told["passed"]
        assert told["expected"][1] == file.baseline.limits["expected"]


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_saturates_where_the_page_says(isa, dtype):
    p = Program()
    x = p.x(0)
    large = p.add("exp", p.times(p.number(1000.0), x))
    file = replace(bare_model(), exact=p.map(large, p.number(0.0)))
    model = load(pack(file), isa=isa)
    low, high = (-87.0, 88.0) if dtype == np.float32 else (-708.0, 709.0)
    got = model(np.array([[-1.0, 0], [1.0, 0], [0, 0]], dtype))[:, 0].astype(float)
    np.testing.assert_allclose(got, np.exp([low, high, 0.0]), rtol=1e3 * UNIT[dtype])
