"""Maps of fields and errors over two coordinates: one color scale per row, PNG inside SVG."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass

import numpy as np

from kdpinn.metrics import Array, Axis
from kdpinn.report._svg import Scale, line, svg, text
from kdpinn.report._text import esc, number, plain

WIDTH = 280
_LEFT, _TOP, _RIGHT, _BOTTOM = 40, 26, 6, 38
_MOST_PIXELS = 512
_DECADES = 5


@dataclass(frozen=True)
class Coloring:
    """Colors of a row of maps: colormap name, range, and whether by logarithm."""

    name: str
    low: float
    high: float
    log: bool = False

    def rgb(self, values: Array) -> np.ndarray:
        """(..., 3) uint8; out of range takes the end's color, not finite is gray."""
        import matplotlib

        with np.errstate(divide="ignore", invalid="ignore"):
            share = (
                np.log(values / self.low) / np.log(self.high / self.low)
                if self.log
                else (values - self.low) / (self.high - self.low)
            )
        share = np.where(np.isneginf(share), 0.0, share)
        colors = matplotlib.colormaps[self.name](np.clip(share, 0.0, 1.0))[..., :3]
        colors[~np.isfinite(share)] = 0.5
        return np.asarray(np.round(colors * 255), dtype=np.uint8)


def field_coloring(values: Array) -> Coloring:
    """Symmetric about zero for a field of both signs, else from least to greatest."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low < 0 < high and min(-low, high) > 0.05 * max(-low, high):
        bound = max(-low, high)
        return Coloring("RdBu_r", -bound, bound)
    return Coloring("viridis", low, high if high > low else low + 1.0)


def error_coloring(errors: Array) -> Coloring:
    """At most five decades that end at the largest error."""
    positive = errors[np.isfinite(errors) & (errors > 0)]
    if positive.size == 0:
        return Coloring("magma", 1e-16, 1e-15, log=True)
    high = float(positive.max())
    low = max(float(np.quantile(positive, 0.02)), high * 10.0**-_DECADES)
    return Coloring("magma", min(low, high / 10), high, log=True)


def png(rgb: np.ndarray) -> bytes:
    """(height, width, 3) uint8 as a PNG file."""
    height, width, _ = rgb.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), rgb.reshape(height, -1)], axis=1)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    packed = zlib.compress(rows.tobytes(), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def panel(values: Array, across: Axis, up: Axis, coloring: Coloring, title: str, role: str) -> str:
    """One map. `values` is (len(across), len(up)): first index along `across`."""
    image = coloring.rgb(_at_most(values).T[::-1])
    data = base64.b64encode(png(image)).decode("ascii")
    width = WIDTH - _LEFT - _RIGHT
    height = _height(across, up, width)
    x = Scale(across.positions[0], across.positions[-1], _LEFT, _LEFT + width)
    y = Scale(up.positions[0], up.positions[-1], _TOP + height, _TOP)
    parts = [
        text(_LEFT, 15, title, anchor="start", cls=f"maptitle {role}"),
        f'<image x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}"'
        f' preserveAspectRatio="none" href="data:image/png;base64,{data}"/>',
        f'<rect x="{_LEFT}" y="{_TOP}" width="{width}" height="{height}" class="box"/>',
    ]
    for value, label in x.ticks(4):
        parts.append(line(x(value), y.start, x(value), y.start + 4, "axis"))
        parts.append(text(x(value), y.start + 17, label))
    for value, label in y.ticks(4):
        parts.append(line(_LEFT - 4, y(value), _LEFT, y(value), "axis"))
        parts.append(text(_LEFT - 7, y(value) + 4, label, anchor="end"))
    parts.append(text(_LEFT + width / 2, y.start + 33, _named(across), cls="label"))
    parts.append(text(2, _TOP + 4, up.name, anchor="start", cls="label"))
    return svg(WIDTH, _TOP + int(height) + _BOTTOM, "".join(parts), title)


def _named(axis: Axis) -> str:
    return f"{axis.name} [{axis.unit}]" if axis.unit else axis.name


def _height(across: Axis, up: Axis, width: float) -> float:
    """Same scale both ways for two lengths of like extent, else three to four."""
    extent = [float(a.positions[-1] - a.positions[0]) for a in (across, up)]
    same = across.unit == up.unit and across.name != "t" and 0.5 <= extent[1] / extent[0] <= 1.5
    return round(width * extent[1] / extent[0], 1) if same else round(width * 0.72, 1)


def _at_most(values: Array) -> Array:
    """Every k-th row and column, so that no side exceeds the pixels a reader can see."""
    steps = [max(1, -(-n // _MOST_PIXELS)) for n in values.shape]
    return values[:: steps[0], :: steps[1]]


def colorbar(coloring: Coloring, label: str) -> str:
    """The scale of a row of maps: a horizontal bar with its ticks, and what it measures."""
    strip = np.linspace(0.0, 1.0, 128)
    values = (
        coloring.low * (coloring.high / coloring.low) ** strip
        if coloring.log
        else coloring.low + strip * (coloring.high - coloring.low)
    )
    data = base64.b64encode(png(coloring.rgb(values)[None])).decode("ascii")
    scale = Scale(coloring.low, coloring.high, 26, 234, log=coloring.log)
    parts = [
        f'<image x="26" y="2" width="208" height="9" preserveAspectRatio="none"'
        f' href="data:image/png;base64,{data}"/>'
    ]
    for value, name in _bar_ticks(coloring, scale):
        parts.append(text(scale(value), 25, name))
    bar = svg(260, 30, "".join(parts), f"color scale of {label}")
    return f'<figcaption class="bar"><span>{esc(label)}</span>{bar}</figcaption>'


def _bar_ticks(coloring: Coloring, scale: Scale) -> list[tuple[float, str]]:
    if not coloring.log:
        three = (coloring.low, (coloring.low + coloring.high) / 2, coloring.high)
        return [(v, plain(v) if 1e-3 <= abs(v) < 1e4 else number(v, 2)) for v in three]
    return scale.ticks()
