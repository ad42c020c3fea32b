"""Where a condition holds, beside the faces of the box: the rim of a hole, or given points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

FloatArray: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, init=False)
class Disk:
    """A disk in the plane of two coordinates, `Disk(radius=0.05, x=0.2, y=0.2)`.

    As a hole of a `Box` it is cut out of the domain; in a condition's `on` it stands for its rim.
    In the other coordinates, such as time, it extends through the whole box.

    Args:
        radius: > 0, in the unit of both coordinates.
        center: name=position of exactly two coordinates.
    Raises:
        ValueError: another number of coordinates, or a number that is not finite.
    """

    names: tuple[str, str]
    center: tuple[float, float]
    radius: float

    def __init__(self, *, radius: float, **center: float) -> None:
        if len(center) != 2:
            raise ValueError(
                "`Disk` needs the positions of two coordinates, e.g. "
                f"`Disk(radius=0.1, x=0, y=0)`, got {tuple(center)}."
            )
        numbers = (*center.values(), radius)
        if not all(map(math.isfinite, numbers)) or radius <= 0:
            raise ValueError(f"`Disk` needs a finite center and a radius > 0, got {numbers}.")
        first, second = ((name, float(value)) for name, value in center.items())
        object.__setattr__(self, "names", (first[0], second[0]))
        object.__setattr__(self, "center", (first[1], second[1]))
        object.__setattr__(self, "radius", float(radius))

    @property
    def named_center(self) -> dict[str, float]:
        """Position of the center by coordinate."""
        return dict(zip(self.names, self.center, strict=True))

    def contains(self, columns: Mapping[str, FloatArray]) -> NDArray[np.bool_]:
        """Whether points, given as columns (n,) by name, lie strictly inside, (n,)."""
        across, up = (
            columns[name] - middle for name, middle in zip(self.names, self.center, strict=True)
        )
        # A point put on the rim misses the radius by a rounding.
        inside: NDArray[np.bool_] = np.hypot(across, up) < self.radius * (1 - 1e-12)
        return inside

    def rim(self, turns: FloatArray) -> dict[str, FloatArray]:
        """Points of the rim at angles 2 pi turns, (n,) per coordinate, counted from the first."""
        angle = 2 * np.pi * turns
        return {
            self.names[0]: self.center[0] + self.radius * np.cos(angle),
            self.names[1]: self.center[1] + self.radius * np.sin(angle),
        }

    def __str__(self) -> str:
        at = ", ".join(f"{n} = {c:g}" for n, c in zip(self.names, self.center, strict=True))
        return f"the rim of the disk of radius {self.radius:g} at {at}"


class Points:
    """Given points, e.g. of sensors: `Points(array)`, (n, d), columns in the order of the domain.

    Raises:
        ValueError: no finite array (n, d) with n >= 1.
    """

    __slots__ = ("x",)
    x: FloatArray

    def __init__(self, x: ArrayLike) -> None:
        array = np.array(x, dtype=np.float64, order="C")
        if array.ndim != 2 or not array.size or not np.all(np.isfinite(array)):
            raise ValueError(f"`Points` needs a finite array (n, d), got shape {array.shape}.")
        array.setflags(write=False)
        self.x = array

    def __len__(self) -> int:
        return len(self.x)

    def __str__(self) -> str:
        return f"{len(self)} given points"


Place: TypeAlias = Mapping[str, float] | Disk | Points
"""A face as fixed coordinates, the rim of a hole, or given points."""
