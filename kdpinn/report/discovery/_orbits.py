"""How the generators permute neurons: arcs between them, and the lines of the first layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.report._svg import Scale, line, svg, text
from kdpinn.report.discovery._colors import color
from kdpinn.structure.alignment import SignedPermutation
from kdpinn.structure.fits import Array
from kdpinn.structure.portrait import Portrait

_STEP, _APART, _HEAD, _COLUMN = 24, 12, 32, 168
_SQUARE = 268
_FARTHEST = 5.0
"""Half widths of the box up to which lines are looked for."""
HUES = ("hue1", "hue3", "hue6", "hue4")
"""Classes of the style sheet for the generators; a group of order 16 has four at most."""


def arcs(network: Portrait) -> list[str]:
    """A drawing per hidden layer: neurons as dots in the color of their orbit, arcs for images.

    Each generator has its color and side; dashed arcs change the sign, a small ring is a neuron
    that a generator takes to itself, dashed to its own negative.
    """
    return [_layer(network, k) for k in range(len(network.layers) - 1)]


def legend(words: Sequence[str]) -> str:
    """The generators, each beside a stroke of its color, below each other."""
    parts = []
    for k, generator in enumerate(words):
        y = 14 + 20 * k
        parts.append(line(0, y - 4, 24, y - 4, f"image {HUES[k % len(HUES)]}"))
        parts.append(text(32, y, generator, anchor="start"))
    return svg(420, 20 * len(words) + 4, "".join(parts), "generators")


def _layer(network: Portrait, k: int) -> str:
    orbits = network.orbits(k)
    order = np.argsort(orbits, kind="stable")
    y, at = {}, float(_HEAD)
    for place, neuron in enumerate(order):
        changed = place > 0 and orbits[neuron] != orbits[order[place - 1]]
        at += (_STEP if place else 0) + (_APART if changed else 0)
        y[int(neuron)] = at
    x = _COLUMN / 2
    count = int(orbits.max()) + 1
    words = f"layer {k + 1}: {count} orbit{'s' if count != 1 else ''}"
    parts = [text(x, 14, words, cls="maptitle")]
    for number, action in enumerate(network.actions):
        parts += _images(action[k], number, x, y)
    for neuron, height in y.items():
        parts.append(
            f'<circle cx="{x:.1f}" cy="{height:.1f}" r="8" fill="{color(int(orbits[neuron]))}"'
            f' data-orbit="{orbits[neuron]}"><title>neuron {neuron}</title></circle>'
        )
        parts.append(text(x, height + 3.5, str(neuron), cls="inside"))
    return svg(_COLUMN, round(at + 18), "".join(parts), words)


def _images(action: SignedPermutation, number: int, x: float, y: dict[int, float]) -> list[str]:
    side = -1 if number % 2 == 0 else 1
    reach = 1 + number // 2
    parts = []
    for i, (j, sign) in enumerate(zip(action.source.tolist(), action.sign.tolist(), strict=True)):
        cls = f"image {HUES[number % len(HUES)]}" + (" minus" if sign < 0 else "")
        if i == j:
            cx = x + side * (17 + 12 * (reach - 1))
            parts.append(f'<circle cx="{cx:.1f}" cy="{y[i]:.1f}" r="4.5" class="{cls}"/>')
        elif i < j or action.source[j] != i:  # a swap is one arc
            bulge = x + side * min(22 + 12 * reach + 0.34 * abs(y[i] - y[j]), 2 * x - 26)
            parts.append(
                f'<path d="M{x:.1f},{y[i]:.1f}Q{bulge:.1f},{(y[i] + y[j]) / 2:.1f}'
                f' {x:.1f},{y[j]:.1f}" class="{cls}"/>'
            )
    return parts


def hyperplanes(network: Portrait, names: Sequence[str], bounds: Array) -> str:
    """Where each neuron of the first layer is zero, w . z + b = 0, by orbit, and the domain's box.

    Args:
        names: of the two coordinates; bounds: (2, 2), lower and upper of each.
    Returns:
        "" unless the network's inputs are two coordinates.
    """
    weight, bias = network.layers[0]
    if weight.shape[1] != 2 or not network.on_coordinates:
        return ""
    zoom = _zoom(weight, bias)
    middle, half = bounds.mean(1), zoom * np.diff(bounds)[:, 0] / 2
    x = Scale(float(middle[0] - half[0]), float(middle[0] + half[0]), 40, _SQUARE + 40)
    y = Scale(float(middle[1] - half[1]), float(middle[1] + half[1]), _SQUARE + 26, 26)
    side = _SQUARE / zoom
    parts = [
        text(40, 14, network.name, anchor="start", cls="maptitle"),
        f'<rect x="40" y="26" width="{_SQUARE}" height="{_SQUARE}" class="around"/>',
        f'<rect x="{40 + (_SQUARE - side) / 2:.1f}" y="{26 + (_SQUARE - side) / 2:.1f}"'
        f' width="{side:.1f}" height="{side:.1f}" class="domain"/>',
    ]
    for neuron, orbit in enumerate(network.orbits(0)):
        ends = _clipped(zoom * weight[neuron], float(bias[neuron]))
        if ends is None:
            continue
        (x1, y1), (x2, y2) = middle + half * ends
        parts.append(
            f'<line x1="{x(x1):.1f}" y1="{y(y1):.1f}" x2="{x(x2):.1f}" y2="{y(y2):.1f}"'
            f' class="hyperplane" color="{color(int(orbit))}" data-orbit="{orbit}">'
            f"<title>neuron {neuron}</title></line>"
        )
    for value, label in x.ticks(4):
        parts.append(line(x(value), y.start, x(value), y.start + 4, "axis"))
        parts.append(text(x(value), y.start + 17, label))
    for value, label in y.ticks(4):
        parts.append(line(36, y(value), 40, y(value), "axis"))
        parts.append(text(33, y(value) + 4, label, anchor="end"))
    parts.append(text(40 + _SQUARE / 2, _SQUARE + 59, names[0], cls="label"))
    parts.append(text(4, 30, names[1], anchor="start", cls="label"))
    return svg(_SQUARE + 46, _SQUARE + 66, "".join(parts), f"first layer, {network.name}")


def _zoom(weight: Array, bias: Array) -> float:
    """Half width of the square to be seen, in half widths of the box: all lines, within reason."""
    distance = np.abs(bias) / np.maximum(np.linalg.norm(weight, axis=1), 1e-300)
    return float(np.clip(1.15 * distance.max(), 1.15, _FARTHEST))


def _clipped(w: Array, b: float) -> Array | None:
    """Both ends (2, 2) of the line w . z + b = 0 in [-1, 1]^2; None if it does not cross it."""
    ends = []
    for fixed, other in ((0, 1), (1, 0)):
        if abs(w[other]) < 1e-12 * np.abs(w).max():
            continue
        for edge in (-1.0, 1.0):
            value = -(w[fixed] * edge + b) / w[other]
            if abs(value) <= 1:
                ends.append([edge, value] if fixed == 0 else [value, edge])
    if len(ends) < 2:
        return None
    points = np.array(ends)
    far = np.abs(points - points[0]).sum(1).argmax()
    return np.asarray(points[[0, far]])
