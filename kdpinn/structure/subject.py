"""What is searched for symmetries: a function on a box, sampled and made dimensionless."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kdpinn.geometry import Box
from kdpinn.structure.fits import Array, Samples
from kdpinn.structure.group import InputMap

POINTS_PER_AXIS = {1: 129, 2: 25, 3: 11, 4: 7}
"""Of the grid that students learn from: about a thousand points. A grid, as it is symmetric itself:
scattered points would break every symmetry of the students' objective a little."""

CONSTANT = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """A function from points of a box to fields.

    Attributes:
        domain: d named coordinates, holes too.
        fields: names of the m fields.
        values: physical points (N, d) -> fields (N, m), float64.
        error: (m,), relative L2 error of each field against the truth; None if unknown.
        ticks: coordinate -> its only values, ascending, where the function knows no others; such
            a coordinate is a parameter, and no map moves it.
    Raises:
        ValueError: more than four coordinates.
    """

    domain: Box
    fields: tuple[str, ...]
    values: Callable[[Array], Array]
    error: Array | None = None
    ticks: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.domain.dim not in POINTS_PER_AXIS:
            raise ValueError(
                f"Structure is searched for in up to {max(POINTS_PER_AXIS)} coordinates, the "
                f"domain has {self.domain.dim}: {', '.join(self.domain.names)}."
            )

    @property
    def fixed(self) -> tuple[int, ...]:
        """Coordinates that no map may move."""
        return tuple(self.domain.index(name) for name in self.ticks)

    def physical(self, z: Array) -> Array:
        """Points (N, d) of [-1, 1]^d in physical coordinates."""
        return self.domain.shift + z / self.domain.scale

    def inside(self, z: Array) -> NDArray[np.bool_]:
        """Whether points (N, d) of [-1, 1]^d belong to the domain, (N,) bool."""
        x = np.clip(self.physical(z), self.domain.lower, self.domain.upper)
        return np.asarray(self.domain.contains(x))

    def unit_values(self, z: Array) -> Array:
        """Fields (N, m) at z (N, d), in physical units."""
        x = np.clip(self.physical(z), self.domain.lower, self.domain.upper)
        return self.values(x)

    def grid(self) -> Array:
        """Points (N, d) of [-1, 1]^d that lie in the domain, evenly spaced with both ends."""
        count = POINTS_PER_AXIS[self.domain.dim]
        axes = []
        for i, name in enumerate(self.domain.names):
            if name in self.ticks:
                ticks = np.array(self.ticks[name])
                axes.append((ticks - self.domain.shift[i]) * self.domain.scale[i])
            else:
                axes.append(np.linspace(-1, 1, count))
        z = np.stack([c.ravel() for c in np.meshgrid(*axes, indexing="ij")], axis=1)
        return np.ascontiguousarray(z[self.inside(z)])

    def to_physical(self, g: InputMap) -> InputMap:
        """A map of the unit cube as one of the physical coordinates."""
        scale, shift = self.domain.scale, self.domain.shift
        matrix = g.matrix * scale / scale[:, None]
        offset = shift + g.offset / scale - matrix @ shift
        # A mirror about the middle of [0, 0.41] reads "0.41 - y", not "0.41000000000000003 - y".
        return InputMap(_tidy(matrix), _tidy(offset), g.characters)


@dataclass(frozen=True, eq=False)
class Sampled:
    """A subject on its grid.

    Attributes:
        samples: of the students: points of [-1, 1]^d, fields less their mean over their spread.
        values: (N, m), the fields themselves.
        spread: (m,), standard deviations; 1 for a constant field.
        size: (m,), root mean squares over standard deviations.
    """

    samples: Samples
    values: Array
    spread: Array
    size: Array


def sampled(subject: Subject) -> Sampled:
    """The subject on its grid.

    Each field is measured in its standard deviation: against its root mean square, 300 K and a
    gradient of 1 K would look like a constant with a small error.

    Raises:
        ValueError: values that are not finite, or all fields constant.
    """
    z = subject.grid()
    values = subject.unit_values(z)
    if values.shape != (len(z), len(subject.fields)) or not np.isfinite(values).all():
        raise ValueError(
            f"The teacher must give finite values ({len(z)}, {len(subject.fields)}) on the domain "
            f"{subject.domain!r}, got shape {values.shape}: mend it, or make the domain smaller."
        )
    deviation, rms = values.std(0), np.sqrt((values**2).mean(0))
    constant = deviation <= CONSTANT * np.maximum(rms, 1e-300)
    if constant.all():
        raise ValueError(
            f"{', '.join(subject.fields)}: constant over the domain (standard deviation "
            f"{deviation.max():.1g} on {len(z)} points). A constant has every symmetry and shows "
            "no structure: check the teacher and the domain."
        )
    spread = np.where(constant, 1.0, deviation)
    centered = (values - values.mean(0)) / spread
    return Sampled(Samples(z, centered), values, spread, rms / spread)


def _tidy(array: Array) -> Array:
    """Without the rounding of the change of coordinates: to 12 digits of the largest entry."""
    largest = float(np.abs(array).max())
    if largest == 0:
        return array
    digits = 12 - int(np.ceil(np.log10(largest)))
    return np.asarray(np.round(array, digits) + 0.0)
