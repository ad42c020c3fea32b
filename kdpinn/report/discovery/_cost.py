"""Error against free parameters: what the structure bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kdpinn.report._curves import HEIGHT, WIDTH
from kdpinn.report._svg import Scale, frame, limits, marker, svg, text
from kdpinn.report._text import count, number

MARKS = {
    "teacher": ("square", "teacher"),
    "plain": ("diamond", "scratch"),
    "equal": ("diamond", "scratch"),
    "rebuilt": ("circle", "pruned"),
    "clusters": ("circle", "student"),
}
"""Kind -> shape and class of its dot."""


@dataclass(frozen=True)
class Cost:
    """A network by what it costs and what it misses.

    Attributes:
        kind: key of `MARKS`; name: as it is called on the page.
        parameters: free ones.
        error: relative L2 error; None if unknown.
    """

    kind: str
    name: str
    parameters: int
    error: float | None


def picture(costs: Sequence[Cost]) -> str:
    """Both axes logarithmic; "" with fewer than two networks of known error."""
    drawn = [(c, c.error) for c in costs if c.error is not None and c.error > 0]
    if len(drawn) < 2:
        return ""
    low, high = limits([np.array([float(c.parameters) for c, _ in drawn])], log=True)
    x = Scale(low / 1.25, high * 1.25, 62, WIDTH - 14, log=True)
    low, high = limits([np.array([error for _, error in drawn])], log=True)
    y = Scale(low / 1.6, high * 1.6, HEIGHT - 46, 34, log=True)
    parts = [frame(x, y, "free parameters", "relative L² error")]
    places = [(x(c.parameters), y(error)) for c, error in drawn]
    taken = [(px - 9, py - 9, px + 9, py + 9) for px, py in places]
    for (c, error), (px, py) in zip(drawn, places, strict=True):
        shape, look = MARKS[c.kind]
        title = f"{c.name}: {count(c.parameters)} free parameters, {number(error)}"
        parts.append(marker(shape, px, py, f"dot {look}", title, r=6.0))
        cx, cy = _free_place(px, py, c.name, taken)
        parts.append(text(cx, cy, c.name))
    return svg(WIDTH, HEIGHT, "".join(parts), "error against free parameters")


Rectangle = tuple[float, float, float, float]


def _free_place(px: float, py: float, name: str, taken: list[Rectangle]) -> tuple[float, float]:
    """Middle and base line of a dot's name where it covers nothing; it is added to `taken`."""
    half = 3.3 * len(name)
    sides = ((0.0, -12.0), (0.0, 21.0), (half + 12, 4.0), (-half - 12, 4.0), (0.0, -27.0))
    for dx, dy in sides:
        cx, cy = min(max(px + dx, 62 + half), WIDTH - half), py + dy
        box = (cx - half, cy - 10, cx + half, cy + 3)
        if cy <= HEIGHT - 48 and not any(_overlap(box, other) for other in taken):
            break
    taken.append(box)
    return cx, cy


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
