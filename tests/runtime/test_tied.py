"""Tied layers: equal to the network written out, symmetric to the last bit, stored once."""

from dataclasses import replace

import numpy as np
import pytest
from jet_bound import jet_bound
from kdp_samples import bare_model, same, with_baseline
from numpy_model import NumpyModel
from test_core import COUNTS, ISAS, UNIT, all_pairs, points_in
from tied_samples import (
    SYMMETRIES,
    WRITTEN_OUT,
    free_layers,
    tied_mapped,
    tied_model,
    untied,
)

from kdpinn_runtime import FormatError, load, pack, unpack, verify
from kdpinn_runtime._info import as_text, describe
from kdpinn_runtime.format import Generator, Symmetry

DTYPES = [np.float32, np.float64]
EVERY_ISA = pytest.mark.parametrize("isa", ISAS)
EVERY_DTYPE = pytest.mark.parametrize("dtype", DTYPES)
EVERY_SYMMETRY = pytest.mark.parametrize("name", SYMMETRIES)
EVERY_GROUP = pytest.mark.parametrize("name", SYMMETRIES | WRITTEN_OUT)


def moved(generator, x):
    """The points that the generator takes x to; the models' shifts are 0."""
    return np.ascontiguousarray(x[:, list(generator.order)] * np.array(generator.signs, x.dtype))


def turned(generator, channels, pairs):
    """Jets (channels, n, m) at g x as they follow from those at x: u(g x) = c u(x)."""
    d, position = (
        len(generator.signs),
        {pair: 1 + len(generator.signs) + k for k, pair in enumerate(pairs)},
    )
    back = {source: i for i, source in enumerate(generator.order)}
    out = np.empty_like(channels)
    out[0] = channels[0]
    for i in range(d):  # x_source goes where input i reads it
        out[1 + back[i]] = generator.signs[back[i]] * channels[1 + i]
    for (i, j), place in position.items():
        a, b = sorted((back[i], back[j]))
        sign = generator.signs[back[i]] * generator.signs[back[j]]
        out[position[a, b]] = sign * channels[place]
    return out * np.array(generator.outputs, channels.dtype)


@EVERY_ISA
@EVERY_DTYPE
@EVERY_SYMMETRY
@pytest.mark.parametrize("activation", ["tanh", "silu", "relu", "gelu"])
def test_the_symmetry_holds_to_the_last_bit(isa, dtype, name, activation):
    """Of values and derivatives, tile and single point, odd activation or not."""
    for hidden in ((3,), (9, 5), (16, 17, 2)):
        file = tied_model(name, hidden, activation=activation)
        model, pairs = load(pack(file), isa=isa), all_pairs(len(file.inputs))
        x = points_in(file, 37, dtype)
        values, jets = model(x), model.jet(x).channels
        for generator in file.symmetry.elements():
            there = moved(generator, x)
            signs = np.array(generator.outputs, dtype)
            assert np.abs(values).max() > 0.01
            assert (model(there) - signs * values == 0).all()
            assert (model.jet(there).channels - turned(generator, jets, pairs) == 0).all()
            for row in range(3):
                assert (model(there[row : row + 1]) - signs * values[row] == 0).all()


@EVERY_ISA
@EVERY_DTYPE
@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_other_groups_are_symmetric_to_rounding(isa, dtype, name):
    """They are written out: two evaluations of the same numbers in another order."""
    file = tied_model(name, (5, 9, 4))
    model, pairs = load(pack(file), isa=isa), all_pairs(len(file.inputs))
    x = points_in(file, 70, dtype)
    values = model(x)
    for generator in file.symmetry.elements():
        there = moved(generator, x)
        both = (
            jet_bound(file, x.astype(np.float64), pairs, UNIT[dtype])[0]
            + jet_bound(file, there.astype(np.float64), pairs, UNIT[dtype])[0]
        )
        assert np.abs(values).max(axis=0).min() > 0.01
        difference = np.abs(model(there) - np.array(generator.outputs, dtype) * values)
        assert (difference.max(axis=0) <= both).all()
        assert both.max() < 0.1 * np.abs(values).max()  # else the bound would say nothing


@pytest.mark.parametrize("name", WRITTEN_OUT)
def test_other_groups_are_what_they_are_called(name):
    order = {"C4": 4, "D4": 8, "C3": 3, "S3": 6, "D6": 12}[name]
    symmetry = WRITTEN_OUT[name]
    assert not symmetry.doubling
    assert symmetry.order == order == len(set(symmetry.elements()))
    elements = symmetry.elements()
    for g, row in enumerate(symmetry.blocks):
        for h, k in enumerate(row):
            assert elements[k].after(elements[h]) == elements[g]


