r"""Conditions as constraints: an augmented Lagrangian with a multiplier per condition point.

For constraints c(\theta) = 0 with weight w, the augmented Lagrangian
\lambda \cdot c + (w / 2) |c|^2 equals (w / 2) |c + s|^2 but for a constant, with the shift
s = \lambda / w: it stays a sum of squares, as least-squares methods need it. At each draw of points

    s \leftarrow s + c(\theta)

(the multiplier step \lambda \leftarrow \lambda + w c), and s stays until the next: the objective
holds still in between. The conditions then hold ever better without a growing weight.

Sources: Hestenes, J. Optim. Theory Appl. 4 (1969) 303-320, DOI 10.1007/BF00927673; for networks,
Son, Cho & Hwang, Neurocomputing 548 (2023) 126424, DOI 10.1016/j.neucom.2023.126424.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.losses import Residual, Term
from kdpinn.stages import Stage


class Multipliers:
    """The shifts s of all condition points, in the conditions' order; a training's memory.

    Attributes:
        values: (1 + rows,): which conditions the shifts belong to, as a number, and the shifts;
            (0,) before the first draw.

    Args:
        conditions: the condition terms of a stage, always on the same points.
    """

    def __init__(self, conditions: Callable[[Stage], Sequence[Term]]) -> None:
        self.values = torch.zeros(0, dtype=torch.float64)
        self._conditions = conditions

    def renew(self, field: Field, stage: Stage) -> None:
        """Take the multiplier step at the field; other conditions than before start at zero."""
        misfits = [_residual(field, term).reshape(-1) for term in self._conditions(stage)]
        misfit = torch.cat(misfits) if misfits else torch.zeros(0, dtype=torch.float64)
        key = torch.tensor([_key(stage)], dtype=torch.float64)
        known = len(self.values) == len(misfit) + 1 and self.values[0] == key[0]
        shift = self.values[1:] + misfit if known else torch.zeros_like(misfit)
        self.values = torch.cat([key, shift])

    def shifted(self, field: Field, terms: Sequence[Term]) -> list[Term]:
        """The condition terms with c + s for c."""
        rows = [_residual(field, term).shape for term in terms]
        parts = torch.split(self.values[1:], [shape.numel() for shape in rows])
        return [_shifted(t, s.view(shape)) for t, s, shape in zip(terms, parts, rows, strict=True)]


def _shifted(term: Term, shift: Tensor) -> Term:
    part = term.part

    def some(rows: Tensor) -> Residual:
        assert part is not None
        residual = part(rows)
        return lambda channels, unknown: residual(channels, unknown) + shift[rows]

    residual = term.residual
    return replace(
        term,
        residual=lambda channels, unknown: residual(channels, unknown) + shift,
        part=None if part is None else some,
        polynomial=term.polynomial and term.polynomial.minus(-shift.view(len(shift), -1)),
    )


def _residual(field: Field, term: Term) -> Tensor:
    """Unweighted residuals (N,) or (N, equations)."""
    with torch.no_grad():
        return term.residual(field.jets(term.points, term.spec), field.split(field.theta)[1])


def _key(stage: Stage) -> float:
    """A number that differs where a stage's conditions do."""
    text = f"{stage.horizon} {sorted(stage.parameters.items())}"
    return float(zlib.crc32(text.encode()))
