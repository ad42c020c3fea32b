"""Teachers that are Python callables of arrays, and what is checked of their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdpinn.geometry import FloatArray

CHUNK = 65_536
"""Points of one call: a teacher's layers of a few hundred neurons then fit the memory."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A callable from (n, d) to (n, m) arrays; (n,) is taken for one field.

    Attributes:
        name: of the callable, for messages.
        call: called with float64 arrays; any array-like of numbers may come back.
    """

    name: str
    call: Callable[[FloatArray], Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def values(self, x: FloatArray) -> FloatArray:
        """Fields (N, m) at x (N, d).

        Raises:
            ValueError: another shape, or values that are not finite.
        """
        parts = np.array_split(x, max(1, -(-len(x) // CHUNK)))
        found = [checked(self.name, self.call(p), p, self.outputs) for p in parts]
        return np.concatenate(found)


def checked(name: str, result: Any, x: FloatArray, outputs: tuple[str, ...]) -> FloatArray:
    """What a teacher answered at x (n, d), as (n, m), float64.

    Raises:
        ValueError: naming the teacher, the shape expected, or the first point without a number.
    """
    array = columns(name, result, len(x))
    if array.shape[1] != len(outputs):
        raise ValueError(
            f"Teacher {name} gives {array.shape[1]} values per point, but the fields are "
            f"{', '.join(outputs)}: name all of them, in its order, with --fields."
        )
    bad = ~np.isfinite(array).all(axis=1)
    if bad.any():
        first = x[int(np.argmax(bad))].tolist()
        raise ValueError(
            f"Teacher {name} gives values that are not finite at {int(bad.sum())} of {len(x)} "
            f"points, the first at {first}: make the domain smaller, or mend the teacher."
        )
    return array


def columns(name: str, result: Any, points: int) -> FloatArray:
    """An answer as (n, m), float64; (n,) becomes (n, 1).

    Raises:
        ValueError: it is no array of numbers with a row per point.
    """
    try:
        array = np.asarray(result, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"Teacher {name} must return an array of numbers, got {type(result).__name__}: {error}"
        ) from error
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or len(array) != points or not array.shape[1]:
        raise ValueError(
            f"Teacher {name} must return a row per point, ({points}, fields), got "
            f"{np.shape(result)}."
        )
    return array