@EVERY_ISA
@EVERY_DTYPE
@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("exact", [False, True])
def test_the_symmetry_holds_with_functions_of_the_coordinates(isa, dtype, features, exact):
    """To the last bit where the functions have it so: here they are products of coordinates."""
    for hidden in ((3,), (9, 5), (16, 17)):
        file = tied_mapped(hidden, features=features, exact=exact)
        model = load(pack(file), isa=isa)
        x = points_in(file, 37, dtype)
        there = (x * np.array([-1, 1])).astype(dtype)
        values, jets, mirrored = model(x), model.jet(x), model.jet(there)
        assert np.abs(values).max() > 0.01
        assert (model(there) + values == 0).all()
        assert (mirrored.value + jets.value == 0).all()
        assert (mirrored.first[..., 0] - jets.first[..., 0] == 0).all()
        assert (mirrored.first[..., 1] + jets.first[..., 1] == 0).all()
        for row in range(3):
            assert (model(there[row : row + 1]) + values[row] == 0).all()
        exact_values = NumpyModel(untied(file))._jet(x.astype(np.float64), ()).value
        bound = jet_bound(file, x.astype(np.float64), (), UNIT[dtype])[0]
        assert (np.abs(values - exact_values).max(axis=0) <= bound).all()


@EVERY_ISA
@EVERY_DTYPE
def test_without_tied_layers_the_symmetry_is_lost_in_rounding(isa, dtype):
    """The tests above can fail: the same weights, summed in a plain order, are not symmetric."""
    file = tied_model("odd and even", (16, 16))
    model, generator = load(pack(untied(file)), isa=isa), file.symmetry.generators[0]
    x = points_in(file, 400, dtype)
    assert (model(moved(generator, x)) != -model(x)).any()


@EVERY_ISA
@EVERY_DTYPE
@EVERY_GROUP
def test_jets_lie_within_the_rounding_bound_of_the_network_written_out(isa, dtype, name):
    for activation in ("tanh", "sin", "sigmoid", "silu", "relu", "gelu"):
        file = tied_model(name, (5, 9, 4), activation=activation)
        pairs = all_pairs(len(file.inputs))
        x = points_in(file, 70, dtype)
        jet = load(pack(file), isa=isa).jet(x)
        exact = NumpyModel(untied(file))._jet(x.astype(np.float64), pairs)
        bound = jet_bound(file, x.astype(np.float64), pairs, UNIT[dtype])
        want = np.concatenate(
            [exact.value[None], np.moveaxis(exact.first, 2, 0), np.moveaxis(exact.second, 2, 0)]
        )
        error = np.abs(jet.channels - want).max(axis=1)
        assert (error <= bound + (2.0**-52) * np.abs(want).max(axis=1) * 64).all()


@EVERY_ISA
@EVERY_DTYPE
@EVERY_SYMMETRY
def test_a_point_has_one_answer_wherever_it_stands(isa, dtype, name):
    file = tied_model(name, (10, 18))
    model = load(pack(file), isa=isa)
    x = points_in(file, max(COUNTS), dtype)
    whole, jets = model(x), model.jet(x).channels
    assert np.array_equal(jets[0], whole)
    for n in COUNTS:
        assert np.array_equal(model(x[:n]), whole[:n])
        assert np.array_equal(model.jet(x[:n]).channels, jets[:, :n])


@EVERY_GROUP
@EVERY_DTYPE
def test_a_file_has_the_free_part_and_gives_back_the_whole(name, dtype):
    file = with_baseline(tied_model(name, (3, 4), dtype=dtype))
    assert same(unpack(pack(file)), file)
    assert pack(unpack(pack(file))) == pack(file)
    order, (p, q) = file.symmetry.order, (3, 4)
    d, m = len(file.inputs), len(file.outputs)
    free = p * d + p + q * order * p + q + m * q + m
    assert file.weight_count == load(pack(file)).parameters == free
    assert untied(file).weight_count == order * (p * d + p + q * order * p + q + m * q) + m
    for layer, whole in zip(file.symmetry.free(file.layers), file.layers, strict=True):
        assert layer.weight.base is not whole.weight
    assert same(file.symmetry.expand(file.symmetry.free(file.layers)), file.layers)


def test_verify_and_the_self_test_replay_a_tied_file():
    files = [tied_model(name, (4, 6)) for name in SYMMETRIES | WRITTEN_OUT]
    for bare in (*files, tied_mapped(), tied_mapped(features=False), tied_mapped(exact=False)):
        file = with_baseline(bare, n=20)
        file = replace(file, baseline=replace(file.baseline, data=None))
        model = load(pack(file))
        assert verify(model, latency=False).passed
        for dtype in DTYPES:
            assert model.selftest(dtype)["passed"]


def test_the_self_test_sees_a_weight_that_changed_by_one_unit():
    file = with_baseline(tied_model("odd", (4, 6)), n=20)
    free = list(file.symmetry.free(file.layers))
    weight = free[1].weight.copy()
    weight[0, 0] = np.nextafter(weight[0, 0], np.float32(np.inf))
    free[1] = replace(free[1], weight=weight)
    assert load(pack(file)).selftest(np.float64)["passed"]
    changed = replace(file, layers=file.symmetry.expand(free))
    assert not load(pack(changed)).selftest(np.float64)["passed"]


