"""What an engine is: something that prepares a model for fixed inputs, then only runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from kdpinn_bench.truth import FloatArray, Points
from kdpinn_runtime.format import ModelFile

CHUNKS = (8192, 4096, 2048, 1024, 512)
"""Batches that an engine is offered where all points at once leave its cache."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One engine, ready: buffers bound, weights packed, code compiled.

    call evaluates the current content of the inputs that it was prepared for; output does the
    same and returns what was computed, (n, columns) as in `Truth`. note: settings worth telling;
    isa: the instruction set whose peak it is judged by, if it is known.
    """

    call: Callable[[], object]
    output: Callable[[], FloatArray]
    note: str = ""
    isa: str = ""


class Engine(Protocol):
    """A way to evaluate a model in float32 on one CPU thread."""

    @property
    def name(self) -> str:
        """As tables show it."""
        ...

    def missing(self) -> str:
        """Why it cannot run here; empty if it can."""
        ...

    def prepare(self, model: ModelFile, x: Points) -> Prepared:
        """Bind the model to the buffer x, (n, inputs), C-contiguous, read at every call."""
        ...


def chunks(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` points."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def best_chunked(
    n: int,
    make: Callable[[int], Prepared],
    rounds: int = 3,
    clock: Callable[[], float] = time.perf_counter,
) -> Prepared:
    """The fastest of all points at once and the CHUNKS smaller than n; the note says which.

    make(size) prepares the engine for feeding `size` points at a time.
    """
    sizes = [n, *(size for size in CHUNKS if size < n)]
    if len(sizes) == 1:
        return make(n)
    options = {size: make(size) for size in sizes}
    best = {size: float("inf") for size in sizes}
    for option in options.values():
        option.call()
    for _ in range(rounds):
        for size, option in options.items():
            start = clock()
            option.call()
            best[size] = min(best[size], clock() - start)
    size = min(best, key=lambda s: best[s])
    chosen = options[size]
    if size == n:
        return chosen
    note = ", ".join(part for part in (chosen.note, f"fed {size} points at a time") if part)
    return replace(chosen, note=note)


def all_of(calls: list[Callable[[], object]]) -> Callable[[], object]:
    """One call that runs them in order."""
    if len(calls) == 1:
        return calls[0]

    def run() -> None:
        for call in calls:
            call()

    return run


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread, as every engine here; restored afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
