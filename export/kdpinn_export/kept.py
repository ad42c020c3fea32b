"""What was compiled once is kept in the user's cache, under a digest of what it was made of."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from kdpinn_runtime.atomic import replacing


def kept_place(suffix: str, *made_of: object) -> Path | None:
    """Where to look for it and to `keep` it; None if there is no place for a cache.

    made_of: all that the result depends on, compiler and its version included, as values whose
    `repr` tells them apart.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kdpinn" / "objects"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder / f"{hashlib.sha256(repr(made_of).encode()).hexdigest()[:32]}{suffix}"


def keep(place: Path | None, data: bytes) -> None:
    """Put `data` there, if there is a place; a full or read-only disk costs nothing but time."""
    if place is not None:
        with suppress(OSError), replacing(place, sync=False) as stream:
            stream.write(data)
