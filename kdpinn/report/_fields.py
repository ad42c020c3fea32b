"""The section of fields and errors for a problem of any number of coordinates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from kdpinn.metrics import ROLES, Array, Axis, RunResult
from kdpinn.report._curves import legend, profile
from kdpinn.report._maps import Coloring, colorbar, error_coloring, field_coloring, panel
from kdpinn.report._text import esc, plain, scientific

_SMALL = (280, 236)
_SHORT = {
    "reference": "reference",
    "teacher": "teacher",
    "student": "student",
    "pruned": "pruned",
    "scratch": "scratch",
}


@dataclass(frozen=True)
class _Cut:
    """One field on one cut of the grid: values and errors (or PDE residuals) by role."""

    name: str
    axes: tuple[Axis, ...]
    values: dict[str, Array]
    errors: dict[str, Array]

    @property
    def error_label(self) -> str:
        return f"|{self.name} − reference|" if "reference" in self.values else "|PDE residual|"


def fields(result: RunResult) -> str:
    """Curves for one coordinate, maps for two, maps at three positions for more."""
    blocks = []
    for index, (name, unit) in enumerate(result.problem.fields):
        full = _full(result, index)
        colorings = _colorings(full)
        for where, axes, cut in _slices(result):
            if len(result.problem.fields) > 1 or where:
                title = f"{name} [{unit}]" if unit else name
                blocks.append(f"<h3>{esc(title)}{esc(where)}</h3>")
            here = _Cut(name, axes, *({r: v[cut] for r, v in part.items()} for part in full))
            blocks.append(_curves(here) if len(axes) == 1 else _maps(here, colorings))
    return "".join(blocks)


def worst(result: RunResult) -> str:
    """Where each model is furthest from the reference, as a table."""
    reference = result.values.get("reference")
    if reference is None:
        return ""
    points = np.stack(
        np.meshgrid(*(a.positions for a in result.axes), indexing="ij"), axis=-1
    ).reshape(-1, len(result.axes))
    names = ", ".join(a.name for a in result.axes)
    rows = []
    for role in (r for r in ROLES if r in result.values):
        error = np.abs(result.values[role] - reference).max(axis=1)
        known = error[np.isfinite(error)]  # not in holes, nor beyond scattered points
        if known.size == 0:
            continue
        at = int(np.nanargmax(error))
        place = ", ".join(plain(float(v)) for v in points[at])
        rows.append(
            f'<tr><th class="{role}">{_SHORT[role]}</th>'
            f"<td>{scientific(float(np.median(known)))}</td>"
            f"<td>{scientific(float(np.quantile(known, 0.99)))}</td>"
            f"<td>{scientific(float(error[at]))}</td><td>({place})</td></tr>"
        )
    return (
        '<div class="scroll"><table><thead><tr><th>|error| on the grid</th><th>median</th>'
        f"<th>99 % below</th><th>largest</th><th>at ({esc(names)})</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _rms(values: Array) -> Array:
    """(n, m) -> (n,): over the finite values of each row; NaN where there are none."""
    known = np.isfinite(values)
    squares = np.where(known, values, 0.0) ** 2
    nowhere = np.full(len(values), np.nan)
    mean: Array = np.divide(squares.sum(1), known.sum(1), out=nowhere, where=known.any(1))
    return np.sqrt(mean)


def _slices(result: RunResult) -> Iterator[tuple[str, tuple[Axis, ...], tuple[int | slice, ...]]]:
    """The cuts to draw: all of a grid of one or two axes, three positions of the last for more.

    Axes between the second and the last are cut in their middle.
    """
    axes = result.axes
    if len(axes) <= 2:
        yield "", axes, (slice(None),) * len(axes)
        return
    last = axes[-1].positions.size - 1
    middle = {i: axes[i].positions.size // 2 for i in range(2, len(axes) - 1)}
    for k in dict.fromkeys((0, last // 2, last)):
        fixed = {**middle, len(axes) - 1: k}
        where = ", ".join(
            f"{axes[i].name} = {plain(float(axes[i].positions[j]))}" for i, j in fixed.items()
        )
        yield f" at {where}", axes[:2], (slice(None), slice(None), *fixed.values())


def _full(result: RunResult, index: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Values of one field by role; and the errors, or the PDE residuals without a reference."""
    shape = tuple(axis.positions.size for axis in result.axes)
    order = [role for role in ("reference", *ROLES) if role in result.values]
    values = {role: result.values[role][:, index].reshape(shape) for role in order}
    if "reference" in values:
        exact = values["reference"]
        return values, {r: np.abs(v - exact) for r, v in values.items() if r != "reference"}
    kept = [role for role in ROLES if role in result.residuals]
    return values, {r: np.abs(result.residuals[r]).reshape(shape) for r in kept}


def _colorings(full: tuple[dict[str, Array], dict[str, Array]]) -> tuple[Coloring, Coloring]:
    """One scale for all maps of the field and one for all of its errors, over every cut."""
    values, errors = (
        np.concatenate([np.zeros(0), *(v.ravel() for v in part.values())]) for part in full
    )
    return field_coloring(values), error_coloring(errors)


def _curves(cut: _Cut) -> str:
    pictures = profile(cut.axes[0], cut.values, cut.name, log=False)
    if cut.errors:
        pictures += profile(cut.axes[0], cut.errors, cut.error_label, log=True)
    return f'{legend(list(cut.values))}<div class="pair">{pictures}</div>'


def _maps(cut: _Cut, colorings: tuple[Coloring, Coloring]) -> str:
    turned = cut.axes[0].name != "t" and cut.axes[1].name == "t"  # time runs to the right
    across, up = (cut.axes[1], cut.axes[0]) if turned else cut.axes

    def row(grids: dict[str, Array], coloring: Coloring, label: str, prefix: str) -> str:
        maps = [
            panel(v.T if turned else v, across, up, coloring, prefix + _SHORT[role], role)
            for role, v in grids.items()
        ]
        if prefix:
            kind = prefix.split()[0]
            over = {r: _rms(v.T if turned else v) for r, v in grids.items()}
            title = f"RMS {kind} over {across.name}"
            maps.insert(0, profile(across, over, title, log=True, size=_SMALL))
        return (
            f'<figure>{colorbar(coloring, label)}<div class="maps">{"".join(maps)}</div></figure>'
        )

    pictures = row(cut.values, colorings[0], cut.name, "")
    if cut.errors:
        prefix = "error of " if "reference" in cut.values else "residual of "
        pictures += row(cut.errors, colorings[1], f"{cut.error_label}, logarithmic", prefix)
    return pictures
