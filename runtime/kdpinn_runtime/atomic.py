"""A file that is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream whose content takes the name `path` when the block ends without an error.

    The bytes go to a sibling file, then to the disk, then the sibling is renamed: until then an
    existing file stays as it was, and after an error nothing half-written stays. Raises OSError
    naming `path` when the folder or the disk refuses.
    """
    # os.path and os.urandom: importing pathlib and secrets takes longer than loading a model.
    target = os.fspath(path)
    folder, name = os.path.split(target)
    sibling = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.partial")
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
        with suppress(FileNotFoundError):
            os.unlink(sibling)
