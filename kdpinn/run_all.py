"""Every shipped problem, one run after the other, and a page that compares them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from kdpinn import atomic
from kdpinn.comparison import Run, read_runs
from kdpinn.losses import TrainingDiverged
from kdpinn.pipeline import run
from kdpinn.plan import Order, recipe_of
from kdpinn.problems import available
from kdpinn.report import compare
from kdpinn.run_folder import RunFolderError

REPORT = "report.html"


def run_all(order: Order, out: Path, console: Console | None = None) -> tuple[Run, ...]:
    """Run every problem in a folder of its own under `out`, and compare them in out/report.html.

    A problem that fails does not stop the others.

    Raises:
        ValueError: a problem has no such preset; nothing was started.
        Interrupted: on Ctrl-C; what is finished stays, and `order.resume` goes on from it.
        RuntimeError: some runs failed, after all others were made; the message names them.
    """
    failed: list[str] = []
    problems = available()
    for problem in problems:
        recipe_of(problem, order.preset, order.seed)
    for k, problem in enumerate(problems, 1):
        if console is not None:
            console.rule(f"{k} of {len(problems)}: {problem.title}")
        try:
            one = dataclasses.replace(order, spec=problem.name)
            run(one, out / problem.name, console)
        except (TrainingDiverged, RunFolderError, ValueError) as error:
            failed.append(f"  {problem.name}: {error}")
    if len(failed) == len(problems):
        raise RuntimeError("Every run failed:\n" + "\n".join(failed))
    runs = compare_runs([out], out / REPORT)
    if failed:
        raise RuntimeError(
            f"{len(failed)} of {len(problems)} runs failed, the others are in {out}:\n"
            + "\n".join(failed)
        )
    return runs


def compare_runs(folders: Sequence[Path], page: Path) -> tuple[Run, ...]:
    """Write a page that compares the finished runs in the folders.

    Raises:
        ValueError: a folder holds no finished run.
    """
    runs = read_runs(folders)
    page.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(page, compare(runs))
    return runs
