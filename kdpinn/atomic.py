"""Files appear whole or not at all: kdpinn_runtime.atomic, for content that is at hand."""

from __future__ import annotations

from pathlib import Path

from kdpinn_runtime.atomic import replacing


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader never sees a part of it.

    Raises OSError (no space, read-only, ...); the file that stood at `path` is then untouched and
    no temporary file stays behind.
    """
    with replacing(path) as stream:
        stream.write(data)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))
