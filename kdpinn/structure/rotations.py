"""Rotations and mirrors of the plane by other angles than a box has: noticed, not used.

A rotation by 60 degrees moves a square, so students on the square do not show it. Students on the
inscribed disk do: there every isometry about the middle preserves the domain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from kdpinn.structure.candidates import maps_in_weights
from kdpinn.structure.evidence import Evidence, Unit, with_characters
from kdpinn.structure.fits import Array, Samples
from kdpinn.structure.group import InputMap
from kdpinn.structure.students import StudentSettings, train_student
from kdpinn.structure.subject import Subject

RINGS, ANGLES = 12, 48
"""Of the points on the disk: 48 = 16 * 3 angles lie alike for rotations of order 3, 4, 6 and 8."""

STUDENTS = 1
ISOMETRY = 0.2
"""Largest entry of M^T M less the identity, of a map M near an isometry."""

MIRROR_STEP = np.pi / 24
"""Axes of mirrors within a quarter of this of a multiple are at the multiple."""


def disk_points() -> Array:
    """Points (576, 2) of the unit disk: rings of equal area, evenly turned."""
    radius = np.sqrt((np.arange(RINGS) + 0.5) / RINGS)
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    r, a = (c.ravel() for c in np.meshgrid(radius, angle, indexing="ij"))
    return np.ascontiguousarray(np.column_stack([r * np.cos(a), r * np.sin(a)]))


def isometry(g: InputMap) -> InputMap | None:
    """The rotation about the origin by a whole part of a turn, or the mirror, near a map of the
    plane of finite order; None if it is near none, or has its center elsewhere."""
    m = g.matrix
    if np.abs(m.T @ m - np.eye(2)).max() > ISOMETRY or np.abs(g.offset).max() > ISOMETRY:
        return None
    if np.linalg.det(m) > 0:
        angle = np.arctan2(m[1, 0] - m[0, 1], m[0, 0] + m[1, 1])
        step = 2 * np.pi / g.order
        angle = step * np.round(angle / step)
        cos, sin = np.cos(angle), np.sin(angle)
        exact = np.array([[cos, -sin], [sin, cos]])
    else:
        axis = np.arctan2(m[0, 1] + m[1, 0], m[0, 0] - m[1, 1]) / 2
        nearest = MIRROR_STEP * np.round(axis / MIRROR_STEP)
        axis = nearest if abs(axis - nearest) < MIRROR_STEP / 4 else axis
        cos, sin = np.cos(2 * axis), np.sin(2 * axis)
        exact = np.array([[cos, sin], [sin, -cos]])
    return InputMap(np.where(np.abs(exact) < 1e-15, 0.0, exact), np.zeros(2), np.ones(1))


def in_words(g: InputMap, fields: Sequence[str]) -> str:
    """An isometry of the plane in words: "turn by 120 degrees, u -> u"."""
    m = g.matrix
    if np.linalg.det(m) > 0:
        words = f"turn by {np.degrees(np.arctan2(m[1, 0], m[0, 0])):g} degrees"
    else:
        axis = np.degrees(np.arctan2(m[0, 1], m[0, 0]) / 2) % 180
        words = f"mirror along {axis:g} degrees"
    signs = [
        f"{name} -> {'-' if sign < 0 else ''}{name}"
        for name, sign in zip(fields, g.characters, strict=True)
    ]
    return ", ".join([words, *signs])


def applies(subject: Subject) -> bool:
    """Whether the domain is a square in two coordinates of one unit, without holes."""
    domain = subject.domain
    return (
        domain.dim == 2
        and not subject.ticks
        and not domain.holes
        and domain.unit(domain.names[0]) == domain.unit(domain.names[1])
        and bool(np.isclose(domain.scale[0], domain.scale[1]))
    )


def rotations(
    subject: Subject, unit: Unit, settings: StudentSettings, seed: int, say: Callable[[str], None]
) -> list[Evidence]:
    """Isometries of the disk, not of the box, that students on the disk show in their weights.

    Args:
        subject: `applies` must hold.
    """
    z = disk_points()
    values = subject.unit_values(z)
    spread = np.where(values.std(0) > 0, values.std(0), 1.0)
    samples = Samples(z, (values - values.mean(0)) / spread)
    disk = replace(unit, spread=spread)
    found: list[Evidence] = []
    for k in range(STUDENTS):
        student = train_student(samples, settings, seed + k)
        if student.failure:
            continue
        for shown in maps_in_weights(*student.layers[0]):
            g = isometry(shown)
            if g is None or subject.to_physical(g).preserves(subject.domain) is None:
                continue
            evidence = with_characters(disk, g, z)
            if evidence is not None and not any(e.map.moves_like(evidence.map) for e in found):
                found.append(replace(evidence, in_first_layer=True))
    say(f"on the inscribed disk: {len(found)} rotations and mirrors in the weights")
    return found
