"""Names that a residual may use, and the spellings of derivatives."""

from __future__ import annotations

import itertools
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType

# 23 ASCII characters is what the file format has room for.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,22}")
# Attributes that every field has besides its derivatives.
RESERVED = ("d", "value")


def check_name(owner: str, kind: str, name: object) -> None:
    """Raise ValueError unless `name` can be an attribute of `j` and travel in a file."""
    if not isinstance(name, str) or not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ValueError(
            f"{owner}: {kind} name {name!r} must be a Python identifier of at most 23 ASCII "
            "letters, digits and '_', starting with a letter, and no keyword."
        )


def check_names(owner: str, kinds: Mapping[str, Iterable[str]]) -> None:
    """Raise ValueError unless all names, given by kind, are valid and distinct."""
    seen: dict[str, str] = {}
    for kind, names in kinds.items():
        for name in names:
            check_name(owner, kind, name)
            if name in seen:
                raise ValueError(
                    f"{owner}: '{name}' is both a {seen[name]} and a {kind}. Coordinates, fields, "
                    "parameters, sources and data share one namespace: rename one."
                )
            seen[name] = kind


@cache
def derivative_names(coordinates: tuple[str, ...]) -> Mapping[str, tuple[int, ...]]:
    """Spelling -> indices of the coordinates, for all first and second derivatives.

    `x` -> (0,), `xx` -> (0, 0), both `xt` and `tx` -> (0, 1).

    Raises:
        ValueError: two derivatives share a spelling (coordinates x and xx), or a coordinate is
            named like an attribute that every field has.
    """
    for name in coordinates:
        if name in RESERVED:
            raise ValueError(f"A coordinate cannot be called '{name}': `j.u.{name}` is taken.")
    table: dict[str, tuple[int, ...]] = {name: (i,) for i, name in enumerate(coordinates)}
    for i, j in itertools.product(range(len(coordinates)), repeat=2):
        spelling, indices = coordinates[i] + coordinates[j], (min(i, j), max(i, j))
        if table.setdefault(spelling, indices) != indices:
            raise ValueError(
                f"Coordinates {', '.join(coordinates)}: the derivative `.{spelling}` could mean "
                "two things. Rename a coordinate."
            )
    return MappingProxyType(table)


def order_of(spelling: str, coordinates: Sequence[str]) -> int | None:
    """Number of coordinates that `spelling` chains (xxt -> 3); None if it is no such chain."""
    if not spelling:
        return 0
    for name in coordinates:
        if spelling.startswith(name):
            rest = order_of(spelling[len(name) :], coordinates)
            if rest is not None:
                return rest + 1
    return None
