"""What `kdpinn bench` does: order, progress, tables, files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kdpinn_bench import picture, record, tables
from kdpinn_bench.cases import NETWORKS, random_model
from kdpinn_bench.solver import refusal
from kdpinn_bench.suite import (
    ENGINES,
    POINT_COUNTS,
    QUICK_ENGINES,
    QUICK_SECTIONS,
    SECONDS,
    Order,
    Results,
    run_suite,
)
from kdpinn_runtime import read
from kdpinn_runtime.format import ModelFile


def make_order(
    models: Sequence[Path],
    *,
    nets: str = "",
    engines: str = "",
    points: str = "",
    sections: str = "",
    full: bool = False,
    solver: bool = False,
    seconds: float = SECONDS,
) -> Order:
    """The order from what the command line says; lists are separated by commas.

    Without models and nets: all networks with random weights. full: torch.compile and instruction
    counts too. Raises ValueError for an unknown name, FormatError and OSError for a model.
    """
    chosen = _models(models, nets)
    parts = _words(sections) or (*QUICK_SECTIONS, *(("instructions",) if full else ()))
    if solver and "solver" not in parts:
        parts = (*parts, "solver")
    if "solver" in parts:
        _require_solver(chosen)
    return Order(
        models=chosen,
        engines=_words(engines) or (tuple(ENGINES) if full else QUICK_ENGINES),
        sections=parts,
        points=tuple(map(_number, _words(points))) or POINT_COUNTS,
        seconds=seconds,
    )


def run(
    order: Order, console: Console, json_file: Path | None = None, picture_file: Path | None = None
) -> Results:
    """Measure, print, write. Interrupted, it prints and writes what is finished.

    Raises ValueError before measuring for a picture of an unknown kind, OSError for a folder that
    cannot be made.
    """
    if picture_file is not None:
        picture.check_suffix(picture_file)
    for path in (json_file, picture_file):
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
    with _progress() as report:
        results = run_suite(order, report)
    tables.show(results, console)
    if json_file is not None:
        record.write(json_file, results)
        console.print(f"samples: {json_file}", highlight=False, soft_wrap=True)
    if picture_file is not None and results.tables("values"):
        picture.draw(results, picture_file)
        console.print(f"picture: {picture_file}", highlight=False, soft_wrap=True)
    return results


@contextmanager
def _progress() -> Iterator[Callable[[int, int, str], None]]:
    """A bar on stderr; nothing where nobody looks."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    # Drawn only when a step begins: a thread that redraws would run beside what is measured.
    bar = Progress(*columns, console=console, auto_refresh=False, disable=not console.is_terminal)
    with bar:
        task = bar.add_task("", total=None)

        def report(done: int, total: int, label: str) -> None:
            bar.update(task, completed=done, total=total, description=f"{label:<28}", refresh=True)

        yield report


def _models(paths: Sequence[Path], nets: str) -> dict[str, ModelFile]:
    names = _words(nets) or (() if paths else tuple(NETWORKS))
    unknown = [name for name in names if name not in NETWORKS]
    if unknown:
        raise ValueError(f"no network {', '.join(unknown)}; there are {', '.join(NETWORKS)}.")
    found = {name: random_model(NETWORKS[name]) for name in names}
    for path in paths:
        name = path.stem if path.stem not in found else str(path)
        found[name] = read(path)
    return found


def _require_solver(models: dict[str, ModelFile]) -> None:
    """At least one model must have one; the others are left out of that section."""
    reasons = [f"{name}: {why}" for name, model in models.items() if (why := refusal(model))]
    if len(reasons) == len(models):
        raise ValueError(f"{'; '.join(reasons)}.")


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _number(word: str) -> int:
    if not word.replace("_", "").isdigit():
        raise ValueError(f"`--points` takes whole numbers separated by commas, got {word!r}.")
    return int(word)
