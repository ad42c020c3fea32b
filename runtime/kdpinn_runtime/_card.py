"""The card: a JSON object for people and Python; the C core does not read it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ._limits import MAX_CARD_BYTES
from ._refusals import FormatError


def card_bytes(card: object) -> bytes:
    """The card as canonical JSON (sorted keys, compact, UTF-8). Raises FormatError (CARD)."""
    if not isinstance(card, Mapping):
        raise FormatError("CARD", f"the card is {type(card).__name__}, expected a JSON object")
    try:
        text = json.dumps(
            dict(card), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
        )
        data = text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise FormatError("CARD", f"the card does not go into JSON: {error}") from error
    if len(data) > MAX_CARD_BYTES:
        raise FormatError(
            "TOO_LARGE", f"the card takes {len(data)} bytes, the cap is {MAX_CARD_BYTES}"
        )
    return data


def parse_card(data: bytes) -> dict[str, Any]:
    """The JSON object in `data`. Raises FormatError (CARD)."""
    try:
        card = json.loads(data.decode(), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise FormatError("CARD", f"the card is not JSON: {error}") from error
    if not isinstance(card, dict):
        raise FormatError("CARD", f"the card is a JSON {type(card).__name__}, expected an object")
    return card


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    counts = Counter(key for key, _ in pairs)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f"key {twice[0]!r} appears twice in one object")
    return dict(pairs)
