"""Tables as C text: the same text for the same numbers, on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike


def floats(values: ArrayLike) -> list[str]:
    """Float literals, each as short as float32 permits."""
    return [f"{np.float32(v)!s}f" for v in np.asarray(values, np.float64).ravel()]


def integers(values: ArrayLike) -> list[str]:
    """Integer literals."""
    return [str(int(v)) for v in np.asarray(values).ravel()]


def table(kind: str, name: str, words: Sequence[str], size: str = "", each: int = 8) -> str:
    """`static const kind name[size] = {...};`, `each` initializers in a line, aligned to words."""
    lines = [", ".join(words[k : k + each]) for k in range(0, len(words), each)]
    body = "".join(f"    {line},\n" for line in lines)
    return f"static const {kind} {name}[{size}] __attribute__((aligned(4))) = {{\n{body}}};\n"


def records(rows: Iterable[Sequence[str]]) -> list[str]:
    """Initializers of structures."""
    return [f"{{{', '.join(row)}}}" for row in rows]


def defines(values: dict[str, object]) -> str:
    """One #define for each."""
    return "".join(f"#define {name} {value}\n" for name, value in values.items())
