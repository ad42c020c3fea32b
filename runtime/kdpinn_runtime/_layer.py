"""A dense layer, its weights in any number type that a file stores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._limits import MAX_WIDTH
from ._parts import ACTIVATIONS, frozen_array
from ._precision import (
    INTEGER_BITS,
    PRECISIONS,
    SMALLEST_SCALE,
    codes_of,
    dequantized,
    largest_code,
    tensor_bytes,
)
from ._refusals import FormatError, Problems


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One dense layer, y = activation(weight @ z + bias).

    weight (out, in) and bias (out,), float32 or float64 alike; both are copied, read-only.
    `precision` is the type that a file stores the weight in, by default its own. A narrower one,
    "f16", "i16", "i12", "i8", "i6" or "i4", is for float32 weights that have its values already:
    here they are always the numbers that are evaluated. Weights of an integer type are codes times
    `scale` (out,), float32, one number for each output; biases are never narrow.
    Raises FormatError (DTYPE, LAYER, VALUE, TOO_LARGE).
    """

    weight: NDArray[Any]
    bias: NDArray[Any]
    activation: str
    precision: str = ""
    scale: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        weight, bias = np.asarray(self.weight), np.asarray(self.bias)
        problems = Problems()
        for name, array in (("weight", weight), ("bias", bias)):
            problems.require(
                array.dtype in (np.float32, np.float64),
                "DTYPE",
                f"{name} of a layer is {array.dtype}, expected float32 or float64: convert it",
            )
        problems.require(
            weight.dtype == bias.dtype,
            "LAYER",
            f"a layer has a {weight.dtype} weight and a {bias.dtype} bias, expected one type",
        )
        problems.require(
            weight.ndim == 2 and weight.size > 0 and bias.shape == weight.shape[:1],
            "LAYER",
            f"a layer has a weight of shape {weight.shape} and a bias of shape {bias.shape}, "
            "expected (out, in) and (out,)",
        )
        problems.require(
            max(weight.shape, default=0) <= MAX_WIDTH,
            "TOO_LARGE",
            f"a layer has a weight of shape {weight.shape}, the cap on a width is {MAX_WIDTH}",
        )
        problems.require(
            self.activation in ACTIVATIONS,
            "LAYER",
            f"a layer has the activation {self.activation!r}, known: {', '.join(ACTIVATIONS)}",
        )
        problems.raise_if_any()
        for name, array in (("weight", weight), ("bias", bias)):
            bad = np.argwhere(~np.isfinite(array))
            if len(bad):
                problems.add("VALUE", f"{name}{bad[0].tolist()} of a layer is not finite")
        problems.raise_if_any()
        object.__setattr__(self, "weight", frozen_array(weight, weight.dtype))
        object.__setattr__(self, "bias", frozen_array(bias, bias.dtype))
        self._store()

    def _store(self) -> None:
        """Resolves and checks how the weight is stored."""
        own = "f64" if self.weight.dtype == np.float64 else "f32"
        # Whole floats follow the weights, so that `replace` may exchange them for another type.
        precision = own if self.precision in ("", "f32", "f64") else self.precision
        if precision not in PRECISIONS:
            raise FormatError(
                "LAYER", f"a layer has the precision {precision!r}, known: {', '.join(PRECISIONS)}"
            )
        if precision != own and own == "f64":
            raise FormatError(
                "LAYER", f"a layer of {own} weights cannot be stored as {precision}: convert it"
            )
        if (precision in INTEGER_BITS) != (self.scale is not None):
            needed = "needs" if self.scale is None else "cannot have"
            raise FormatError("LAYER", f"a layer stored as {precision} {needed} scales")
        object.__setattr__(self, "precision", precision)
        if self.scale is not None:
            object.__setattr__(self, "scale", frozen_array(self.scale, np.float32))
            positive = frozen_array(self.weight + np.float32(0), np.float32)  # no code says -0
            object.__setattr__(self, "weight", positive)
        problems = Problems()
        for problem in self._off_grid():
            problems.add("VALUE", problem)
        problems.raise_if_any()

    def _off_grid(self) -> Iterator[str]:
        """What the number type cannot hold; nothing if it holds every weight."""
        weight, scale = self.weight, self.scale
        if scale is not None:
            if scale.shape != weight.shape[:1]:
                yield f"a layer has scales of shape {scale.shape}, expected {weight.shape[:1]}"
                return
            most = largest_code(INTEGER_BITS[self.precision])
            with np.errstate(over="ignore"):
                fits = (scale >= SMALLEST_SCALE) & np.isfinite(scale * np.float32(most))
            if not fits.all():
                worst = np.flatnonzero(~fits)[0]
                yield (
                    f"scale[{worst}] of a layer is {scale[worst]:g}, expected a normal float32 "
                    f"number > 0 whose product with {most} is one too"
                )
                return
            codes = codes_of(weight, scale)
            wrong = (np.abs(codes) > most) | (dequantized(codes, scale) != weight)
            what = f"a multiple of {{scale:g}} up to {most} times it"
        elif self.precision == "f16":
            with np.errstate(over="ignore"):
                wrong = weight.astype(np.float16).astype(np.float32) != weight
            what = "a float16 number"
        else:
            return
        for o, i in np.argwhere(wrong)[:1]:
            about = what if scale is None else what.format(scale=scale[o])
            yield (
                f"weight[{o}, {i}] of a layer stored as {self.precision} is {weight[o, i]:g}, "
                f"expected {about}: quantize it"
            )

    @property
    def codes(self) -> NDArray[np.int64] | None:
        """Integer codes (out, in) of the weights; None for floats."""
        return None if self.scale is None else codes_of(self.weight, self.scale)

    @property
    def stored_bytes(self) -> int:
        """Bytes of the weight, its scales and the bias in a file."""
        return tensor_bytes(self.precision, *self.weight.shape) + int(self.bias.nbytes)
