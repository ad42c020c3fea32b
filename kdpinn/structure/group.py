"""Symmetries of a field: affine maps of its inputs with the signs they give its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kdpinn.geometry import Box, FloatArray
from kdpinn.places import Disk

MAX_ORDER = 16
"""Elements of the largest group."""

TOLERANCE = 1e-9
"""Maps are the same if no entry of matrix or offset differs by more, relative to the largest."""


@dataclass(frozen=True, eq=False)
class InputMap:
    """g: x -> matrix x + offset on physical coordinates, with u(g x) = characters * u(x).

    Attributes:
        matrix: (d, d), float64; offset: (d,), float64.
        characters: (m,), +1.0 or -1.0: whether an output changes its sign.
    Raises:
        ValueError: shapes that do not fit, numbers that are not finite, a character that is no
            sign, or a matrix that has no inverse.
    """

    matrix: FloatArray
    offset: FloatArray
    characters: FloatArray

    def __post_init__(self) -> None:
        for name in ("matrix", "offset", "characters"):
            value = np.array(getattr(self, name), dtype=np.float64)
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        d = self.offset.shape[0] if self.offset.ndim == 1 else -1
        if self.matrix.shape != (d, d) or self.characters.ndim != 1 or d < 1:
            raise ValueError(
                "`InputMap` needs a matrix (d, d), an offset (d,) and characters (m,), got "
                f"{self.matrix.shape}, {self.offset.shape} and {self.characters.shape}."
            )
        if not (np.isfinite(self.matrix).all() and np.isfinite(self.offset).all()):
            raise ValueError("`InputMap` needs finite numbers in matrix and offset.")
        if not np.isin(self.characters, (-1.0, 1.0)).all():
            raise ValueError(f"`InputMap.characters` are +1 or -1, got {self.characters.tolist()}.")
        if np.linalg.matrix_rank(self.matrix) < d:
            raise ValueError(f"`InputMap.matrix` has no inverse: {self.matrix.tolist()}.")

    @classmethod
    def identity(cls, d: int, m: int) -> InputMap:
        """The map that leaves d inputs and m outputs as they are."""
        return cls(np.eye(d), np.zeros(d), np.ones(m))

    @classmethod
    def about(
        cls, center: FloatArray, matrix: FloatArray, characters: Sequence[float] | FloatArray
    ) -> InputMap:
        """The map that turns or mirrors about `center` (d,): x -> center + matrix (x - center)."""
        return cls(matrix, center - matrix @ center, np.asarray(characters, np.float64))

    def __call__(self, x: FloatArray) -> FloatArray:
        """Images (N, d) of points x (N, d)."""
        return np.asarray(x @ self.matrix.T + self.offset)

    def after(self, other: InputMap) -> InputMap:
        """The map that applies `other` first and then this one."""
        return InputMap(
            self.matrix @ other.matrix,
            self.matrix @ other.offset + self.offset,
            self.characters * other.characters,
        )

    def inverse(self) -> InputMap:
        """The map that undoes this one."""
        back = np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
        return InputMap(back, -back @ self.offset, self.characters)

    def moves_like(self, other: InputMap) -> bool:
        """Whether both move every point alike, whatever the characters."""
        ours = np.column_stack([self.matrix, self.offset])
        theirs = np.column_stack([other.matrix, other.offset])
        if ours.shape != theirs.shape:
            return False
        size = max(1.0, float(np.abs(ours).max()))
        return bool(np.abs(ours - theirs).max() <= TOLERANCE * size)

    def same(self, other: InputMap) -> bool:
        """Whether both move every point alike and have the same characters."""
        return self.moves_like(other) and bool(np.array_equal(self.characters, other.characters))

    @property
    def is_identity(self) -> bool:
        """Whether it moves nothing and changes no sign."""
        return self.same(InputMap.identity(len(self.offset), len(self.characters)))

    @property
    def order(self) -> int:
        """How often it is applied until everything, the signs too, is as before.

        Raises:
            ValueError: more than `MAX_ORDER` times.
        """
        power = self
        for count in range(1, MAX_ORDER + 1):
            if power.is_identity:
                return count
            power = self.after(power)
        raise ValueError(
            f"The map {self.describe()} does not come back to the identity within {MAX_ORDER} "
            "applications: it generates no group that is supported."
        )

    def describe(self, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> str:
        """In words: "x -> -x, u -> -u"; inputs that stay are left out, names may be left out."""
        if self.is_identity:
            return "identity"
        names = list(inputs) or [f"x{i}" for i in range(len(self.offset))]
        fields = list(outputs) or [f"u{j}" for j in range(len(self.characters))]
        identity = np.eye(len(names))
        parts = [
            f"{name} -> {_sum(row, offset, names)}"
            for i, (name, row, offset) in enumerate(
                zip(names, self.matrix, self.offset, strict=True)
            )
            if not (np.array_equal(row, identity[i]) and offset == 0)
        ]
        for name, sign in zip(fields, self.characters, strict=True):
            parts.append(f"{name} -> {'-' if sign < 0 else ''}{name}")
        return ", ".join(parts)

    def preserves(self, domain: Box) -> str | None:
        """Why the map does not take the domain onto itself; None if it does.

        It must take the box onto itself, which signed permutations about its center do, and every
        hole onto a hole.
        """
        if len(self.offset) != domain.dim:
            return f"it moves {len(self.offset)} inputs, the domain has {domain.dim}"
        # On z = (x - shift) * scale the box is [-1, 1]^d.
        matrix = domain.scale[:, None] * self.matrix / domain.scale
        if np.abs(np.abs(matrix) - np.round(np.abs(matrix))).max() > 1e-6 or not np.array_equal(
            np.abs(np.round(matrix)).sum(0), np.ones(domain.dim)
        ):
            return f"it takes {domain!r} to a box of another shape or direction"
        moved = (self(domain.shift[None])[0] - domain.shift) * domain.scale
        if np.abs(moved).max() > 1e-6:
            worst = int(np.abs(moved).argmax())
            center = self(domain.shift[None])[0, worst]
            return (
                f"it takes the center of the domain, {domain.names[worst]} = "
                f"{domain.shift[worst]:g}, to {center:g}"
            )
        for hole in domain.holes:
            if not any(self._takes(hole, other, domain.names) for other in domain.holes):
                return f"it takes the hole with {hole} to where no hole is"
        return None

    def _takes(self, hole: Disk, other: Disk, names: Sequence[str]) -> bool:
        """Whether the image of one disk is the other; the box is known to be preserved."""
        plane, target = ([names.index(n) for n in disk.names] for disk in (hole, other))
        if not np.any(np.abs(self.matrix[np.ix_(target, plane)]) > TOLERANCE, axis=1).all():
            return False
        # Rims rather than centers: a map that stretches would make an ellipse of the disk.
        points = np.zeros((16, len(names)))
        for name, column in hole.rim(np.arange(16) / 16).items():
            points[:, names.index(name)] = column
        image = self(points)[:, target]
        distance = np.hypot(*(image - other.center).T)
        return bool(np.abs(distance - other.radius).max() <= 1e-6 * other.radius)


@dataclass(frozen=True, eq=False)
class Group:
    """All products of some maps: closed, the identity first.

    Made by `generated_by`. Elements have different maps: two with one map and different
    characters would make an output its own negative.

    Attributes:
        elements: the maps, at most `MAX_ORDER`.
        generators: the independent ones of those that were given.
    """

    elements: tuple[InputMap, ...]
    generators: tuple[InputMap, ...]

    @classmethod
    def generated_by(cls, generators: Sequence[InputMap]) -> Group:
        """The closure of the maps; one that follows from those before it is no generator of it.

        Raises:
            ValueError: no map, maps of different sizes, two elements that share a map and differ
                in characters, or more than `MAX_ORDER` elements.
        """
        if not generators:
            raise ValueError("`Group.generated_by` needs at least one map.")
        first = generators[0]
        d, m = len(first.offset), len(first.characters)
        for other in generators:
            if (len(other.offset), len(other.characters)) != (d, m):
                raise ValueError(
                    f"The generators of a group have the same inputs and outputs, got {d} and {m} "
                    f"beside {len(other.offset)} and {len(other.characters)}."
                )
        elements, kept = [InputMap.identity(d, m)], []
        for generator in generators:
            if _position(elements, generator) is None:
                kept.append(generator)
                elements = _extended(elements, kept)
        return cls(tuple(elements), tuple(kept))

    @property
    def order(self) -> int:
        """Number of elements."""
        return len(self.elements)

    @cached_property
    def table(self) -> NDArray[np.int64]:
        """(order, order): elements[table[a, b]] = elements[a].after(elements[b])."""
        found = [
            [_position(self.elements, a.after(b)) for b in self.elements] for a in self.elements
        ]
        return np.array(found, dtype=np.int64)

    @cached_property
    def inverses(self) -> NDArray[np.int64]:
        """(order,): position of each element's inverse."""
        return np.asarray(self.table.argmin(axis=1))

    @property
    def center(self) -> FloatArray:
        """(d,), a point that no element moves: the mean of the images of the origin."""
        return np.asarray(np.mean([g.offset for g in self.elements], axis=0))

    def preserves(self, domain: Box) -> str | None:
        """Why the group does not take the domain onto itself, naming the map; None if it does."""
        for generator in self.generators:
            reason = generator.preserves(domain)
            if reason is not None:
                names = domain.names if domain.dim == len(generator.offset) else ()
                return f"{generator.describe(names)}: {reason}"
        return None

    def describe(self, inputs: Sequence[str] = (), outputs: Sequence[str] = ()) -> str:
        """The elements, in words, separated by semicolons."""
        return "; ".join(g.describe(inputs, outputs) for g in self.elements)


