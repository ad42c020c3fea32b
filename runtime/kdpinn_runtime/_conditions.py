"""What a call meets in use: caches that others have filled, a core or a memory that is shared."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import numpy as np

Company = Literal["quiet", "neighbor", "shared core"]
"""Who else runs: nobody of ours; a busy process on another core; one on the same core."""
COMPANIES: tuple[Company, ...] = get_args(Company)

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_UNKNOWN_CACHE = 32 << 20
_LARGEST_CACHE = 128 << 20
# Streams through memory, pure Python so that it starts at once; ends itself if we are gone.
_BUSY = """
import os, sys
parent, core = int(sys.argv[1]), int(sys.argv[2])
if core >= 0:
    os.sched_setaffinity(0, {core})
source, target = memoryview(bytearray(16 << 20)), memoryview(bytearray(16 << 20))
print("ready", flush=True)
while os.getppid() == parent:
    target[:] = source
"""


def flusher() -> Callable[[], object]:
    """A call that leaves nothing else in the caches: it writes twice the last level's size.

    How a real application evicts them differs; this is the worst it can do.
    """
    size = 2 * min(last_level_cache(), _LARGEST_CACHE)
    lines = np.zeros(size // 8, np.int64)

    def flush() -> None:
        np.add(lines, 1, out=lines)

    return flush


def last_level_cache() -> int:
    """Bytes of the largest cache that the system tells of, 32 MiB where it tells of none."""
    sizes = [_bytes(path) for path in _CACHES.glob("index*/size")]
    return max(sizes, default=_UNKNOWN_CACHE)


@contextmanager
def company(kind: Company, core: int | None) -> Iterator[bool]:
    """A busy process beside us, as long as the context lasts; yields whether there could be one.

    core: the one that we are pinned to. None, or a machine without another core for a neighbor,
    yields False.
    """
    if kind == "quiet":
        yield True
        return
    place = _place(kind, core)
    if place is None:
        yield False
        return
    command = [sys.executable, "-I", "-S", "-c", _BUSY, str(os.getpid()), str(place)]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # Ctrl-C reaches it too, and nobody needs its traceback
    ) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield True
        finally:
            process.kill()


def _place(kind: Company, core: int | None) -> int | None:
    if core is None:
        return None
    if kind == "shared core":
        return core
    count = os.cpu_count() or 1
    return (core - 1) % count if count > 1 else None


def _bytes(path: Path) -> int:
    text = path.read_text("ascii").strip()
    unit = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:], 1)
    return int(text.rstrip("KMG")) * unit
