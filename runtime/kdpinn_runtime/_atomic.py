"""A file that is whole or not there."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream whose content takes the name `path` when the block ends without an error.

    The bytes go to a sibling file, then to the disk, then the sibling is renamed: until then an
    existing file stays as it was, and after an error nothing half-written stays. Raises OSError
    naming `path` when the folder or the disk refuses.
    """
    target = Path(path)
    sibling = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")
    try:
        with open(sibling, "xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(sibling, target)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot be written ({reason}); what was there before is unchanged"
        raise type(error)(f"{target}: {message}") from error
    finally:
        sibling.unlink(missing_ok=True)
