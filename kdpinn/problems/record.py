"""Which derivatives a residual uses, found by running it once on recording jets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from kdpinn.jets import JetSpec
from kdpinn.problems.field_jet import FieldJet, Value, value_of
from kdpinn.problems.names import check_name
from kdpinn.problems.point_jet import PointJet


class Recorder:
    """Hands out random derivatives and remembers which were asked for."""

    def __init__(self, points: int) -> None:
        self.generator = torch.Generator().manual_seed(0)
        self.points = points
        self.used: set[tuple[int, ...]] = set()

    def __call__(self, indices: tuple[int, ...]) -> Tensor:
        """A derivative by one or two coordinates, (N,)."""
        self.used.add(indices)
        return self.value()

    def value(self) -> Tensor:
        """Values in [0.5, 1.5], where logarithms and roots exist, (N,)."""
        return 0.5 + torch.rand(self.points, dtype=torch.float64, generator=self.generator)

    def spec(self, d: int) -> JetSpec:
        """The derivatives asked for so far."""
        pairs = tuple(sorted((u[0], u[1]) for u in self.used if len(u) == 2))
        return JetSpec(d, max((len(u) for u in self.used), default=0), pairs)


def record(
    owner: str,
    residual: Callable[[PointJet], Value],
    default: str,
    *,
    fields: Sequence[str],
    coordinates: Mapping[str, Tensor],
    others: Mapping[str, Value],
) -> tuple[JetSpec, tuple[str, ...]]:
    """The jet that `residual` needs, and the names of its equations.

    Args:
        owner: named in messages.
        default: name of the equation where the residual returns a bare value.
        coordinates: name -> (N,) float64 tensors at a few points.
        others: parameters and data at these points.
    Raises:
        ValueError: the result is not one value per point, or a dict of such.
        AttributeError: an unknown name, or a derivative of order three.
    """
    points = len(next(iter(coordinates.values())))
    recorder = Recorder(points)
    names = tuple(coordinates)
    jets = {name: FieldJet(name, recorder.value(), names, recorder) for name in fields}
    values = equations(owner, residual(PointJet(jets, {**coordinates, **others})), default)
    for name, value in values.items():
        if not isinstance(value, Tensor) or value.shape != (points,):
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"{owner}: equation '{name}' must return one value per point, a tensor of shape "
                f"({points},) at {points} points, got {shape}."
            )
    return recorder.spec(len(coordinates)), tuple(values)


def equations(owner: str, result: Value, default: str) -> dict[str, Value]:
    """What a residual returned, as name -> bare value.

    Raises:
        ValueError: nothing was returned, or a name is no identifier.
    """
    named = result if isinstance(result, Mapping) else {default: result}
    if not named or any(value is None for value in named.values()):
        raise ValueError(
            f"{owner}: the residual returned {result!r}; return an expression in `j`, or a dict "
            "of name -> expression. Is a `return` missing?"
        )
    for name in named:
        check_name(owner, "equation", name)
    return {name: value_of(value) for name, value in named.items()}
