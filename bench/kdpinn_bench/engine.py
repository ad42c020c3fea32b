"""What an engine is: something that prepares a model for fixed inputs, then only runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kdpinn_export import bounded_outputs
from kdpinn_runtime.format import ModelFile

Points = NDArray[np.float32]
FloatArray = NDArray[np.floating[Any]]

CHUNKS = (4096, 2048, 1024)
"""Batches that an engine is offered where all points at once leave its cache."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """One engine, ready: buffers bound, weights packed, code compiled.

    call evaluates the current content of the inputs that it was prepared for; output does the
    same and returns the values, (n, outputs). note: settings worth telling.
    """

    call: Callable[[], object]
    output: Callable[[], FloatArray]
    note: str = ""


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


def largest_error(model: ModelFile, x: Points, output: FloatArray) -> tuple[float, float]:
    """Largest |difference| from the model in float64, and the largest ratio to its bound.

    A ratio up to 1 is rounding (`bounded_outputs`); beyond it the engine computes something else.
    output (n, outputs). Raises ValueError for another shape.
    """
    bounded = bounded_outputs(model, x.astype(np.float64), np.float32)
    fields = [bounded[v.name] for v in model.outputs]
    expected, bound = (np.hstack(part) for part in zip(*fields, strict=True))
    if output.shape != expected.shape:
        raise ValueError(f"expected outputs of shape {expected.shape}, got {output.shape}")
    difference = np.abs(output.astype(np.float64) - expected)
    return float(np.max(difference)), float(np.max(difference / np.maximum(bound, 1e-300)))


def chunks(n: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size` points."""
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def best_chunked(n: int, make: Callable[[int], Prepared], rounds: int = 5) -> Prepared:
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
            start = time.perf_counter()
            option.call()
            best[size] = min(best[size], time.perf_counter() - start)
    size = min(best, key=lambda s: best[s])
    chosen = options[size]
    if size == n:
        return chosen
    note = ", ".join(part for part in (chosen.note, f"fed {size} points at a time") if part)
    return Prepared(chosen.call, chosen.output, note)


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
