"""Errors as one clear message and an exit code, without a traceback."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from kdpinn.commands.options import stderr

CHECK_FAILED = 1
WRONG_USE = 2
INTERRUPTED = 130
TRACEBACK = "KDPINN_TRACEBACK"
"""Environment variable: if set and not empty, errors come with their traceback."""


@contextmanager
def reported(resume: str = "") -> Iterator[None]:
    """Turn the errors a user can cause or mend into a message and an exit.

    Args:
        resume: the command that continues an interrupted run, "" if there is none.
    """
    try:
        yield
    except (KeyboardInterrupt, RuntimeError, ValueError, OSError) as error:
        if os.environ.get(TRACEBACK):
            raise
        code, text = _explained(error, resume)
        stderr().print(text, highlight=False, soft_wrap=True)
        raise typer.Exit(code) from None


def _explained(error: BaseException, resume: str) -> tuple[int, str]:
    on = f"\nGo on with: {resume}" if resume else ""
    name = type(error).__name__  # their modules import torch, which not every command needs
    if isinstance(error, KeyboardInterrupt) or name == "Interrupted":
        return INTERRUPTED, f"\nInterrupted; finished stages and checkpoints are kept.{on}"
    if name == "TrainingDiverged":
        return CHECK_FAILED, f"The training failed: {error}\nFinished stages are kept."
    if isinstance(error, OSError):
        return WRONG_USE, f"Error: {_file_error(error)}{on if _is_full(error) else ''}"
    if isinstance(error, ValueError) or name == "RunFolderError":
        return WRONG_USE, f"Error: {error}"
    raise error


def _is_full(error: OSError) -> bool:
    cause = error.__cause__  # the runtime wraps the error to say that nothing was changed
    codes = {error.errno, cause.errno if isinstance(cause, OSError) else None}
    return bool(codes & {errno.ENOSPC, errno.EDQUOT})


def _file_error(error: OSError) -> str:
    if error.errno is None:  # raised with a message of its own
        return str(error)
    path = error.filename if error.filename is not None else "the output"
    match error.errno:
        case errno.ENOENT:
            return f"{path} does not exist."
        case errno.EEXIST | errno.ENOTDIR:
            return f"{path} is a file, expected a folder: choose another name."
        case errno.EISDIR:
            return f"{path} is a folder, expected a model file such as {path}/student.kdp."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return f"{path} cannot be opened or written: {error.strerror}."
        case errno.ENOSPC | errno.EDQUOT:
            return f"No space left to write {path}. Nothing half-written was left; make room."
        case _:
            return f"{path}: {error.strerror or error}."