def test_copies_with_other_signs_are_aligned():
    """[[A, -B], [B, -A]] and the like compute what [[A, B], [B, A]] does, where tanh is odd."""
    for name in SYMMETRIES:
        file = tied_model(name, (3, 4, 2))
        order, rng = file.symmetry.order, np.random.default_rng(1)
        layers = list(file.layers)
        for index, width in enumerate((3, 4, 2)):
            sign = np.repeat([1.0, *rng.choice([-1, 1], order - 1)], width).astype(np.float32)
            own, following = layers[index], layers[index + 1]
            layers[index] = replace(own, weight=sign[:, None] * own.weight, bias=sign * own.bias)
            layers[index + 1] = replace(following, weight=following.weight * sign)
        assert same(file.symmetry.aligned(layers), file.layers)


def test_even_activations_have_no_signs():
    file = tied_model("odd", (3,), activation="sigmoid")
    layers = list(file.layers)
    sign = np.repeat(np.float32([1, -1]), 3)
    layers[0] = replace(
        layers[0], weight=sign[:, None] * layers[0].weight, bias=sign * layers[0].bias
    )
    with pytest.raises(FormatError, match="layer 0 is not tied"):
        replace(file, layers=file.symmetry.aligned(layers))


def test_a_model_says_its_symmetries():
    file = tied_model("swap with signs and both")
    said = describe(file, "0" * 64, 0)
    assert said["symmetry"] == ["u(-t, -x) = u(x, t)", "u(-x, -t) = -u(x, t)"]
    assert "symmetry" in as_text(said)
    assert describe(bare_model(), "0" * 64, 0)["symmetry"] == []
    shifted = replace(tied_model("odd"), input_shift=np.array([0.25, 0.0]))
    assert describe(shifted, "", 0)["symmetry"] == ["u(0.5 - x, t) = -u(x, t)"]


@EVERY_ISA
@EVERY_DTYPE
def test_a_reflection_about_another_point_is_exact_where_the_points_are(isa, dtype):
    file = replace(tied_model("odd", (9, 8)), input_shift=np.array([0.25, 0.125]))
    model = load(pack(file), isa=isa)
    x = np.round(points_in(file, 50, dtype) * 256) / 256
    x[:, 0] = np.abs(x[:, 0]) / 2
    there = np.stack([0.5 - x[:, 0], x[:, 1]], axis=1).astype(dtype)
    assert (model(there) + model(x) == 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Generator(signs=(2, 1), outputs=(1,)), r"signs.*\(2, 1\)"),
        (lambda: Generator(signs=(1, 1), outputs=()), r"outputs.*\(\)"),
        (lambda: Generator(signs=(1, 1), outputs=(1,), order=(1, 1)), r"order.*each of the 2"),
        (lambda: Symmetry(generators=()), "0 generators, expected 1 .. 4"),
        (
            lambda: Symmetry(generators=(*WRITTEN_OUT["C4"].generators,) * 2),
            "generator 1 follows from those before it",
        ),
        (
            lambda: Symmetry(
                generators=(
                    Generator(signs=(-1, *(1,) * 8), outputs=(1,), order=(*range(1, 9), 0)),
                )
            ),
            "more than 16 elements",
        ),
        (
            lambda: Symmetry(
                generators=(
                    Generator(signs=(1,), outputs=(1,)),
                    Generator(signs=(1, 1), outputs=(1,)),
                )
            ),
            "differ in their numbers",
        ),
        (
            lambda: replace(tied_model("odd"), symmetry=SYMMETRIES["three"]),
            "one of 3 inputs and 3 outputs, the network has 2 and 1",
        ),
        (lambda: replace(tied_model("odd"), symmetry=SYMMETRIES["even"]), "layer 0 is not tied"),
        (
            lambda: replace(bare_model(sizes=(2, 1)), symmetry=SYMMETRIES["even"]),
            "at least two layers",
        ),
        (
            lambda: replace(bare_model(sizes=(2, 5, 1)), symmetry=SYMMETRIES["even"]),
            "layer 0 gives 5 values.*2 copies",
        ),
    ],
)
def test_what_is_no_symmetry_is_refused(make, message):
    with pytest.raises(FormatError, match=message) as caught:
        make()
    assert caught.value.code == "SYMMETRY"


def test_free_layers_of_the_wrong_shape_are_refused():
    symmetry = SYMMETRIES["odd and even"]
    free = free_layers(symmetry, (3, 4))
    wrong = [free[0], replace(free[1], weight=free[1].weight[:, :9]), free[2]]
    with pytest.raises(ValueError, match="layer 1|division|shape"):
        symmetry.expand(wrong)
