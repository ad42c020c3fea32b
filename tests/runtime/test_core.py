"""The C core against the independent numpy evaluator, on every instruction set of this machine."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from jet_bound import jet_bound
from kdp_samples import bare_model, network, sample
from numpy_model import NumpyModel

from kdpinn_runtime import _core, load, pack

ISAS = _core.isas()
# Around every vector and tile width: 16 lanes x 4 vectors, in small networks x 24; 801 is split.
COUNTS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 257, 383, 385, 801)
WIDTHS = (
    (2, 1, 1),
    (2, 10, 10, 10, 1),
    (3, 7, 11, 13, 3),
    (2, 64, 65, 2),
    (4, 5, 6, 9, 2),
    (1, 2, 1),
)
ACTIVATIONS = ("tanh", "sin", "sigmoid", "silu", "relu", "gelu")
UNIT = {np.float32: 2.0**-24, np.float64: 2.0**-53}


def points_in(file, n, dtype=np.float64, seed=0):
    """Points exact in float32, so that both precisions see the same ones."""
    lower, upper = np.array([(v.lower, v.upper) for v in file.inputs]).T
    inner = lower + (upper - lower) * np.random.default_rng(seed).uniform(
        0.01, 0.99, (n, len(lower))
    )
    return inner.astype(np.float32).astype(dtype)


def all_pairs(d):
    return tuple((i, j) for i in range(d) for j in range(i, d))


def test_this_machine_runs_the_scalar_reference():
    assert ISAS[-1] == "scalar"


@pytest.mark.parametrize("isa", ["avx512", "avx2", "neon", "scalar"])
def test_what_this_machine_cannot_run_is_said(isa):
    """All other tests walk `ISAS`; what is missing there shows up as skipped here."""
    if isa not in ISAS:
        pytest.skip(f"no {isa} on this processor, or not built in: its tests do not run here")
    assert load(pack(bare_model()), isa=isa).isa == isa


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", WIDTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_jets_lie_within_the_rounding_bound(isa, dtype, sizes, activation):
    file = bare_model(sizes=sizes, activation=activation)
    pairs = all_pairs(sizes[0])
    x = points_in(file, 129, dtype)
    jet = load(pack(file), isa=isa).jet(x)
    exact = NumpyModel(file)._jet(x.astype(np.float64), pairs)
    bound = jet_bound(file, x.astype(np.float64), pairs, UNIT[dtype])
    want = np.concatenate(
        [exact.value[None], np.moveaxis(exact.first, 2, 0), np.moveaxis(exact.second, 2, 0)]
    )
    error = np.abs(jet.channels - want).max(axis=1)
    assert jet.channels.dtype == dtype
    assert (error <= bound + (2.0**-52) * np.abs(want).max(axis=1) * 64).all()


@pytest.mark.parametrize(("dtype", "change"), [(np.float32, 1e-2), (np.float64, 1e-9)])
def test_the_rounding_bound_sees_a_changed_weight(dtype, change):
    file = bare_model(sizes=(2, 10, 10, 10, 1))
    x = points_in(file, 129, dtype)
    middle = file.layers[1]
    weight = middle.weight.astype(np.float64)
    weight[3, 4] += change
    layers = [
        replace(layer, weight=layer.weight.astype(float), bias=layer.bias.astype(float))
        for layer in file.layers
    ]
    layers[1] = replace(layers[1], weight=weight)
    got = load(pack(replace(file, layers=tuple(layers))))(x)
    bound = jet_bound(file, x.astype(np.float64), (), UNIT[dtype])[0]
    assert np.abs(got - NumpyModel(file)(x.astype(np.float64))).max() > bound


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(2, 10, 10, 10, 1), (3, 7, 11, 13, 3), (2, 66, 1)])
@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu"])
def test_a_point_has_one_answer_wherever_it_stands(isa, dtype, sizes, activation):
    """Bit for bit: independent of the batch's size, the position in it, and the thread count."""
    file = bare_model(sizes=sizes, activation=activation)
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
    assert np.array_equal(model.jet(large, threads=3).channels, np.tile(jets, (1, 8, 1)))


