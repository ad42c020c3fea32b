"""A file that is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str], *, sync: bool = True) -> Iterator[BinaryIO]:
    """A stream whose content takes the name `path` when the block ends without an error.

    The bytes go to a sibling file, then to the disk, then the sibling is renamed: until then an
    existing file stays as it was, and after an error nothing half-written stays. A sibling that a
    killed writer left goes when the next one begins. Without `sync` the disk is not waited for: a
    kill leaves the file whole or absent, a power failure may not. Raises OSError naming `path` when
    the folder or the disk refuses.
    """
    # os.path and os.urandom: importing pathlib and secrets takes longer than loading a model.
    target = os.fspath(path)
    folder, name = os.path.split(target)
    sibling = ""
    try:
        _remove_left(folder, name)
        sibling, stream = _open_sibling(folder, name)
        with stream:
            yield stream
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
            os.replace(sibling, target)
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot be written ({reason}); what was there before is unchanged"
        raise type(error)(f"{target}: {message}") from error
    finally:
        with suppress(FileNotFoundError):
            os.unlink(sibling)


def _open_sibling(folder: str, name: str) -> tuple[str, BinaryIO]:
    """A new file, locked as long as it is open: the sign that its writer lives."""
    while True:
        sibling = os.path.join(folder, f".{name}.{os.getpid()}-{os.urandom(4).hex()}.partial")
        stream = open(sibling, "xb")  # noqa: SIM115, the caller closes it
        # Before it was locked another writer may have taken it for a dead one's: then that one
        # holds the lock, or has removed the file already.
        locked = _lock(stream)
        if locked is None or (locked and os.fstat(stream.fileno()).st_nlink > 0):
            return sibling, stream
        stream.close()


def _remove_left(folder: str, name: str) -> None:
    """Siblings of `name` whose writers are dead: nobody holds their lock."""
    with suppress(OSError), os.scandir(folder or ".") as entries:
        for entry in entries:
            if entry.name.startswith(f".{name}.") and entry.name.endswith(".partial"):
                with suppress(OSError), open(entry.path, "rb") as stream:
                    if _lock(stream):
                        os.unlink(entry.path)


def _lock(stream: BinaryIO) -> bool | None:
    """Whether this call took the file's lock; None where there are no locks."""
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return None
    return True
