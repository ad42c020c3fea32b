"""The SYMMETRY record: its fields, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._limits import MAX_GENERATORS, MAX_INPUTS
from ._refusals import FormatError, Problems
from ._symmetry import Generator, Symmetry


def symmetry_fields(symmetry: Symmetry) -> dict[str, Any]:
    """What the record holds: signs as bits, sources and characters as numbers of four bits."""
    generators = symmetry.generators
    spare = [0] * (MAX_GENERATORS - len(generators))
    outputs = zip(*(g.outputs for g in generators), strict=True)
    return {
        "generators": len(generators),
        "elements": 0 if symmetry.doubling else symmetry.order,
        "signs": [_bits(g.signs) for g in generators] + spare,
        "sources": [_packed(g.order) for g in generators] + spare,
        "characters": _packed([_bits(signs) for signs in outputs]),
    }


def parse_symmetry(
    problems: Problems, records: Sequence[dict[str, Any]], d: int, m: int
) -> Symmetry | None:
    """The symmetry of a network of d inputs and m outputs; None without a right one."""
    if not records:
        return None
    fields, count = records[0], records[0]["generators"]
    if not 1 <= count <= MAX_GENERATORS:
        problems.add(
            "SYMMETRY", f"the symmetry has {count} generators, expected 1 .. {MAX_GENERATORS}"
        )
        return None
    characters = _unpacked(fields["characters"])
    problems.require(
        not any(characters[m:]) and not any(_spare(fields, b, d, count) for b in range(4)),
        "PADDING",
        "the SYMMETRY record has a bit for a generator, input or output that the model has not",
    )
    problems.require(
        not any(character >> count for character in characters[:m]),
        "SYMMETRY",
        f"the signs of the outputs are {characters[:m]}, expected bits of {count} generators",
    )
    if d > MAX_INPUTS:
        problems.add(
            "SYMMETRY", f"the network has {d} inputs, a symmetry is one of {MAX_INPUTS} at most"
        )
        return None
    try:
        symmetry = Symmetry(
            generators=tuple(
                Generator(
                    signs=tuple(-1 if fields["signs"][b] >> i & 1 else 1 for i in range(d)),
                    outputs=tuple(-1 if character >> b & 1 else 1 for character in characters[:m]),
                    order=tuple(_unpacked(fields["sources"][b])[:d]),
                )
                for b in range(count)
            )
        )
    except FormatError as error:
        problems.extend(error)
        return None
    expected = 0 if symmetry.doubling else symmetry.order
    problems.require(
        fields["elements"] == expected,
        "SYMMETRY",
        f"the symmetry says it has {fields['elements']} elements, expected {expected}: 0 where "
        "generators undo themselves and may change places, else the order of their group",
    )
    return symmetry


def _spare(fields: dict[str, Any], b: int, d: int, count: int) -> int:
    """The bits of generator b that nothing uses."""
    first = d if b < count else 0
    return int(fields["sources"][b] >> 4 * first | fields["signs"][b] >> first)


def _bits(signs: Sequence[int]) -> int:
    return sum(1 << i for i, sign in enumerate(signs) if sign < 0)


def _packed(numbers: Sequence[int]) -> int:
    return sum(number << 4 * i for i, number in enumerate(numbers))


def _unpacked(word: int) -> list[int]:
    return [word >> 4 * i & 15 for i in range(MAX_INPUTS)]
