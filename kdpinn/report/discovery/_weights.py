"""Weight matrices as squares: area for size, color for the class, filled above zero, hollow below.

After G. Hinton's diagrams; the color says which weights are one number up to sign.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.report._svg import line, svg, text
from kdpinn.report._text import plain
from kdpinn.report.discovery._colors import color
from kdpinn.structure.portrait import FREE, ZERO, Portrait

MOST_TITLES = 1500
"""Weights of a network up to which each tells its value when the mouse rests on it."""

_CELLS = ((10, 19), (18, 15), (26, 12), (40, 8), (10_000, 5))
"""Columns of the widest layer up to which a cell has so many pixels."""
_HEAD, _LEFT, _GAP = 34, 16, 5


def layers(network: Portrait, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """A drawing for each layer, weights and, set apart, the bias."""
    colors = _class_colors(network)
    count = len(network.layers)
    titled = sum(w.size + b.size for w, b in network.layers) <= MOST_TITLES
    widest = max(w.shape[1] for w, _ in network.layers)
    side = next(pixels for most, pixels in _CELLS if widest <= most)
    return [
        _layer(
            network,
            k,
            side,
            colors,
            inputs if k == 0 and network.on_coordinates else (),
            outputs if k == count - 1 else (),
            titled,
        )
        for k in range(count)
    ]


def _class_colors(network: Portrait) -> dict[int, str]:
    """A color per class, counted anew in each layer, so that few classes are far apart."""
    found = {}
    for classes in network.classes:
        for k, number in enumerate(n for n in np.unique(classes) if n >= 0):
            found[int(number)] = color(k)
    return found


def _layer(
    network: Portrait,
    k: int,
    side: int,
    colors: dict[int, str],
    columns: Sequence[str],
    rows: Sequence[str],
    titled: bool,
) -> str:
    values = np.column_stack(network.layers[k])
    n_out, n_in = network.layers[k][0].shape
    left = _LEFT if not rows else max(_LEFT, 9 * max(map(len, rows)))
    at = [left + side * i + (_GAP if i == n_in else 0) for i in range(n_in + 1)]
    width, height = at[-1] + side + 2, _HEAD + side * n_out + 2
    parts = [text(left, 12, f"layer {k + 1}", anchor="start", cls="maptitle")]
    for i, name in enumerate([*columns, *[""] * (n_in - len(columns)), "b"]):
        parts.append(text(at[i] + side / 2, _HEAD - 6, name))
    for o, name in enumerate(rows):
        parts.append(text(left - 5, _HEAD + side * (o + 0.5) + 4, name, anchor="end"))
    parts += [
        f'<rect x="{x}" y="{_HEAD}" width="{w}" height="{side * n_out}" class="field"/>'
        for x, w in ((left, side * n_in), (at[-1], side))
    ]
    parts += _blocks(network, k, left, side)
    largest = max(float(np.abs(values).max()), 1e-300)
    for o, i in np.ndindex(*values.shape):
        value, number = float(values[o, i]), int(network.classes[k][o, i])
        name = f"b[{o}]" if i == n_in else f"w[{o},{i}]"
        tip = f"{name} = {plain(value)}{_member(number)}" if titled else ""
        middle = (at[i] + side / 2, _HEAD + side * (o + 0.5))
        share = float(np.sqrt(abs(value) / largest))
        parts.append(_square(*middle, side, share, value < 0, number, colors.get(number), tip))
    return svg(round(max(width, left + 58)), height, "".join(parts), f"weights of layer {k + 1}")


def _member(number: int) -> str:
    return {ZERO: ", zero by symmetry", FREE: ""}.get(number, f", class {number}")


def _square(
    x: float,
    y: float,
    side: int,
    share: float,
    negative: bool,
    number: int,
    fill: str | None,
    tip: str,
) -> str:
    """One weight: a square, hollow if negative; a cross for a zero that the symmetry asks for."""
    title = f"<title>{tip}</title>" if tip else ""
    if number == ZERO:
        r = side * 0.16
        strokes = [((-r, -r), (r, r)), ((-r, r), (r, -r))]
        cross = "".join(
            f"M{x + a:.1f},{y + b:.1f}L{x + c:.1f},{y + d:.1f}" for (a, b), (c, d) in strokes
        )
        return f'<path d="{cross}" class="zero">{title}</path>'
    size = max(0.88 * side * share, 1.4)
    paint = f' color="{fill}"' if fill else ""
    stroke = min(1.0 + side / 14, size / 2) if negative else 0.0
    inner = size - stroke
    cls = "below" if negative else "above"
    width = f' stroke-width="{stroke:.2f}"' if negative else ""
    return (
        f'<rect x="{x - inner / 2:.1f}" y="{y - inner / 2:.1f}" width="{inner:.1f}"'
        f' height="{inner:.1f}" class="{cls}"{width}{paint} data-class="{number}">{title}</rect>'
    )


def _blocks(network: Portrait, k: int, left: int, side: int) -> list[str]:
    """Lines between the copies of the neurons that belong to different elements of the group."""
    n_out, n_in = network.layers[k][0].shape
    parts, last = [], len(network.layers) - 1
    for c in range(1, network.copies):
        if k < last:
            y = _HEAD + side * n_out * c / network.copies
            parts.append(line(left, y, left + side * n_in, y, "axis"))
        if k > 0:
            x = left + side * n_in * c / network.copies
            parts.append(line(x, _HEAD, x, _HEAD + side * n_out, "axis"))
    return parts
