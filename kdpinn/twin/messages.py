"""Sensor readings as they arrive: JSON, checked before anything is computed from it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_READINGS = 1000
SIGMA = "sigma"


class BadMessage(ValueError):
    """A message that cannot be used; the text goes back to its sender."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """at: coordinate -> position; values: output -> reading; sigma: its standard deviation.

    sigma is in the unit of the outputs, None for the usual one.
    """

    at: Mapping[str, float]
    values: Mapping[str, float]
    sigma: float | None = None


def readings_of(text: str, known: Sequence[str], outputs: Sequence[str]) -> list[Reading]:
    """The readings of a message, {"readings": [{"x": 0.2, "t": 0.5, "u": 0.71, "sigma": 0.01}]}.

    known: the coordinates that every reading states; outputs: of which it has one or more.
    Raises BadMessage that names the first thing that is wrong.
    """
    try:
        message = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"The message is not JSON: {error}.") from error
    if not isinstance(message, dict) or set(message) != {"readings"}:
        raise BadMessage(f'Expected {{"readings": [...]}}, got {_short(message)}.')
    readings = message["readings"]
    if not isinstance(readings, list) or not 0 < len(readings) <= MOST_READINGS:
        raise BadMessage(f"`readings` must be a list of 1 to {MOST_READINGS}: {_short(readings)}.")
    return [_reading(k, entry, known, outputs) for k, entry in enumerate(readings)]


def _reading(index: int, entry: Any, known: Sequence[str], outputs: Sequence[str]) -> Reading:
    where = f"Reading {index}"
    if not isinstance(entry, dict):
        raise BadMessage(f"{where} must be an object of numbers, got {_short(entry)}.")
    for name, value in entry.items():
        if name not in (*known, *outputs, SIGMA):
            raise BadMessage(
                f"{where} has '{name}'; expected the coordinates {_listed(known)}, one or more of "
                f"{_listed(outputs)}, and '{SIGMA}' or not."
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            raise BadMessage(f"{where}: '{name}' must be a finite number, got {_short(value)}.")
    missing = [name for name in known if name not in entry]
    if missing:
        raise BadMessage(f"{where} lacks the coordinates {_listed(missing)}.")
    values = {name: float(entry[name]) for name in outputs if name in entry}
    if not values:
        raise BadMessage(f"{where} has no value: expected one or more of {_listed(outputs)}.")
    sigma = entry.get(SIGMA)
    if sigma is not None and sigma <= 0:
        raise BadMessage(f"{where}: '{SIGMA}' must be > 0, got {sigma}.")
    at = {name: float(entry[name]) for name in known}
    return Reading(at=at, values=values, sigma=None if sigma is None else float(sigma))


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
