"""Domains as the command line writes them, and as teachers bring them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.teachers.protocol import Teacher
from kdpinn.teachers.source import interval


def box_of(
    bounds: Mapping[str, tuple[float, float]], units: Mapping[str, str] | None = None
) -> Box:
    """The box with these bounds by name, in their order."""
    keywords: dict[str, Any] = {**bounds, "units": units or {}}
    return Box(**keywords)


def parse_domain(text: str) -> Box:
    """`x=-1:1,t=0:1` as a box.

    Raises:
        ValueError: another form, saying which.
    """
    bounds: dict[str, tuple[float, float]] = {}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or ":" not in value or name in bounds:
            raise ValueError(
                f'--domain names each coordinate once with its range, "x=-1:1,t=0:1", got "{text}".'
            )
        bounds[name] = interval("--domain", part.strip(), value)
    return box_of(bounds)


def own_box(teacher: Teacher) -> Box:
    """The box that a field's normalization takes to [-1, 1].

    Raises:
        ValueError: the teacher is no field, or sees functions of the coordinates.
    """
    if not isinstance(teacher, Field) or teacher.features is not None:
        raise ValueError('The teacher does not know its domain: say --domain "x=-1:1,t=0:1".')
    half = 1 / teacher.input_scale
    ends = zip(teacher.input_shift - half, teacher.input_shift + half, strict=True)
    bounds = [(float(lower), float(upper)) for lower, upper in ends]
    return box_of(dict(zip(teacher.inputs, bounds, strict=True)))