@pytest.mark.parametrize("isa", ISAS)
def test_layouts_of_the_points_do_not_matter(isa):
    file = bare_model(sizes=(3, 8, 8, 2))
    model = load(pack(file), isa=isa)
    x = points_in(file, 70, np.float32)
    want = model(x)
    shifted = np.zeros(x.nbytes + 4, np.uint8)[4:].view(np.float32).reshape(x.shape)
    shifted[:] = x
    between = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    between[:] = x
    spread = np.zeros((140, 6), np.float32)
    spread[::2, ::2] = x
    fixed = x.copy()
    fixed.flags.writeable = False
    alike = (np.asfortranarray(x), spread[::2, ::2], shifted, between, x[::-1][::-1], fixed)
    others = (x.astype(">f4"), np.ma.masked_less(x, 0.3), memoryview(x))
    for layout in (*alike, *others):
        assert np.array_equal(model(layout), want)
        assert model(layout).dtype == np.float32
        assert np.array_equal(model(layout[:1]), want[:1])
    double = load(pack(file), isa=isa)(x.astype(np.float64))
    for layout in (x.tolist(), x.astype(np.longdouble), x.astype(np.float64).astype(">f8")):
        assert np.array_equal(model(layout), double)
    assert model(x[:0]).shape == (0, 2)
    assert model.jet(x[:0]).value.shape == (0, 2)


@pytest.mark.parametrize("isa", ISAS)
def test_second_derivatives_come_as_asked(isa):
    file = bare_model(sizes=(3, 9, 9, 2))
    model = load(pack(file), isa=isa)
    x = points_in(file, 20)
    full, some = model.jet(x), model.jet(x, [("y", "x"), ("t", "t")])
    assert some.pairs == ((0, 2), (1, 1))
    assert np.array_equal(some["u_xy"], full["u_xy"])
    assert np.array_equal(some["v_tt"], full["v_tt"])
    assert model.jet(x, ()).second.shape == (20, 2, 0)
    assert np.array_equal(full.first[:, 1, 2], full["v_y"])


@pytest.mark.parametrize("isa", ISAS)
def test_residual_is_the_sum_of_products(isa):
    file = sample(sizes=(2, 6, 6, 1))
    model = load(pack(file), isa=isa)
    x = points_in(file, 40)
    data = np.random.default_rng(3).normal(size=(40, 1))
    jet = model.jet(x, [("x", "x")])
    terms = [jet["u_t"], jet["u"] * jet["u_x"], -0.01 * jet["u_xx"], -data[:, 0]]
    slack = 8 * 2.0**-53 * np.sum(np.abs(terms), axis=0)
    assert (np.abs(model.residual(x, data)[:, 0] - np.sum(terms, axis=0)) <= slack).all()
    with pytest.raises(ValueError, match=r"1 tabulated source.*\(40, 1\), got none"):
        model.residual(x)


@pytest.mark.parametrize("isa", ISAS)
def test_bound_call_follows_its_arrays(isa):
    file = bare_model()
    model = load(pack(file), isa=isa)
    x = points_in(file, 100, np.float32)
    out = np.empty((100, 1), np.float32)
    step = model.bind(x, out)
    step()
    assert np.array_equal(out, model(x))
    x[:] = x[::-1].copy()
    step()
    assert np.array_equal(out, model(x))
    with pytest.raises(ValueError, match=r"`out` as a C-contiguous.*\(100, 1\).*float64"):
        model.bind(x, out.astype(np.float64))
    with pytest.raises(ValueError, match=r"`x` as a C-contiguous.*not contiguous"):
        model.bind(np.asfortranarray(x), out)
    between = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    with pytest.raises(ValueError, match=r"`x` as a C-contiguous.*not aligned"):
        model.bind(between, out)


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bound_jet_follows_its_points(isa, dtype):
    file = bare_model(sizes=(2, 9, 9, 2))
    model = load(pack(file), isa=isa)
    for n in (1, 100):
        x = points_in(file, n, dtype)
        step, jet = model.bind_jet(x, [("t", "x")])
        for _ in range(2):
            step()
            assert jet.channels.dtype == dtype
            assert np.array_equal(jet.channels, model.jet(x, [("t", "x")]).channels)
            assert np.array_equal(jet["u_xt"], model.jet(x)["u_xt"])
            x[:] = 0.5 * x[::-1]
    with pytest.raises(ValueError, match=r"`bind_jet` needs `x`.*\(100, 2\).*float64; got int64"):
        model.bind_jet(x.astype(np.int64))
    with pytest.raises(ValueError, match="pairs of input names"):
        model.bind_jet(x, [("x", "q")])


def test_bound_calls_report_what_they_saw():
    file = bare_model()
    x = points_in(file, 100)
    x[[3, 7]] = 9.0
    model = load(pack(file), outside="count")
    model.bind(x, np.empty((100, 1)))()
    model.bind_jet(x)[0]()
    assert model.outside_count == 4
    with pytest.raises(ValueError, match="2 of 100 points"):
        load(pack(file), outside="refuse").bind_jet(x)[0]()
    with pytest.warns(UserWarning, match="2 of 100") as caught:
        load(pack(file)).bind(x, np.empty((100, 1)))()
    assert caught[0].filename == __file__, "the warning names the line that called"
    x[5, 1] = np.inf
    with pytest.raises(ValueError, match=r"Row 5 .*not finite .*t=inf"):
        model.bind_jet(x)[0]()


