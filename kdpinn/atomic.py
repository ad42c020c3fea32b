"""Files appear whole or not at all: write to a sibling, then rename."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader never sees a part of it.

    Raises OSError (no space, read-only, ...); the file that stood at `path` is then untouched and
    no temporary file stays behind.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8; see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def _umask() -> int:
    """Mask that a plain `open` would have obeyed; `mkstemp` creates files with 0600."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
