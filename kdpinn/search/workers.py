"""Where trials run: in processes of this machine, or on a Dask cluster.

Both hand a trial's number back with what came of it; a worker that dies takes nothing else along.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

from kdpinn.search.trial import Found, Job, evaluate


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came of a trial.

    Attributes:
        found: None unless it went to its end.
        failure: why not: the trial's own error.
        lost: its worker died, which says nothing about the trial.
    """

    number: int
    found: Found | None = None
    failure: str = ""
    lost: bool = False


class Workers(Protocol):
    """Runs jobs."""

    @property
    def capacity(self) -> int:
        """Trials at the same time."""
        ...

    def submit(self, number: int, job: Job) -> None:
        """Start the trial."""
        ...

    def next(self) -> Ended:
        """Wait for any of the trials that were started."""
        ...

    def close(self) -> None:
        """Stop those that still run."""
        ...


class LocalWorkers:
    """A fresh process for each trial, so that one that is killed takes no other along.

    Args:
        count: processes at the same time; they share the cores.
        work: what is done with a job.
    """

    def __init__(self, count: int, work: Callable[[Job], Found] = evaluate) -> None:
        if count < 1:
            raise ValueError(f"A search needs at least 1 worker, got {count}.")
        self.capacity = count
        self._work = work
        self._running: dict[Connection, tuple[int, BaseProcess]] = {}

    def submit(self, number: int, job: Job) -> None:
        """Start the trial."""
        context = multiprocessing.get_context("spawn")
        mine, theirs = context.Pipe(duplex=False)
        threads = max(1, (os.cpu_count() or 1) // self.capacity)
        process = context.Process(
            target=_run,
            args=(theirs, self._work, job, threads),
            daemon=True,
            name=f"trial-{number}",
        )
        process.start()
        theirs.close()  # the end of the pipe is then the end of the process
        self._running[mine] = number, process

    def next(self) -> Ended:
        """Wait for any of the trials that were started."""
        ready = wait(list(self._running))[0]
        assert isinstance(ready, Connection)
        number, process = self._running.pop(ready)
        try:
            found, failure = ready.recv()
            return Ended(number=number, found=found, failure=failure)
        except EOFError:
            return Ended(number=number, lost=True)
        finally:
            ready.close()
            process.join()

    def processes(self) -> dict[int, int]:
        """Trial -> process id of those that run."""
        return {number: process.pid or 0 for number, process in self._running.values()}

    def close(self) -> None:
        """Stop those that still run."""
        for connection, (_, process) in self._running.items():
            process.terminate()
            process.join()
            connection.close()
        self._running.clear()


def _run(answer: Connection, work: Callable[[Job], Found], job: Job, threads: int) -> None:
    """A trial in a process of its own."""
    import signal

    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that searches
    torch.set_num_threads(threads)
    try:
        answer.send((work(job), ""))
    except Exception as error:  # it is told, not lost: the search goes on
        answer.send((None, f"{type(error).__name__}: {error}"))


class DaskWorkers:
    """Tasks on a Dask cluster; the scheduler gives those of a worker that dies to another.

    Args:
        address: of the scheduler, such as tcp://10.0.0.1:8786.
    """

    def __init__(self, address: str, work: Callable[[Job], Found] = evaluate) -> None:
        import distributed

        self._distributed: Any = distributed
        self._client = self._distributed.Client(address)
        self._work = work
        self._numbers: dict[Any, int] = {}

    @property
    def capacity(self) -> int:
        """One trial for each worker there is now; at least one, which then waits for a worker."""
        return max(1, len(self._client.scheduler_info(n_workers=-1)["workers"]))

    def submit(self, number: int, job: Job) -> None:
        """Start the trial."""
        future = self._client.submit(self._work, job, key=f"kdpinn-{os.getpid()}-trial-{number}")
        self._numbers[future] = number

    def next(self) -> Ended:
        """Wait for any of the trials that were started."""
        waiting = list(self._numbers)
        done = self._distributed.wait(waiting, return_when="FIRST_COMPLETED").done
        future = next(iter(done))
        number = self._numbers.pop(future)
        error = future.exception()
        if error is None:
            return Ended(number=number, found=future.result())
        if isinstance(error, self._distributed.KilledWorker) or future.cancelled():
            return Ended(number=number, lost=True)
        return Ended(number=number, failure=f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """Stop those that still run."""
        for future in self._numbers:
            future.cancel()
        self._client.close()


def place(count: int, address: str) -> Workers:
    """Workers on the Dask cluster at `address`, or `count` on this machine if it is empty.

    Raises:
        ValueError: Dask is not installed, or no scheduler answers.
    """
    if not address:
        return LocalWorkers(count)
    try:
        return DaskWorkers(address)
    except ImportError:
        raise ValueError(
            "`--dask` needs dask and distributed, which are not installed: "
            "pip install 'kdpinn[search]'"
        ) from None
    except (OSError, ValueError) as error:
        raise ValueError(f"No Dask scheduler answers at {address}: {error}") from error
