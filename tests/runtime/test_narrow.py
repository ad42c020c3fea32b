"""Narrow weights: the file's bytes, and the same bits as the float network that they stand for."""

from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model, same, sample
from map_samples import mapped_model
from narrow_samples import BITS, NARROW, narrow_sample, on_grid, stored_as, widened
from test_core import ISAS, points_in
from tied_samples import SYMMETRIES, tied_model

from kdpinn_runtime import FormatError, load, pack, unpack, verify
from kdpinn_runtime._info import as_text, describe
from kdpinn_runtime._precision import pack_codes, unpack_codes
from kdpinn_runtime.format import INTEGER_BITS, PRECISIONS, Layer

EVERY_ISA = pytest.mark.parametrize("isa", ISAS)


@pytest.mark.parametrize("bits", [*BITS.values(), 3, 10])
def test_packing_is_undone_by_unpacking(bits):
    most = 2 ** (bits - 1) - 1
    for count in (1, 2, 3, 7, 8, 9, 33):
        codes = np.random.default_rng(count).integers(-most, most + 1, count)
        data = pack_codes(codes, bits)
        assert len(data) == (count * bits + 7) // 8
        assert np.array_equal(unpack_codes(data, count, bits), codes)


def test_the_bytes_are_those_of_the_page():
    """Two's complement, lowest bits first: worked out by hand."""
    assert pack_codes(np.array([1, -1, 7]), 4) == bytes([0xF1, 0x07])
    assert pack_codes(np.array([1, -1, 31, -31]), 6) == bytes([0xC1, 0xFF, 0x85])
    assert pack_codes(np.array([0x123, -1]), 12) == bytes([0x23, 0xF1, 0xFF])
    assert pack_codes(np.array([-2]), 16) == bytes([0xFE, 0xFF])


@pytest.mark.parametrize("precision", NARROW)
def test_a_file_gives_back_what_was_written(precision):
    file = narrow_sample(precision)
    data = pack(file)
    again = unpack(data)
    assert same(again, file)
    assert pack(again) == data
    assert again.precisions == (precision,) * 3
    assert again.dtype == np.float32


def test_the_types_are_the_ones_of_the_page():
    assert PRECISIONS == ("f32", "f64", "f16", "i8", "i16", "i12", "i6", "i4")
    assert INTEGER_BITS == BITS


def test_bytes_are_counted_with_scales_and_biases():
    """2-5-5-1: 40 weights, 11 biases, 11 scales."""
    expected = {"f32": 204, "f16": 124, "i16": 168, "i12": 149, "i8": 128, "i6": 119, "i4": 109}
    for precision, count in expected.items():
        file = narrow_sample(precision)
        assert file.weight_bytes == count
        described = describe(file, "", len(pack(file)))
        assert described["weight_bytes"] == count
        assert f"51 in {precision}: {count} bytes" in as_text(described)
    mixed = narrow_sample("i8", "i4", "f16")
    assert mixed.weight_bytes == (20 + 10 + 20) + (20 + 13 + 20) + (10 + 4)
    assert "51 in i8, i4, f16: 117 bytes" in as_text(describe(mixed, "", 0))
    assert (
        len(pack(narrow_sample("i8", sizes=(2, 64, 64, 1))))
        < len(pack(sample(sizes=(2, 64, 64, 1)))) - 3 * 64 * 64 + 64 * 4 * 3
    )


@EVERY_ISA
@pytest.mark.parametrize("precision", [*NARROW, ("i8", "f32", "f16"), ("f32", "i4")])
def test_narrow_weights_give_the_bits_of_the_float_network(isa, precision):
    """Single points, tiles with every kind of remainder, jets; both arithmetics."""
    each = (precision,) if isinstance(precision, str) else precision
    for sizes in ((2, 1, 1), (2, 5, 5, 1), (3, 7, 33, 13, 3), (2, 64, 65, 2)):
        file = stored_as(bare_model(sizes=sizes), *each)
        assert_same_bits(file, isa)


