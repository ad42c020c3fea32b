"""Inline SVG: axes, ticks and curves that take their colors from the page's style sheet."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdpinn.metrics import Array
from kdpinn.report._text import esc, plain, power


@dataclass(frozen=True)
class Scale:
    """Maps data [low, high] to pixels [start, end], by logarithm if `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        if self.log:
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[tuple[float, str]]:
        """Positions and labels, round numbers or powers of ten."""
        return _decades(self.low, self.high, wanted) if self.log else _round(self, wanted)


def _decades(low: float, high: float, wanted: int) -> list[tuple[float, str]]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    step = max(1, math.ceil((last - first) / max(1, wanted)))
    whole = [(10.0**k, power(k)) for k in range(first, last + 1, step)]
    if len(whole) >= 2:
        return whole
    near = [m * 10.0**k for k in range(first - 1, last + 1) for m in (1, 2, 5)]
    return [(v, plain(v)) for v in near if low <= v * (1 + 1e-9) and v <= high * (1 + 1e-9)]


def _round(scale: Scale, wanted: int) -> list[tuple[float, str]]:
    raw = (scale.high - scale.low) / wanted
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 2.5, 5, 10) if m * unit >= raw * (1 - 1e-9))
    first = math.ceil(scale.low / step - 1e-9)
    last = math.floor(scale.high / step + 1e-9)
    return [(k * step, plain(k * step) if k else "0") for k in range(first, last + 1)]


def limits(arrays: Sequence[Array], *, log: bool) -> tuple[float, float]:
    """Smallest range that holds all finite (for log: positive) values, never empty."""
    joined = np.concatenate([np.ravel(a) for a in arrays]) if arrays else np.array([1.0])
    joined = joined[np.isfinite(joined) & ((joined > 0) if log else True)]
    if joined.size == 0:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(joined.min()), float(joined.max())
    if log:
        return (low / 1.3, high * 1.3)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def text(x: float, y: float, content: str, *, anchor: str = "middle", cls: str = "tick") -> str:
    """One line of text."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{cls}">{esc(content)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, cls: str) -> str:
    """A straight stroke."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{cls}"/>'


def curve(xs: Array, ys: Array, x: Scale, y: Scale, cls: str) -> str:
    """A polyline through the points that both scales can show; gaps break it."""
    good = np.isfinite(xs) & np.isfinite(ys)
    good &= (xs > 0) if x.log else True
    good &= (ys > 0) if y.log else True
    parts: list[str] = []
    for run in _runs(good):
        parts += [
            f"{'M' if i == run[0] else 'L'}{x(float(xs[i])):.1f},{y(float(ys[i])):.1f}" for i in run
        ]
    return f'<path d="{"".join(parts)}" class="{cls}"/>' if parts else ""


def _runs(good: np.ndarray) -> list[range]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], good, [False]]).astype(int)))
    return [range(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def marker(shape: str, cx: float, cy: float, cls: str, title: str = "", r: float = 5.0) -> str:
    """A point as `circle`, `square` or `diamond`; `title` shows when the mouse rests on it."""
    tip = f"<title>{esc(title)}</title>" if title else ""
    if shape == "circle":
        return f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="{r}" class="{cls}">{tip}</circle>'
    turn = f' transform="rotate(45 {cx:.1f} {cy:.1f})"' if shape == "diamond" else ""
    side = 1.7 * r
    return (
        f'<rect x="{cx - side / 2:.1f}" y="{cy - side / 2:.1f}" width="{side:.1f}"'
        f' height="{side:.1f}" class="{cls}"{turn}>{tip}</rect>'
    )


def frame(x: Scale, y: Scale, x_label: str, y_label: str) -> str:
    """Grid lines, ticks and the names of both axes."""
    parts = []
    for value, label in y.ticks():
        parts += [line(x.start, y(value), x.end, y(value), "grid")]
        parts += [text(x.start - 7, y(value) + 4, label, anchor="end")]
    for value, label in x.ticks():
        parts += [line(x(value), y.start, x(value), y.start + 4, "axis")]
        parts += [text(x(value), y.start + 18, label)]
    parts.append(line(x.start, y.start, x.end, y.start, "axis"))
    parts.append(text((x.start + x.end) / 2, y.start + 36, x_label, cls="label"))
    parts.append(text(4, y.end - 12, y_label, anchor="start", cls="label"))
    return "".join(parts)


def svg(width: int, height: int, body: str, label: str) -> str:
    """The drawing; it scales with its column. `label` is what a screen reader says."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{esc(label)}"'
        f' xmlns="http://www.w3.org/2000/svg">{body}</svg>'
    )


_BOX = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')


def size_of(drawing: str) -> tuple[float, float]:
    """Width and height of a drawing of `svg`, in its own units."""
    found = _BOX.search(drawing)
    assert found is not None, "every drawing has a viewBox"
    return float(found[1]), float(found[2])
