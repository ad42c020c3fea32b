"""Plain text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines, the columns aligned to the left, two spaces between."""
    widths = [max(len(plain(cell)) for cell in column) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(plain(cell).ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


def plain(text: str) -> str:
    """`text` with everything that could steer a terminal spelled out (a file may say anything)."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode()
        for letter in text
    )
