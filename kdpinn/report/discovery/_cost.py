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
    for c, error in drawn:
        shape, look = MARKS[c.kind]
        at = (x(c.parameters), y(error))
        title = f"{c.name}: {count(c.parameters)} free parameters, {number(error)}"
        parts.append(marker(shape, *at, f"dot {look}", title, r=6.0))
        below = c.kind == "teacher"  # it is often as good as the plain network, and no smaller
        parts.append(text(at[0], at[1] + (21 if below else -12), c.name))
    return svg(WIDTH, HEIGHT, "".join(parts), "error against free parameters")
