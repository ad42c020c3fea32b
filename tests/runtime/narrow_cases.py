"""Files whose narrow weights are malformed, and the edges of the conditions on them."""

import math

import numpy as np
from kdp_surgery import TENSOR, edit, in_section, sections
from narrow_samples import narrow_sample

from kdpinn_runtime import pack

# Weight 0 is (3, 2), weight 1 (1, 3): with 4 bits the last byte of the second is half full.
I4 = pack(narrow_sample("i4", sizes=(2, 3, 1)))
I8 = pack(narrow_sample("i8", sizes=(2, 3, 1)))
I6 = pack(narrow_sample("i6", sizes=(2, 3, 1)))
F16 = pack(narrow_sample("f16", sizes=(2, 3, 1)))
MIXED = pack(narrow_sample("i8", "f32", sizes=(2, 3, 1)))
DOUBLE = pack(narrow_sample("f64", sizes=(2, 3, 1), dtype=np.float64))
SECOND_WEIGHT = 128  # byte of the tensors section: weight 64-aligned, bias, weight
LARGEST = 3.4028234663852886e38


def tensor(data, offset, form, value):
    return in_section(data, "tensors", offset, form, value)


def scale(value):
    """I8 with another first scale."""
    return tensor(I8, 0, "f", value)


# name: (code, file, message)
CASES = {
    "number type 9": ("DTYPE", edit(I8, TENSOR, 0, 8, "I", 9), r"tensor 0.*type 9.*8 \(i4\)"),
    "i8 as i4": ("TENSOR", edit(I8, TENSOR, 0, 8, "I", 8), "tensor 0.*i4.*18 bytes.*15"),
    "scale 0": ("VALUE", scale(0.0), r"scale\[0\].*normal"),
    "scale negative": ("VALUE", scale(-1.0), r"scale\[0\].*-1"),
    "scale NaN": ("VALUE", scale(math.nan), "not finite"),
    "scale infinite": ("VALUE", scale(math.inf), "not finite"),
    "scale subnormal": ("VALUE", scale(1e-39), r"scale\[0\].*normal"),
    "scale too large": ("VALUE", scale(LARGEST / 126), "127|not finite"),
    "code -128": ("VALUE", tensor(I8, 12, "b", -128), "up to 127 times"),
    "code -8": ("VALUE", tensor(I4, 12, "B", 0x08), "up to 7 times"),
    "last byte of i4": (
        "PADDING",
        tensor(I4, SECOND_WEIGHT + 5, "B", sections(I4)["tensors"][SECOND_WEIGHT + 5] | 0x10),
        "last byte of tensor 2.*highest 4 bits",
    ),
    "last byte of i6": (
        "PADDING",
        tensor(I6, SECOND_WEIGHT + 6, "B", sections(I6)["tensors"][SECOND_WEIGHT + 6] | 0x80),
        "last byte of tensor 2.*highest 6 bits",
    ),
    "f16 infinite": ("VALUE", tensor(F16, 0, "H", 0x7C00), "not finite"),
    "f16 NaN": ("VALUE", tensor(F16, 0, "H", 0xFE00), "not finite"),
}

# name: (code or None where the file is good, the file)
EDGES = {
    "scale as small as can be": (None, scale(1.1754943508222875e-38)),
    "scale as large as can be": (None, scale(LARGEST / 127.0001)),
    "code -127": (None, tensor(I8, 12, "b", -127)),
    "f16 largest": (None, tensor(F16, 0, "H", 0x7BFF)),
    "f16 smallest": (None, tensor(F16, 0, "H", 0x8001)),
    "f16 nothing": (None, tensor(F16, 0, "H", 0x8000)),
    "narrow beside f32": (None, MIXED),
}
