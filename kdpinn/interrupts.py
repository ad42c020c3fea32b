"""Ctrl-C between two iterations, so that no state is torn."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SAME_SECONDS = 1.0


class Interrupted(RuntimeError):
    """The user stopped the run; the message says how to go on."""


@contextmanager
def deferred_interrupt() -> Iterator[threading.Event]:
    """Ctrl-C sets the event, so that an iteration in progress is finished; a second one raises.

    A signal within `SAME_SECONDS` of the first is the same one: torchrun passes Ctrl-C on to
    processes that the terminal has told already.

    Outside of the main thread Python delivers no signals, and the event is never set.
    """
    asked, since = threading.Event(), [0.0]
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def note(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not asked.is_set():
            since[0] = now
        elif now - since[0] > SAME_SECONDS:
            raise KeyboardInterrupt
        asked.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
