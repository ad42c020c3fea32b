"""Units as FMI describes them: exponents of the base units of the SI, a factor and an offset."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

BASE = ("kg", "m", "s", "A", "K", "mol", "cd", "rad")
DERIVED: dict[str, tuple[float, dict[str, int]]] = {
    "g": (1e-3, {"kg": 1}),
    "Hz": (1.0, {"s": -1}),
    "N": (1.0, {"kg": 1, "m": 1, "s": -2}),
    "Pa": (1.0, {"kg": 1, "m": -1, "s": -2}),
    "J": (1.0, {"kg": 1, "m": 2, "s": -2}),
    "W": (1.0, {"kg": 1, "m": 2, "s": -3}),
    "C": (1.0, {"A": 1, "s": 1}),
    "V": (1.0, {"kg": 1, "m": 2, "s": -3, "A": -1}),
    "F": (1.0, {"kg": -1, "m": -2, "s": 4, "A": 2}),
    "Ohm": (1.0, {"kg": 1, "m": 2, "s": -3, "A": -2}),
    "S": (1.0, {"kg": -1, "m": -2, "s": 3, "A": 2}),
    "Wb": (1.0, {"kg": 1, "m": 2, "s": -2, "A": -1}),
    "T": (1.0, {"kg": 1, "s": -2, "A": -1}),
    "H": (1.0, {"kg": 1, "m": 2, "s": -2, "A": -2}),
    "min": (60.0, {"s": 1}),
    "h": (3600.0, {"s": 1}),
    "d": (86400.0, {"s": 1}),
    "l": (1e-3, {"m": 3}),
    "L": (1e-3, {"m": 3}),
    "bar": (1e5, {"kg": 1, "m": -1, "s": -2}),
    "deg": (math.pi / 180, {"rad": 1}),
    "1": (1.0, {}),
    "%": (0.01, {}),
}
PREFIXES = {"G": 1e9, "M": 1e6, "k": 1e3, "c": 1e-2, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "n": 1e-9}
NEVER_PREFIXED = {"kg", "min", "h", "d", "bar", "deg", "1", "%", "rad"}
CELSIUS = ("degC", "°C")

FACTOR = re.compile(r"([^\W\d_]+|%|1|Ω)(?:\^|\*\*)?([+-]?\d+)?")


@dataclass(frozen=True)
class BaseUnit:
    """A quantity in SI units is factor * value + offset; exponents: base unit -> power, not 0."""

    factor: float = 1.0
    offset: float = 0.0
    exponents: dict[str, int] = field(default_factory=dict)


def base_unit(text: str) -> BaseUnit | None:
    """What `text` ("m2/s", "kg m^-3", "mbar") is in SI units; None if that is not known."""
    if text in CELSIUS:
        return BaseUnit(1.0, 273.15, {"K": 1})
    factor, exponents = 1.0, dict.fromkeys(BASE, 0)
    for sign, part in _parts(text):
        match = FACTOR.fullmatch(part)
        known = _symbol(match[1]) if match else None
        if match is None or known is None:
            return None
        power = sign * int(match[2] or 1)
        factor *= known[0] ** power
        for name, exponent in known[1].items():
            exponents[name] += power * exponent
    return BaseUnit(factor, 0.0, {name: k for name, k in exponents.items() if k})


def _parts(text: str) -> list[tuple[int, str]]:
    """Factors with the sign of their exponents; all after a "/" up to the next "/" divide."""
    above, *below = text.replace("(", " ").replace(")", " ").split("/")
    split = re.compile(r"(?<!\*)\*(?!\*)|[.·\s]+")
    return [
        (sign, part)
        for sign, group in ((1, above), *((-1, group) for group in below))
        for part in split.split(group)
        if part
    ]


def _symbol(symbol: str) -> tuple[float, dict[str, int]] | None:
    symbol = "Ohm" if symbol == "Ω" else symbol
    if symbol in BASE:
        return 1.0, {symbol: 1}
    if symbol in DERIVED:
        return DERIVED[symbol]
    prefix, rest = PREFIXES.get(symbol[:1]), symbol[1:]
    if prefix is None or rest in NEVER_PREFIXED - {"bar"}:
        return None
    known = (1.0, {rest: 1}) if rest in BASE else DERIVED.get(rest)
    return (prefix * known[0], known[1]) if known else None
