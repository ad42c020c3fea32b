"""Writes a model's field over a grid, in memory that does not grow with the field."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kdpinn.fields.chunk import write_chunk
from kdpinn.fields.export import EXPORTS, export_field
from kdpinn.fields.grid import Grid
from kdpinn.fields.store import finish, missing_chunks, open_or_make
from kdpinn.fields.workers import by_dask, by_threads, check_scheduler
from kdpinn_runtime import Model, load

SUFFIXES = (".zarr", *EXPORTS)


def write_field(
    content: bytes,
    grid: Grid,
    target: Path,
    *,
    dtype: str = "float64",
    workers: int = 1,
    dask: str = "",
    console: Console | None = None,
) -> int:
    """Evaluate the model file `content` over `grid` into `target`; how many chunks were computed.

    A zarr group that was begun is gone on with: chunks that are there are not computed again.
    Other formats are written in one go, to a sibling file that is renamed at the end.

    Args:
        target: .zarr, .nc (NetCDF), .vti or .vtu (ParaView).
        dtype: arithmetic and storage, float32 or float64.
        workers: threads of this process; ignored with `dask`.
        dask: address of a Dask scheduler whose workers see `target` under the same path; zarr only.
        console: where to draw the progress; None for none.
    Raises:
        ValueError: an unknown format, a grid that it cannot hold, or another field at `target`.
    """
    model = load(content, outside="count")
    suffix = target.suffix
    if suffix not in SUFFIXES:
        raise ValueError(f"--to takes a file that ends in {', '.join(SUFFIXES)}, got {target}.")
    if not target.parent.is_dir():
        raise ValueError(f"The folder {target.parent} does not exist: make it first.")
    with _progress(console) as bar:
        if suffix != ".zarr":
            if dask:
                raise ValueError(
                    f"--dask writes .zarr, which many can write at once, not {suffix}."
                )
            return export_field(model, grid, target, dtype, _counter(bar, grid))
        return _into_zarr(content, model, grid, target.absolute(), dtype, workers, dask, bar)


def _into_zarr(
    content: bytes,
    model: Model,
    grid: Grid,
    target: Path,
    dtype: str,
    workers: int,
    dask: str,
    bar: Progress,
) -> int:
    if dask:
        check_scheduler(dask)
    open_or_make(target, model, grid, dtype)
    todo = missing_chunks(target, model, grid)
    count = _counter(bar, grid, done=len(list(grid.indices())) - len(todo))
    work = partial(_task, content, grid, dtype, str(target))
    made = by_dask(work, todo, dask) if dask else by_threads(work, todo, workers)
    for _ in made:
        count()
    finish(target)
    return len(todo)


def _task(
    content: bytes, grid: Grid, dtype: str, store: str, index: tuple[int, ...]
) -> tuple[int, ...]:
    return write_chunk(content, grid, index, dtype, store)


def _progress(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console or Console(quiet=True),
        disable=console is None,
    )


def _counter(bar: Progress, grid: Grid, done: int = 0) -> partial[None]:
    total = len(list(grid.indices()))
    task = bar.add_task("chunks", total=total, completed=done)
    return partial(bar.advance, task)
