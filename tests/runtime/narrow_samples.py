"""Models whose weights are stored in narrow number types."""

from dataclasses import replace

import numpy as np
from kdp_samples import sample

NARROW = ("f16", "i16", "i12", "i8", "i6", "i4")
BITS = {"i16": 16, "i12": 12, "i8": 8, "i6": 6, "i4": 4}


def on_grid(layer, precision):
    """`layer` with the nearest weights that `precision` holds; scales from the largest of a row."""
    if precision in ("f32", "f64"):
        return layer
    if precision == "f16":
        weight = layer.weight.astype(np.float16).astype(np.float32)
        return replace(layer, weight=weight, precision=precision)
    most = 2 ** (BITS[precision] - 1) - 1
    largest = np.abs(layer.weight).max(axis=1, keepdims=True).astype(np.float64)
    scale = (np.where(largest > 0, largest, 1.0) / most).astype(np.float32)
    codes = np.clip(np.rint(layer.weight / scale.astype(np.float64)), -most, most)
    weight = (codes * scale.astype(np.float64)).astype(np.float32)
    return replace(layer, weight=weight, precision=precision, scale=scale[:, 0])


def stored_as(file, *precisions):
    """`file` with its layers stored in these types, the last one for all that follow."""
    free = file.stored_layers
    each = [*precisions, *[precisions[-1]] * (len(free) - len(precisions))]
    layers = [on_grid(layer, precision) for layer, precision in zip(free, each, strict=False)]
    if file.symmetry is not None:
        layers = file.symmetry.expand(layers)
    return replace(file, layers=layers)


def widened(file):
    """The float32 network that `file` says, stored as such."""
    layers = [replace(layer, precision="f32", scale=None) for layer in file.layers]
    return replace(file, layers=layers)


def narrow_sample(*precisions, **options):
    """A complete small model (`sample`) in these types."""
    return stored_as(sample(**options), *precisions)