@EVERY_ISA
@pytest.mark.parametrize("name", SYMMETRIES)
def test_tied_layers_may_be_narrow(isa, name):
    file = stored_as(tied_model(name, hidden=(3, 5, 2)), "i8", "i4", "f16", "i16")
    assert same(unpack(pack(file)), file)
    assert_same_bits(file, isa)


@EVERY_ISA
def test_functions_of_the_coordinates_may_have_narrow_weights(isa):
    assert_same_bits(stored_as(mapped_model(hidden=(5, 3)), "i8"), isa)


def assert_same_bits(file, isa):
    narrow, wide = load(pack(file), isa=isa), load(pack(widened(file)), isa=isa)
    for dtype in (np.float32, np.float64):
        for count in (1, 2, 31, 150):
            x = points_in(file, count, dtype)
            assert np.array_equal(narrow(x), wide(x))
            assert np.array_equal(narrow.jet(x).channels, wide.jet(x).channels)
            assert np.abs(narrow(x)).max() > 0
        one = points_in(file, 1, dtype)
        assert np.array_equal(narrow(np.repeat(one, 9, axis=0))[:1], narrow(one))


def test_every_half_is_read_as_numpy_reads_it():
    """All finite float16 numbers through the core: a network without a hidden layer passes them."""
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)].astype(np.float32)
    base = bare_model(sizes=(1, 1))
    for part in np.array_split(halves, 1000)[::37]:
        columns = np.resize(part, (16, 1))
        layers = (
            Layer(
                weight=columns,
                bias=np.zeros(16, np.float32),
                activation="identity",
                precision="f16",
            ),
            Layer(
                weight=np.eye(16, dtype=np.float32),
                bias=np.zeros(16, np.float32),
                activation="identity",
            ),
        )
        file = replace(
            base, layers=layers, input_shift=np.zeros(1), input_scale=np.ones(1),
            output_shift=np.zeros(16), output_scale=np.ones(16),
            outputs=tuple(replace(base.outputs[0], name=f"u{k}") for k in range(16)),
        )  # fmt: skip
        got = load(pack(file), outside="count")(np.ones((2, 1), np.float32))
        assert np.array_equal(got[0], columns[:, 0])


@pytest.mark.parametrize("precision", NARROW)
def test_the_device_checks_a_narrow_file_against_its_baseline(precision, tmp_path):
    file = narrow_sample(precision)
    expected = load(pack(widened(file)))(file.baseline.points)
    tables = replace(
        file.baseline, expected=expected, reference=expected * 1.001, teacher=expected * 1.0005
    )
    file = replace(file, baseline=tables)
    model = load(pack(file))
    assert model.selftest(np.float64)["passed"]
    assert model.selftest(np.float32)["passed"]
    assert verify(model).passed


def test_a_layer_says_what_its_type_cannot_hold():
    layer = on_grid(bare_model().layers[0], "i8")
    with pytest.raises(FormatError, match=r"weight\[0, 0\].*i8.*multiple of.*quantize"):
        replace(layer, weight=layer.weight * np.float32(1.01))
    with pytest.raises(FormatError, match="stored as i8 needs scales"):
        replace(layer, scale=None)
    with pytest.raises(FormatError, match="f32 cannot have scales"):
        replace(layer, precision="f32")
    with pytest.raises(FormatError, match=r"scales of shape \(3,\), expected \(5,\)"):
        replace(layer, scale=layer.scale[:3])
    with pytest.raises(FormatError, match=r"weight\[0, 0\].*f16.*a float16 number"):
        replace(bare_model().layers[0], precision="f16")
    with pytest.raises(FormatError, match="precision 'i7', known: f32"):
        replace(layer, precision="i7")
    double = bare_model(dtype=np.float64).layers[0]
    with pytest.raises(FormatError, match="f64 weights cannot be stored as f16"):
        replace(double, precision="f16")
    assert (
        replace(bare_model().layers[0], weight=double.weight, bias=double.bias).precision == "f64"
    )
