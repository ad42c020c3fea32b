"""How a file stores weights: number types, integer codes with scales, and their packed bytes.

A weight of an integer type is the product of a code and of its output channel's scale, rounded to
float32: the network that a device evaluates is a float32 network, whatever the file stores.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

INTEGER_BITS = {"i16": 16, "i12": 12, "i8": 8, "i6": 6, "i4": 4}
"""Integer types with scales -> bits of a code."""
PRECISIONS = ("f32", "f64", "f16", "i8", "i16", "i12", "i6", "i4")
"""Number types of weights; the position plus one is the number in the file."""
FLOATS = {"f32": "<f4", "f64": "<f8", "f16": "<f2"}
SMALLEST_SCALE = float(np.finfo(np.float32).tiny)
"""Normal, so that no product with a code is subnormal and loses digits."""


def largest_code(bits: int) -> int:
    """The grid is symmetric: codes lie in [-c, c], c = 2^(bits - 1) - 1."""
    return int(2 ** (bits - 1) - 1)


def dequantized(codes: Array, scale: Array) -> NDArray[np.float32]:
    """Weights (out, in), float32, from integer codes (out, in) and scales (out,)."""
    with np.errstate(over="ignore"):
        exact = codes.astype(np.float64) * scale.astype(np.float64)[:, None]
        return exact.astype(np.float32)


def codes_of(weight: Array, scale: Array) -> NDArray[np.int64]:
    """The codes (out, in) nearest to weight / scale; exact for weights made by `dequantized`."""
    ratio = weight.astype(np.float64) / scale.astype(np.float64)[:, None]
    return np.rint(ratio).astype(np.int64)


def packed_bytes(count: int, bits: int) -> int:
    """Bytes that `count` codes of `bits` bits take."""
    return -(-count * bits // 8)


def pack_codes(codes: Array, bits: int) -> bytes:
    """Two's complement, one code after the other, lowest bits first, the last byte filled by 0.

    codes: integers of any shape, in row-major order, within `largest_code(bits)`.
    """
    unsigned = codes.ravel().astype(np.int64) & ((1 << bits) - 1)
    spread = (unsigned[:, None] >> np.arange(bits)) & 1
    return np.packbits(spread.astype(np.uint8), axis=None, bitorder="little").tobytes()


def unpack_codes(data: bytes | memoryview, count: int, bits: int) -> NDArray[np.int64]:
    """The inverse of `pack_codes`: (count,) integers; what fills the last byte is not looked at."""
    flat = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little", count=count * bits)
    unsigned = flat.reshape(count, bits).astype(np.int64) @ (1 << np.arange(bits, dtype=np.int64))
    signed: NDArray[np.int64] = unsigned - ((unsigned >> (bits - 1)) << bits)
    return signed


def tensor_bytes(precision: str, rows: int, cols: int) -> int:
    """Bytes of a weight (rows, cols) in a file: of integers, the scales and then the codes."""
    if precision in INTEGER_BITS:
        return 4 * rows + packed_bytes(rows * cols, INTEGER_BITS[precision])
    return rows * cols * np.dtype(FLOATS[precision]).itemsize


def encoded(precision: str, weight: Array, scale: Array | None) -> bytes:
    """A weight (rows, cols) as a file stores it; the inverse of `decoded`."""
    if scale is None:
        return weight.astype(FLOATS[precision]).tobytes()
    codes = pack_codes(codes_of(weight, scale), INTEGER_BITS[precision])
    return scale.astype("<f4").tobytes() + codes


def decoded(
    precision: str, data: bytes | memoryview, shape: tuple[int, int]
) -> tuple[Array, Array | None]:
    """Weight (rows, cols), float64 if stored so and else float32, and scales (rows,) or None."""
    rows, cols = shape
    if precision in INTEGER_BITS:
        scale = np.frombuffer(data, "<f4", count=rows).astype(np.float32)
        codes = unpack_codes(data[4 * rows :], rows * cols, INTEGER_BITS[precision])
        with np.errstate(invalid="ignore"):
            return dequantized(codes.reshape(shape), scale), scale
    stored = np.frombuffer(data, FLOATS[precision], count=rows * cols).reshape(shape)
    wide = np.float64 if precision == "f64" else np.float32
    return stored.astype(wide, copy=False), None
