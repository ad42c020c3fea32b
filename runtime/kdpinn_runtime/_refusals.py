"""Why a model file is refused: one table of codes, one exception that carries them."""

from __future__ import annotations

REFUSALS: dict[str, str] = {
    "TRUNCATED": "the file is shorter than it has to be",
    "MAGIC": "not a kdp file",
    "VERSION": "format version not supported",
    "TOO_LARGE": "a size is beyond its cap",
    "SIZES": "the section sizes do not add up to the file",
    "DIGEST": "the content does not match its SHA-256",
    "PADDING": "a byte that has to be zero is not",
    "RECORD": "a record of the program is unknown, missing, one too many, or out of order",
    "NAME": "a name or a unit is malformed or taken",
    "VALUE": "a number is out of range or not finite",
    "TENSOR": "a tensor has a wrong place, size or shape",
    "DTYPE": "a number type is not supported",
    "LAYER": "the layers do not form a network",
    "MAP": "a function of the coordinates is malformed",
    "SYMMETRY": "the symmetry contradicts itself, or the layers do not have it",
    "RESIDUAL": "the equations are malformed",
    "BASELINE": "the baseline is malformed",
    "CARD": "the card is not a JSON object",
    "MISALIGNED": "the bytes are not 8-aligned in memory (C only)",
}
"""Code -> what it means, in the order in which a reader checks. The C core has the same codes."""

_LISTED = 12  # problems spelled out in a message; a damaged program can have thousands

_ORDER = {code: position for position, code in enumerate(REFUSALS)}


class FormatError(ValueError):
    """A model (in memory or as a file) breaks a rule of the format.

    Attributes:
        code: key of `REFUSALS`; of several problems, the one that is checked first.
        problems: every problem found, as (code, message).
    """

    def __init__(
        self, code: str, message: str, problems: tuple[tuple[str, str], ...] | None = None
    ) -> None:
        if code not in REFUSALS:
            raise KeyError(f"unknown refusal code {code!r}; known: {', '.join(REFUSALS)}")
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.problems = ((code, message),) if problems is None else problems

    def __str__(self) -> str:
        return self.message if len(self.problems) > 1 else f"{self.message} [{self.code}]"


class Problems:
    """Collects what is wrong with one object, so that all of it is reported at once."""

    def __init__(self) -> None:
        self._found: list[tuple[str, str]] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, code: str, message: str) -> None:
        """Note one problem; `message` names the object, what was expected, what arrived."""
        self._found.append((code, message))

    def require(self, holds: bool, code: str, message: str) -> None:
        """Note the problem unless `holds`."""
        if not holds:
            self.add(code, message)

    def extend(self, error: FormatError, where: str = "") -> None:
        """Take over the problems of `error`, each with `where` in front."""
        for code, message in error.problems:
            self.add(code, f"{where}: {message}" if where else message)

    def raise_if_any(self, where: str = "") -> None:
        """Raise one FormatError with everything collected; do nothing when there is nothing."""
        if not self._found:
            return
        found = tuple(
            (code, f"{where}: {message}" if where else message) for code, message in self._found
        )
        code = min(found, key=lambda problem: _ORDER[problem[0]])[0]
        if len(found) == 1:
            raise FormatError(code, found[0][1], found)
        lines = [f"{message} [{each}]" for each, message in found[:_LISTED]]
        if len(found) > _LISTED:
            lines.append(f"and {len(found) - _LISTED} more")
        raise FormatError(code, "\n  - ".join([f"{len(found)} problems:", *lines]), found)