def test_points_that_are_not_finite_are_refused_by_row():
    file = bare_model()
    model = load(pack(file))
    for bad in (np.nan, np.inf, -np.inf):
        for row in (0, 63, 64, 199):
            for dtype in (np.float32, np.float64):
                x = points_in(file, 200, dtype)
                x[row, 1] = bad
                with pytest.raises(ValueError, match=f"Row {row} .*not finite .*t="):
                    model(x)
                with pytest.raises(ValueError, match=f"Row {row} .*not finite"):
                    model.jet(x)
                with pytest.raises(ValueError, match=f"Row {row} .*not finite"):
                    model.bind(x, np.empty((200, 1), dtype))()
    x = np.tile(points_in(file, 200), (10, 1))
    x[1500] = np.nan
    with pytest.raises(ValueError, match="Row 1500 "):
        model(x, threads=2)
    x[[600, 1999]] = np.inf  # of several, the first, whichever thread saw one first
    for threads in (2, 3, 5):
        with pytest.raises(ValueError, match="Row 600 "):
            model(x, threads=threads)
        with pytest.raises(ValueError, match="Row 600 "):
            model.jet(x, threads=threads)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_points_outside_the_domain_are_counted(dtype):
    file = bare_model()  # x in [-1, 1], t in [0, 1]
    x = points_in(file, 150, dtype)
    x[[3, 70, 149], [0, 1, 1]] = (1.5, -0.25, 7.0)
    counted = load(pack(file), outside="count")
    counted(x)
    counted.jet(x)
    assert counted.outside_count == 6
    many = np.tile(x, (10, 1))
    counted(many, threads=3)
    counted.jet(many, threads=2)
    assert counted.outside_count == 6 + 60
    warned = load(pack(file))
    with pytest.warns(UserWarning, match=r"3 of 150.*row 149: t = 7 s, known on \[0, 1\]"):
        warned(x)
    warned(x)  # only the first time
    assert warned.outside_count == 6
    with pytest.raises(ValueError, match="3 of 150 points"):
        load(pack(file), outside="refuse")(x)
    border = np.array([[-1, 0], [1, 1], [-1, 1], [1, 0]], dtype)
    load(pack(file), outside="refuse")(border)


def test_bad_arguments_are_named():
    model = load(pack(bare_model()))
    with pytest.raises(ValueError, match=r"\(n, 2\), columns \(x, t\); got \(2,\)"):
        model(np.zeros(2))
    with pytest.raises(ValueError, match=r"\(n, 2\), columns \(x, t\); got \(\)"):
        model(None)
    with pytest.raises(ValueError, match=r"real numbers, got complex128"):
        model(np.zeros((1, 2), complex))
    with pytest.raises(ValueError, match="missing: \\['t'\\], unknown: \\['y'\\]"):
        model.at(x=0.0, y=1.0)
    with pytest.raises(ValueError, match=r"pairs of input names .*\('x', 'q'\)"):
        model.jet(np.zeros((1, 2)), [("x", "q")])
    with pytest.raises(KeyError, match="u_tt"):
        _ = model.jet(np.zeros((1, 2)))["u_q"]
    with pytest.raises(ValueError, match=r"`isa` must be one of .*'scalar'.*, got 'sse9'"):
        load(pack(bare_model()), isa="sse9")


def test_named_values_broadcast():
    model = load(pack(bare_model()))
    t = np.linspace(0, 1, 5)
    named = model.at(x=0.25, t=t)
    assert named["u"].shape == (5,)
    assert np.array_equal(named["u"], model(np.stack([np.full(5, 0.25), t], 1))[:, 0])


def test_threads_may_share_a_model():
    file = bare_model(sizes=(2, 20, 20, 1))
    model = load(pack(file))
    x = points_in(file, 3000, np.float32)
    want, failures = model(x), []

    def worker():
        for _ in range(50):
            if not np.array_equal(model(x), want):
                failures.append(1)

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hidden_neurons_may_change_places(isa, dtype):
    """Permuting a hidden layer changes only the order of sums."""
    file = bare_model(sizes=(2, 12, 12, 1), dtype=np.float64)
    order = np.random.default_rng(0).permutation(12)
    first, second, last = network((2, 12, 12, 1), dtype=np.float64)
    swapped = replace(
        file,
        layers=(
            replace(first, weight=first.weight[order], bias=first.bias[order]),
            replace(second, weight=second.weight[:, order]),
            last,
        ),
    )
    x = points_in(file, 50, dtype)
    bound = jet_bound(file, x.astype(float), (), UNIT[dtype])[0]
    difference = np.abs(load(pack(file), isa=isa)(x) - load(pack(swapped), isa=isa)(x))
    assert (difference <= 2 * bound).all()
