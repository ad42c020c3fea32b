"""Curve pictures of the report: training, error against parameters, one-dimensional fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kdpinn.metrics import ROLES, Array, Axis, FrontierPoint, History
from kdpinn.report._svg import Scale, curve, frame, limits, line, marker, svg, text
from kdpinn.report._text import count, number

WIDTH, HEIGHT = SIZE = 480, 290
SHAPES = {"teacher": "square", "student": "circle", "pruned": "circle", "scratch": "diamond"}
NAMES = {
    "reference": "reference",
    "teacher": "teacher",
    "student": "student (distilled)",
    "pruned": "student (pruned)",
    "scratch": "same network from scratch",
}
_MOST_POINTS = 400


def legend(roles: Sequence[str]) -> str:
    """Line samples with the names of the roles, as HTML."""
    items = "".join(f'<li><i class="swatch {role}"></i>{NAMES[role]}</li>' for role in roles)
    return f'<ul class="legend">{items}</ul>'


def _scales(
    xs: Sequence[Array], ys: Sequence[Array], *, y_log: bool = True, size: tuple[int, int]
) -> tuple[Scale, Scale]:
    return (
        Scale(*limits(xs, log=False), 62 if size == SIZE else 46, size[0] - 14),
        Scale(*limits(ys, log=y_log), size[1] - 46, 34, log=y_log),
    )


def training(histories: Mapping[str, History], *, clock: str, quantity: str, label: str) -> str:
    """`quantity` ("rel_l2", "held_out", "loss") against `clock` ("iteration", "seconds")."""
    present = [role for role in ROLES if role in histories]
    thin = {role: _thinned(histories[role], clock, quantity) for role in present}
    x, y = _scales([t[0] for t in thin.values()], [t[1] for t in thin.values()], size=SIZE)
    parts = [frame(x, y, "iterations" if clock == "iteration" else "seconds", label)]
    for role in present:
        xs, ys = thin[role]
        parts.append(curve(xs, ys, x, y, f"curve {role}"))
        parts += [
            _stage(histories[role], row, name, clock, quantity, x, y, role)
            for row, name in histories[role].marks
            if row > 0
        ]
    return svg(WIDTH, HEIGHT, "".join(parts), f"{label} against {clock}")


def _thinned(history: History, clock: str, quantity: str) -> tuple[Array, Array]:
    xs, ys = np.asarray(getattr(history, clock)), np.asarray(getattr(history, quantity))
    keep = np.isfinite(ys)
    xs, ys = xs[keep], ys[keep]
    rows = np.unique(np.linspace(0, max(0, xs.size - 1), _MOST_POINTS).astype(int))
    return (xs[rows], ys[rows]) if xs.size else (xs, ys)


def _stage(
    history: History, row: int, name: str, clock: str, quantity: str, x: Scale, y: Scale, role: str
) -> str:
    """A tick mark on the curve where a stage begins, with its name on hover."""
    if row >= len(history.iteration):
        return ""
    at = float(getattr(history, clock)[row])
    height = float(getattr(history, quantity)[row])
    if not (np.isfinite(height) and height > 0):
        return ""
    title = f"{NAMES[role]}: {name} begins"
    return marker("circle", x(at), y(height), f"stage {role}", title, r=3.5)


def frontier(points: Sequence[FrontierPoint], y_label: str) -> str:
    """RMSE against parameters, both logarithmic; the distilled students are joined."""
    sizes = [np.array([p.parameters], dtype=np.float64) for p in points]
    errors = [np.array([p.rmse]) for p in points]
    low, high = limits(sizes, log=True)
    x = Scale(low / 1.25, high * 1.25, 62, WIDTH - 14, log=True)
    low, high = limits(errors, log=True)
    y = Scale(low / 1.6, high * 1.6, HEIGHT - 46, 34, log=True)
    parts = [frame(x, y, "trainable parameters", y_label)]
    for kind in ("scratch", "pruned", "student"):
        chosen = sorted((p for p in points if p.kind == kind), key=lambda p: p.parameters)
        xs = np.array([float(p.parameters) for p in chosen])
        ys = np.array([p.rmse for p in chosen])
        parts.append(curve(xs, ys, x, y, f"curve thin {kind}"))
    for p in points:
        cx, cy = x(p.parameters), y(p.rmse)
        title = f"{p.label}: {p.parameters} parameters, RMSE {number(p.rmse)}"
        parts.append(marker(SHAPES.get(p.kind, "circle"), cx, cy, f"dot {p.kind}", title))
        below = p.kind == "student"  # a scratch network of the same size usually lies above it
        parts.append(text(cx, cy + (21 if below else -11), count(p.parameters), cls="tick"))
    return svg(WIDTH, HEIGHT, "".join(parts), "error against parameters")


def profile(
    axis: Axis,
    curves: Mapping[str, Array],
    label: str,
    *,
    log: bool,
    size: tuple[int, int] = SIZE,
) -> str:
    """Curves over one coordinate, in the roles' colors; the reference below the others."""
    ys = [np.asarray(v) for v in curves.values()]
    x, y = _scales([axis.positions], ys, y_log=log, size=size)
    unit = f" [{axis.unit}]" if axis.unit else ""
    parts = [frame(x, y, axis.name + unit, label)]
    if not log and y.low < 0 < y.high:
        parts.append(line(x.start, y(0), x.end, y(0), "axis"))
    parts += [curve(axis.positions, v, x, y, f"curve {role}") for role, v in curves.items()]
    return svg(*size, "".join(parts), label)