def _extended(subgroup: Sequence[InputMap], generators: Sequence[InputMap]) -> list[InputMap]:
    """The subgroup of all generators but the last, extended by the last, coset by coset.

    Dimino's algorithm; of generators that commute and undo themselves, bit b of an element's
    position then says whether generator b is in it.
    """
    elements, found = list(subgroup), [generators[-1]]
    for first in found:  # grows while it is walked
        if _position(elements, first) is not None:
            continue
        if len(elements) + len(subgroup) > MAX_ORDER:
            names = "; ".join(g.describe() for g in generators)
            raise ValueError(f"The group of {names} has more than {MAX_ORDER} elements.")
        elements += [first.after(element) for element in subgroup]
        found += [generator.after(first) for generator in generators]
    return elements


def _position(elements: Sequence[InputMap], wanted: InputMap) -> int | None:
    """Where the map stands among the elements; ValueError where one has other characters."""
    for position, element in enumerate(elements):
        if element.moves_like(wanted):
            if not np.array_equal(element.characters, wanted.characters):
                outputs = np.flatnonzero(element.characters != wanted.characters).tolist()
                raise ValueError(
                    f"The group contradicts itself: it has {element.describe()} and "
                    f"{wanted.describe()}, so output {outputs} would be its own negative."
                )
            return position
    return None


def _sum(row: FloatArray, offset: float, names: Sequence[str]) -> str:
    """An affine expression in words: "0.41 - y"."""
    terms = [(float(offset), "")] if offset else []
    terms += [(float(c), name) for c, name in zip(row, names, strict=True) if c]
    words = []
    for k, (value, name) in enumerate(terms):
        sign = "-" if value < 0 else "+"
        size = "" if name and abs(value) == 1 else f"{abs(value):g}"
        body = f"{size} {name}".strip()
        words.append((f"-{body}" if sign == "-" else body) if k == 0 else f"{sign} {body}")
    return " ".join(words) or "0"
