"""Maps of the symmetry error: a row of pictures per generator, a column per function."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn.metrics import Array
from kdpinn.report._curves import profile
from kdpinn.report._maps import Coloring, panel
from kdpinn.report._text import number
from kdpinn.structure.asymmetry import Asymmetry

ROUNDING = 1e-17
"""Lower end of the color scale: exact zeros have its color."""
LOOKS = {"teacher": "teacher", "student": "student", "plain": "scratch", "rebuilt": "pruned"}
"""Function -> class of the style sheet that colors its name."""
_SMALL = (280, 236)


def coloring(rows: Sequence[Asymmetry]) -> Coloring:
    """One scale for all maps of a page: from rounding to the largest error."""
    largest = max((_largest(v) for row in rows for v in row.values.values()), default=0.0)
    return Coloring("magma", ROUNDING, max(largest, 1e-12), log=True)


def panels(row: Asymmetry, scale: Coloring) -> list[str]:
    """A picture for each function, its name and largest error above."""
    axes, found = row.plane.axes, []
    for name, values in row.values.items():
        title = f"{name}: {number(_largest(values), 2)}"
        look = LOOKS.get(name, "reference")
        if len(axes) == 1:
            shown = np.maximum(values, ROUNDING)
            found.append(profile(axes[0], {look: shown}, title, log=True, size=_SMALL))
        else:
            turned = axes[0].name != "t" and axes[1].name == "t"  # time runs to the right
            across, up = (axes[1], axes[0]) if turned else axes
            picture = values.T if turned else values
            found.append(panel(picture, across, up, scale, title, look))
    return found


def _largest(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else 0.0
