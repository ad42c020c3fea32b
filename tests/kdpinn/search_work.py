"""Work for the processes of a search: real trials, and accidents on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from kdpinn.search import Found, Job, evaluate


def dies_once(job: Job) -> Found:
    """A trial; the first process that comes here is killed half-way."""
    marker = Path(job.spec.partition(":")[0]).with_suffix(".died")
    try:
        marker.mkdir()
    except FileExistsError:
        return evaluate(job)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def refuses_width_four(job: Job) -> Found:
    """A trial that fails by itself for one architecture."""
    if job.architecture == (1, 4):
        raise ValueError("no width of four")
    return evaluate(job)
