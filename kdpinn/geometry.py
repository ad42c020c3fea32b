"""The domain of a problem: a box of named coordinates, its faces, and holes in it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kdpinn.places import Disk, FloatArray

__all__ = ["Box", "FloatArray", "Ticks"]


# Along one coordinate: the number of evenly spaced points, or the positions themselves.
Ticks: TypeAlias = int | tuple[float, ...]


class Box:
    """A box of named coordinates, e.g. `Box(x=(-1, 1), t=(0, 1), units={"x": "m", "t": "s"})`.

    Immutable and hashable. The order of the keywords is the order of the network's inputs.

    Args:
        units: unit of each coordinate by name; "" (dimensionless) where not given.
        holes: disks cut out of the box, each inside it or across its faces.
        logarithmic: coordinates > 0 whose points are spread evenly over their logarithm.
        bounds: name=(lower, upper), finite, lower < upper.
    Raises:
        ValueError: no coordinate, bounds that are no interval or, of a logarithmic one, not
            positive, or a unit of an unknown coordinate.
    """

    __slots__ = ("_bounds", "_units", "holes", "logarithmic", "names")
    names: tuple[str, ...]
    holes: tuple[Disk, ...]
    logarithmic: tuple[str, ...]
    _bounds: tuple[tuple[float, float], ...]
    _units: tuple[str, ...]

    def __init__(
        self,
        *,
        units: Mapping[str, str] | None = None,
        holes: Sequence[Disk] = (),
        logarithmic: Sequence[str] = (),
        **bounds: tuple[float, float],
    ) -> None:
        if not bounds:
            raise ValueError("`Box` needs at least one coordinate, e.g. `Box(x=(-1, 1))`.")
        for name in units or {}:
            if name not in bounds:
                raise ValueError(
                    f"`Box` has a unit for '{name}', but its coordinates are {_listed(bounds)}."
                )
        for hole in holes:
            if not set(hole.names) <= set(bounds):
                raise ValueError(
                    f"`Box` has a hole in {_listed(hole.names)}, but its coordinates are "
                    f"{_listed(bounds)}."
                )
        object.__setattr__(self, "names", tuple(bounds))
        object.__setattr__(self, "holes", tuple(holes))
        object.__setattr__(self, "_bounds", tuple(_interval(k, v) for k, v in bounds.items()))
        object.__setattr__(self, "logarithmic", tuple(logarithmic))
        object.__setattr__(self, "_units", tuple((units or {}).get(name, "") for name in bounds))
        for name in logarithmic:
            if not self.bounds(name)[0] > 0:
                raise ValueError(
                    f"`Box`: '{name}' is spread over its logarithm and needs bounds > 0, "
                    f"got {self.bounds(name)}."
                )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"`Box` is immutable: make a new one instead of setting '{name}'.")

    def __reduce__(self) -> tuple[object, ...]:
        own = (self.names, self._bounds, self._units, self.holes, self.logarithmic)
        return _rebuild, own

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.__reduce__())

    def __repr__(self) -> str:
        bounds = [f"{k}=({a:g}, {b:g})" for k, (a, b) in zip(self.names, self._bounds, strict=True)]
        units = {k: u for k, u in zip(self.names, self._units, strict=True) if u}
        more = {"units": units, "holes": self.holes, "logarithmic": self.logarithmic}
        return f"Box({', '.join(bounds + [f'{k}={v}' for k, v in more.items() if v])})"

    @property
    def dim(self) -> int:
        """Number of coordinates d."""
        return len(self.names)

    @property
    def lower(self) -> FloatArray:
        """Lower bounds, (d,)."""
        return np.array([a for a, _ in self._bounds], dtype=np.float64)

    @property
    def upper(self) -> FloatArray:
        """Upper bounds, (d,)."""
        return np.array([b for _, b in self._bounds], dtype=np.float64)

    @property
    def shift(self) -> FloatArray:
        """Centre, (d,): z = (x - shift) * scale lies in [-1, 1]."""
        return 0.5 * (self.lower + self.upper)

    @property
    def scale(self) -> FloatArray:
        """Inverse half widths dz/dx, (d,): z = (x - shift) * scale lies in [-1, 1]."""
        return 2.0 / (self.upper - self.lower)

    @property
    def faces(self) -> tuple[dict[str, float], ...]:
        """The 2 d faces as fixed coordinates, e.g. ({"x": -1.0}, {"x": 1.0}, ...)."""
        return tuple({k: v} for k, ab in zip(self.names, self._bounds, strict=True) for v in ab)

    def index(self, name: str) -> int:
        """Column of the coordinate `name`; ValueError if there is none."""
        if name not in self.names:
            raise ValueError(f"No coordinate '{name}': the box has {_listed(self.names)}.")
        return self.names.index(name)

    def unit(self, name: str) -> str:
        """Unit of the coordinate `name`, "" if dimensionless."""
        return self._units[self.index(name)]

    def bounds(self, name: str) -> tuple[float, float]:
        """(lower, upper) of the coordinate `name`."""
        return self._bounds[self.index(name)]

    def from_unit(self, z: FloatArray) -> FloatArray:
        """Map points of [0, 1]^d, (n, d), into the box; 0 and 1 go to the exact bounds."""
        lower, upper = self.lower, self.upper
        x = lower + z * (upper - lower)
        for i in map(self.index, self.logarithmic):
            x[:, i] = lower[i] * (upper[i] / lower[i]) ** z[:, i]
        # A rounding at z = 1 may miss `upper`, at any other z leave the box.
        return np.where(z == 1.0, upper, np.minimum(x, upper))

    def to_unit(self, x: FloatArray) -> FloatArray:
        """Map points of the box, (n, d), into [0, 1]^d."""
        lower, upper = self.lower, self.upper
        z: FloatArray = (x - lower) / (upper - lower)
        for i in map(self.index, self.logarithmic):
            z[:, i] = np.log(x[:, i] / lower[i]) / np.log(upper[i] / lower[i])
        return z

    def contains(self, x: FloatArray) -> NDArray[np.bool_]:
        """Whether each point of x, (n, d), lies in the closed box and in no hole, (n,)."""
        inside: NDArray[np.bool_] = np.all((x >= self.lower) & (x <= self.upper), axis=1)
        for hole in self.holes:
            inside &= ~hole.contains(self.columns(x))
        return inside

    def columns(self, x: FloatArray) -> dict[str, FloatArray]:
        """Points (n, d) as a column (n,) per coordinate."""
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(
                f"Points in {self!r} have shape (n, {self.dim}), got {x.shape}: "
                f"the columns are {_listed(self.names)}."
            )
        return {name: x[:, i] for i, name in enumerate(self.names)}

    def grid(self, shape: Sequence[Ticks]) -> FloatArray:
        """All combinations of the positions on `axes`, (n, d); the last coordinate runs fastest."""
        lines = self.axes(shape)
        return np.stack([c.ravel() for c in np.meshgrid(*lines, indexing="ij")], axis=1)

    def axes(self, shape: Sequence[Ticks]) -> tuple[FloatArray, ...]:
        """Positions along each coordinate, (n_i,).

        Args:
            shape: per coordinate the number of points, >= 2, evenly spaced with both ends; or the
                positions themselves, ascending, at least two, inside the bounds.
        Raises:
            ValueError: naming the coordinate.
        """
        if len(shape) != self.dim:
            raise ValueError(
                f"A grid in {self!r} needs {self.dim} numbers of points, each >= 2, "
                f"got {tuple(shape)}."
            )
        return tuple(self._axis(name, ticks) for name, ticks in zip(self.names, shape, strict=True))

    def _axis(self, name: str, ticks: Ticks) -> FloatArray:
        lower, upper = self.bounds(name)
        if isinstance(ticks, int):
            if ticks < 2:
                raise ValueError(f"A grid needs at least 2 points along '{name}', got {ticks}.")
            return np.linspace(lower, upper, ticks)
        axis = np.array(ticks, dtype=np.float64)
        if len(axis) < 2 or not np.all(np.diff(axis) > 0) or axis[0] < lower or axis[-1] > upper:
            raise ValueError(
                f"A grid needs at least 2 ascending positions along '{name}' in "
                f"[{lower:g}, {upper:g}], got {ticks}."
            )
        return axis

    def check_hole(self, hole: Disk) -> Disk:
        """The hole itself; ValueError unless it is one of this box."""
        if hole not in self.holes:
            raise ValueError(
                f"{hole} is no border of {self!r}: name the disk under `holes` of the box too."
            )
        return hole

    def check_face(self, face: Mapping[str, float]) -> dict[str, float]:
        """The face as floats; any fixed value inside the closed box is allowed, not only an end.

        Args:
            face: fixed coordinates, {"x": -1.0}, or several for an edge or a corner.
        Raises:
            ValueError: no or an unknown coordinate, or a value outside the box.
        """
        if not face:
            raise ValueError('A face fixes at least one coordinate, e.g. {"x": -1.0}; got {}.')
        for name, value in face.items():
            lower, upper = self.bounds(name)
            if not lower <= value <= upper:
                raise ValueError(
                    f"The face {dict(face)} lies outside the box: '{name}' is in "
                    f"[{lower:g}, {upper:g}], got {value:g}."
                )
        return {name: float(value) for name, value in face.items()}


def _interval(name: str, bounds: tuple[float, float]) -> tuple[float, float]:
    try:
        lower, upper = (float(value) for value in bounds)
    except (TypeError, ValueError):
        raise ValueError(f"`Box`: '{name}' needs (lower, upper), got {bounds!r}.") from None
    if not (math.isfinite(lower) and math.isfinite(upper) and lower < upper):
        raise ValueError(f"`Box`: '{name}' needs finite lower < upper, got ({lower:g}, {upper:g}).")
    return lower, upper


def _listed(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(names)


def _rebuild(
    names: tuple[str, ...],
    bounds: tuple[tuple[float, float], ...],
    units: tuple[str, ...],
    holes: tuple[Disk, ...],
    logarithmic: tuple[str, ...],
) -> Box:
    return Box(
        units=dict(zip(names, units, strict=True)),
        holes=holes,
        logarithmic=logarithmic,
        **dict(zip(names, bounds, strict=True)),
    )
