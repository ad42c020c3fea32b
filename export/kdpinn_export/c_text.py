"""Tables as C text: the same text for the same numbers, on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from .answers import KnownAnswers


def floats(values: ArrayLike) -> list[str]:
    """Float literals, each as short as float32 permits."""
    return [f"{np.float32(v)!s}f" for v in np.asarray(values, np.float64).ravel()]


def integers(values: ArrayLike) -> list[str]:
    """Integer literals."""
    return [str(int(v)) for v in np.asarray(values).ravel()]


def table(
    kind: str, name: str, words: Sequence[str], size: str = "", each: int = 8, align: int = 4
) -> str:
    """`static const kind name[size] = {...};`, `each` initializers in a line; align: in bytes."""
    lines = [", ".join(words[k : k + each]) for k in range(0, len(words), each)]
    body = "".join(f"    {line},\n" for line in lines)
    return f"static const {kind} {name}[{size}] __attribute__((aligned({align}))) = {{\n{body}}};\n"


def records(rows: Iterable[Sequence[str]]) -> list[str]:
    """Initializers of structures."""
    return [f"{{{', '.join(row)}}}" for row in rows]


def defines(values: Mapping[str, object]) -> str:
    """One #define for each."""
    return "".join(f"#define {name} {value}\n" for name, value in values.items())


def answers_header(
    answers: KnownAnswers, more: Mapping[str, object] | None = None, *, names: bool = False
) -> str:
    """`answers.h`: points, expected outputs and what is permitted, in float.

    more: further #defines; names: whether the outputs' names go with them.
    """
    n, d = answers.points.shape
    m = answers.expected.shape[1]
    # The expected value is rounded to float here, and the permitted error too.
    u = float(np.finfo(np.float32).eps)
    permitted = (answers.permitted + u * np.abs(answers.expected)) * (1 + u)
    permitted = np.maximum(permitted, np.finfo(np.float32).tiny)  # 0 where every relu is off
    sizes: dict[str, object] = {"KDPINN_ANSWERS": n, "KDPINN_INPUTS": d, "KDPINN_OUTPUTS": m}
    text = "/* Known answers of the model, and the error that a right evaluation may have. */\n"
    text += "#ifndef ANSWERS_H\n#define ANSWERS_H\n" + defines({**sizes, **(more or {})})
    if names:
        quoted = [f'"{name}"' for name in answers.names]
        text += table("char *const", "kdpinn_names", quoted)
    for name, values, columns in (
        ("kdpinn_points", answers.points, d),
        ("kdpinn_expected", answers.expected, m),
        ("kdpinn_permitted", permitted, m),
    ):
        text += table("float", name, records(map(floats, values)), f"][{columns}", each=4)
    return text + "#endif\n"
