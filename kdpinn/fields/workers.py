"""Who computes the chunks: threads of this process, or a Dask cluster.

A worker of a cluster that dies loses nothing but its chunk, which the scheduler gives to another;
chunks do not depend on each other, nor on who computes them.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any

from kdpinn.fields.grid import Index

Work = Callable[[Index], Index]
AHEAD = 4
"""Chunks handed out beforehand, for each worker of a cluster."""
RETRIES = 3
CONNECT_S = 10.0
"""For a scheduler to answer."""


def by_threads(work: Work, indices: Sequence[Index], threads: int) -> Iterator[Index]:
    """The indices as they are done; no more chunks are in memory than threads."""
    left = iter(indices)
    pool = ThreadPoolExecutor(threads)
    try:
        running = {pool.submit(work, index) for index in itertools.islice(left, threads)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()
                running |= {pool.submit(work, index) for index in itertools.islice(left, 1)}
    finally:
        pool.shutdown(cancel_futures=True)


def check_scheduler(address: str) -> None:
    """Raises ValueError if Dask is not installed, or if nothing answers at `address`.

    Not left to `distributed.Client`: one that could not connect keeps the process from ending.
    """
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise ValueError(
            "`--dask` needs dask and distributed, which are not installed: "
            "pip install 'kdpinn[fields]'"
        ) from None

    async def knock() -> None:
        options = distributed.Security().get_connection_args("client")
        caller = await distributed.comm.connect(address, timeout=CONNECT_S, **options)
        await caller.close()

    try:
        asyncio.run(knock())
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"No Dask scheduler answers at {address}: {error}") from error


def by_dask(work: Work, indices: Sequence[Index], address: str) -> Iterator[Index]:
    """The same on the cluster whose scheduler is at `address`; it must see the same files."""
    distributed: Any = importlib.import_module("distributed")
    with distributed.Client(address, set_as_default=False) as client:
        left = iter(indices)
        workers = max(1, len(client.scheduler_info(n_workers=-1)["workers"]))

        def submit(count: int) -> list[Any]:
            chosen = itertools.islice(left, count)
            # Not pure: a chunk is a file, not the index that is returned.
            return [client.submit(work, i, pure=False, retries=RETRIES) for i in chosen]

        waiting = distributed.as_completed(submit(AHEAD * workers), loop=client.loop)
        try:
            for future in waiting:
                yield tuple(future.result())
                for more in submit(1):
                    waiting.add(more)
        finally:
            with suppress(Exception):  # a cluster that went away has nothing left to cancel
                client.cancel(list(waiting.futures))
