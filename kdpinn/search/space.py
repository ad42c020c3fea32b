"""The architectures that a search may try."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Space:
    """All students of `depth` equal hidden layers.

    Attributes:
        depths: numbers of hidden layers, ascending.
        widths: neurons of each, ascending.
    """

    depths: tuple[int, ...] = (1, 2, 3, 4)
    widths: tuple[int, ...] = tuple(range(4, 33, 2))

    def __post_init__(self) -> None:
        for name in ("depths", "widths"):
            values = getattr(self, name)
            if not values or min(values) < 1 or list(values) != sorted(set(values)):
                raise ValueError(
                    f"`Space.{name}` is ascending integers >= 1, got {values}: "
                    "write 2,3,4 or 4-24 or 4-24:2."
                )

    def __len__(self) -> int:
        return len(self.depths) * len(self.widths)

    def all(self) -> tuple[tuple[int, int], ...]:
        """Every (depth, width)."""
        return tuple((depth, width) for depth in self.depths for width in self.widths)


def numbers(text: str) -> tuple[int, ...]:
    """'2,3' or '4-24' or '4-24:2', joined by commas, as ascending integers.

    Raises:
        ValueError: it is none of these.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)(?:-(\d+)(?::(\d+))?)?\s*", part)
        if match is None or match[3] == "0":
            raise ValueError(f"'{text}' is no list of integers: write 2,3,4 or 4-24 or 4-24:2.")
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)
        found.update(range(first, last + 1, step))
    return tuple(sorted(found))
