"""Functions of the coordinates as text."""

from __future__ import annotations

from collections.abc import Sequence

from ._coordinates import CoordinateMap

_LONGEST = 200
"""Characters of one function: shared operations would otherwise grow without end."""


def map_texts(program: CoordinateMap, names: Sequence[str]) -> list[str]:
    """The results of `program` as functions of `names`, e.g. "sin(3.1415926535897931*x)".

    What is longer than 200 characters ends in "...".
    """
    texts: list[tuple[str, bool]] = []  # and whether it is a sum
    for o in program.operations:
        if o.kind == "coordinate":
            text, is_sum = names[o.a], False
        elif o.kind == "constant":
            text, is_sum = f"{o.value:.17g}", False
        elif o.kind == "add":
            text, is_sum = f"{texts[o.a][0]} + {texts[o.b][0]}", True
        elif o.kind == "multiply":
            factors = (f"({t})" if is_sum else t for t, is_sum in (texts[o.a], texts[o.b]))
            text, is_sum = "*".join(factors), False
        else:
            of = "1/" if o.kind == "reciprocal" else o.kind
            text, is_sum = f"{of}({texts[o.a][0]})", False
        if len(text) > _LONGEST:
            text = text[: _LONGEST - 3].removesuffix("...") + "..."
        texts.append((text, is_sum))
    return [texts[k][0] for k in program.results]
