"""Color maps of the page, 256 colors each: equal steps in a value look equally far apart.

Sequential maps are matplotlib's viridis and magma (CC0). The diverging ones, for fields of both
signs, are straight lines in OKLab from a neutral middle to two ends of equal lightness: equal steps
by construction, and the sign is the hue. The middle is near the page's background: zero recedes.

OKLab: Ottosson (2020), https://bottosson.github.io/posts/oklab/, values for sRGB.
"""

from __future__ import annotations

import base64

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Colors = NDArray[np.uint8]

COUNT = 256
_LMS_OF_RGB = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_LAB_OF_LMS = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
# Lightness of the middle, then lightness, chroma and hues (degrees) of the low and the high end.
_LIGHT = (0.975, 0.43, 0.145, 257.0, 27.0)
_DARK = (0.24, 0.80, 0.115, 235.0, 62.0)


def oklab_of_srgb(colors: NDArray[np.uint8]) -> FloatArray:
    """(n, 3) of L, a, b from (n, 3) sRGB bytes."""
    share = colors / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    lab: FloatArray = np.cbrt(linear @ _LMS_OF_RGB.T) @ _LAB_OF_LMS.T
    return lab


def srgb_of_oklab(lab: FloatArray) -> FloatArray:
    """(n, 3) sRGB from (n, 3) of L, a, b; a color that a screen can show lies within [0, 1]."""
    lms = (lab @ np.linalg.inv(_LAB_OF_LMS).T) ** 3
    linear = lms @ np.linalg.inv(_LMS_OF_RGB).T
    share: FloatArray = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0) ** (1 / 2.4) - 0.055
    )
    return share


def diverging(*, dark: bool) -> Colors:
    """(256, 3) sRGB bytes, blue below and red or orange above the middle."""
    middle, end, chroma, below, above = _DARK if dark else _LIGHT
    place = np.linspace(-1.0, 1.0, COUNT)
    hue = np.radians(np.where(place < 0, below, above))
    size = np.abs(place)
    lightness = middle + (end - middle) * size
    lab = np.stack([lightness, chroma * size * np.cos(hue), chroma * size * np.sin(hue)], axis=1)
    return _bytes(srgb_of_oklab(lab))


def sequential(name: str) -> Colors:
    """(256, 3) sRGB bytes of one of matplotlib's maps."""
    import matplotlib

    return _bytes(matplotlib.colormaps[name](np.linspace(0.0, 1.0, COUNT))[:, :3])


def _bytes(share: FloatArray) -> Colors:
    return np.asarray(np.round(np.clip(share, 0.0, 1.0) * 255), dtype=np.uint8)


def color_maps() -> dict[str, str]:
    """Name -> 768 bytes in base64, as the page carries them."""
    maps = {
        "sequential": sequential("viridis"),
        "diverging-light": diverging(dark=False),
        "diverging-dark": diverging(dark=True),
        "error": sequential("magma"),
    }
    return {name: base64.b64encode(colors.tobytes()).decode() for name, colors in maps.items()}
