"""Grids: the rounding error that theory permits, and layers that a file can hold."""

from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model
from tied_samples import tied_model

from kdpinn_export.grids import (
    NARROW,
    fitted_scale,
    from_codes,
    largest_code,
    largest_scale,
    narrowed,
    nearest_codes,
    post_training,
)
from kdpinn_runtime import pack, unpack
from kdpinn_runtime.format import INTEGER_BITS

INTEGERS = sorted(INTEGER_BITS)


def weights(seed=0):
    """Rows of very different sizes, one of zeros."""
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(6, 40)) * 10.0 ** np.arange(-3, 3)[:, None]
    weight[2] = 0.0
    return weight.astype(np.float32)


@pytest.mark.parametrize("precision", INTEGERS)
def test_nothing_is_clipped_at_the_largest_scale(precision):
    """Then a weight errs by half a step at most, and the rounding of the product to float32."""
    weight = weights()
    scale = largest_scale(weight, precision)
    codes = nearest_codes(weight, scale, precision)
    assert np.abs(codes).max() == largest_code(precision)
    error = np.abs(from_codes(codes, scale).astype(np.float64) - weight)
    assert (error <= scale[:, None] * 0.5 * (1 + 1e-6) + 2.0**-24 * np.abs(weight)).all()


@pytest.mark.parametrize("precision", INTEGERS)
def test_the_fitted_scale_is_no_worse_in_any_row(precision):
    weight = weights(1)

    def error(scale):
        rounded = from_codes(nearest_codes(weight, scale, precision), scale)
        return np.square(rounded.astype(np.float64) - weight).sum(axis=1)

    largest, fitted = (
        error(largest_scale(weight, precision)),
        error(fitted_scale(weight, precision)),
    )
    assert (fitted <= largest * (1 + 1e-6)).all()
    if precision == "i4":
        assert (fitted < 0.95 * largest).any(), "with few bits clipping pays"


@pytest.mark.parametrize("precision", NARROW)
def test_every_precision_makes_a_layer_that_a_file_holds(precision):
    for dtype in (np.float32, np.float64):
        layer = narrowed(bare_model(dtype=dtype).layers[1], precision)
        assert layer.precision == precision
        assert layer.bias.dtype == np.float32
        again = narrowed(layer, precision)
        assert np.abs(again.weight - layer.weight).max() <= 1e-6 * np.abs(layer.weight).max()


def test_tied_layers_stay_tied():
    file = tied_model("swap with signs and both", hidden=(3, 2))
    layers = post_training(file, ("i4", "i8", "f16"))
    narrow = replace(file, layers=layers)
    assert unpack(pack(narrow)).precisions == ("i4", "i8", "f16")


def test_an_unknown_precision_is_named():
    with pytest.raises(ValueError, match=r"precision 'i7'.*Known: f32, f16, i8"):
        narrowed(bare_model().layers[0], "i7")
