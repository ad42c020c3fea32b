"""Colors that tell classes apart on light and on dark pages."""

from __future__ import annotations

import numpy as np

GOLDEN_ANGLE = 137.508
"""Degrees between the hues of neighbors: any few of them in a row are far apart."""

LIGHTNESS, CHROMA = (0.60, 0.70), 0.15
"""Of OKLCH: between white and black, so that every hue is seen on both. Two lightnesses in turn."""


def color(k: int) -> str:
    """The k-th color, "#rrggbb"."""
    return oklch(LIGHTNESS[k % 2], CHROMA, 30 + GOLDEN_ANGLE * k)


def oklch(lightness: float, chroma: float, hue: float) -> str:
    """A color of OKLCH as sRGB, "#rrggbb"; what sRGB does not have is cut off.

    Args:
        lightness: in [0, 1]; hue: in degrees.
    Source: B. Ottosson, A perceptual color space for image processing (2020), the matrices of
    https://bottosson.github.io/posts/oklab.
    """
    angle = np.deg2rad(hue)
    lab = np.array([lightness, chroma * np.cos(angle), chroma * np.sin(angle)])
    cones = np.array(
        [
            [1.0, 0.3963377774, 0.2158037573],
            [1.0, -0.1055613458, -0.0638541728],
            [1.0, -0.0894841775, -1.2914855480],
        ]
    )
    linear = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    light = np.clip(linear @ (cones @ lab) ** 3, 0, 1)
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    red, green, blue = np.round(255 * srgb).astype(int)
    return f"#{red:02x}{green:02x}{blue:02x}"
