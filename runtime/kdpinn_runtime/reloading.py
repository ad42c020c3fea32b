"""A model that follows its file while it serves."""

from __future__ import annotations

import os
import threading
import warnings
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike, NDArray

from .model import Model, Outside, load

if TYPE_CHECKING:
    from .signatures import Trust


class ReloadWarning(UserWarning):
    """The file changed to something that cannot be served; the model from before it stays."""


class Reloading:
    """Serves a model file, and the next one that takes its name, without a pause.

    >>> with Reloading("model.kdp") as served:             # doctest: +SKIP
    ...     u = served(x)                                  # the newest model
    ...     model = served.model                           # take it where several calls belong
    ...     u, jet = model(x), model.jet(x)                # together: it stays what it is

    A new file is read and checked while the old model goes on answering; then one reference is
    exchanged. Every call so runs on one model from beginning to end, the old or the new one. A
    file that is damaged, unreadable or not there changes nothing but `error`, and warns once; it
    is tried again until it can be read. Replace files by renaming, as `write` does: a file that is
    overwritten in place is refused until it is whole.

    With `trust` a file needs a signature, and one of an older version than serves now changes
    nothing; where model and signature are replaced one after the other, both are tried again.

    Attributes:
        model: the model that serves now.
        error: why the file as it is now is not served, or None.
        reloads: how often the model has been exchanged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        outside: Outside = "warn",
        isa: str | None = None,
        period_s: float = 1.0,
        trust: Trust | None = None,
    ) -> None:
        if not period_s > 0:
            raise ValueError(f"`period_s` must be positive, got {period_s}.")
        self._path, self._outside, self._isa, self._period_s = path, outside, isa, period_s
        self._trust, self._version = trust, 0
        self._checking = threading.Lock()
        self._closed = threading.Event()
        self._watcher: threading.Thread | None = None
        self._reported: tuple[tuple[int, ...] | None, str] | None = None
        self._seen = self._signature()
        self.model: Model = self._load()
        self.error: Exception | None = None
        self.reloads = 0

    def __call__(self, x: ArrayLike, *, threads: int = 1) -> NDArray[Any]:
        """Outputs (n, m) of the newest model at `x` (n, d)."""
        return self.model(x, threads=threads)

    def check(self) -> bool:
        """Looks at the file once; True if a new model took over. Many threads may call it."""
        with self._checking:
            signature = None
            try:
                signature = self._signature()
                if signature == self._seen:
                    self.error = None
                    return False
                model = self._load()
            except (OSError, ValueError) as error:  # FormatError and SignatureError among them
                self._report(error, signature)
                return False
            # Taken before the file was read: a change meanwhile is seen by the next check.
            self._seen, self._reported, self.error = signature, None, None
            self.model = model
            self.reloads += 1
            return True

    def __enter__(self) -> Reloading:
        """Starts the thread that looks at the file every `period_s` seconds."""
        self._closed.clear()
        self._watcher = threading.Thread(target=self._watch, name="kdpinn-reloading", daemon=True)
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed.set()
        if self._watcher is not None:
            self._watcher.join()

    def _watch(self) -> None:
        while not self._closed.wait(self._period_s):
            self.check()

    def _load(self) -> Model:
        """The file as it is now; with `trust`, signed and no older than the one that serves."""
        if self._trust is None:
            return load(self._path, outside=self._outside, isa=self._isa)
        least = max(self._version, self._trust.at_least)
        content, said = replace(self._trust, at_least=least).admit(self._path)
        model = load(content, outside=self._outside, isa=self._isa)
        self._version = said.version
        return model

    def _signature(self) -> tuple[int, ...]:
        """What changes when the file does, whether it was renamed or written to."""
        status = os.stat(self._path)
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns

    def _report(self, error: Exception, signature: tuple[int, ...] | None) -> None:
        """Keeps the error, and warns if it was not reported yet for this state of the file."""
        known = self.error is not None and self._reported == (signature, str(error))
        self.error, self._reported = error, (signature, str(error))
        if not known:
            text = f"{error} The model from before it goes on serving."
            warnings.warn(text, ReloadWarning, stacklevel=3)
