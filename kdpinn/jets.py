"""Which derivatives of a network are wanted, and their propagation through it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class JetSpec:
    """Value, first and chosen second derivatives with respect to `d` coordinates, as channels.

    Channel 0 is the value, 1..d the first derivatives, then one channel per pair (i, j), i <= j,
    for the second derivative by coordinates i and j.

    Args:
        d: number of coordinates, >= 1.
        order: 0 value, 1 and first derivatives, 2 and the second derivatives in `pairs`.
        pairs: distinct (i, j) with 0 <= i <= j < d; empty unless `order` is 2.
    Raises:
        ValueError: naming what is out of range.
    """

    d: int
    order: int
    pairs: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.d < 1:
            raise ValueError(f"`JetSpec.d` is the number of coordinates, >= 1, got {self.d}.")
        if self.order not in (0, 1, 2):
            raise ValueError(f"`JetSpec.order` is 0, 1 or 2, got {self.order}.")
        if self.pairs and self.order < 2:
            raise ValueError(f"`JetSpec.pairs` needs order 2, got order {self.order}.")
        for i, j in self.pairs:
            if not 0 <= i <= j < self.d:
                raise ValueError(
                    f"`JetSpec.pairs` holds (i, j) with 0 <= i <= j < {self.d}, got ({i}, {j})."
                )
        if len(set(self.pairs)) != len(self.pairs):
            raise ValueError(f"`JetSpec.pairs` are distinct, got {self.pairs}.")

    @property
    def channels(self) -> int:
        """Number of channels K: 1, 1 + d or 1 + d + len(pairs)."""
        return 1 if self.order == 0 else 1 + self.d + len(self.pairs)

    def pair_index(self, i: int, j: int) -> int:
        """Position of the pair {i, j} in `pairs`; its channel is `1 + d + pair_index(i, j)`.

        Raises:
            ValueError: the pair was not asked for.
        """
        pair = (min(i, j), max(i, j))
        if pair not in self.pairs:
            raise ValueError(f"Second derivative {pair} is not among the pairs {self.pairs}.")
        return self.pairs.index(pair)
