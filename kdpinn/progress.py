"""What a running training shows: a bar for people, a JSONL log for machines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from kdpinn.atomic import write_text


@dataclass(frozen=True, kw_only=True)
class Row:
    """One look at a training.

    Attributes:
        iteration: over all stages.
        stage: name of the stage.
        seconds: wall time so far, over all sessions of the run.
        loss: of the training points.
        terms: its shares by name.
        held_out: the judgment on points that nothing trains on.
        rel_l2: relative L2 error against the reference; None without one.
    """

    iteration: int
    stage: str
    seconds: float
    loss: float
    terms: Mapping[str, float]
    held_out: float
    rel_l2: float | None

    def to_json(self) -> str:
        """One line. Numbers that are not finite become null: JSON has none."""
        values = {
            "iteration": self.iteration,
            "stage": self.stage,
            "seconds": round(self.seconds, 3),
            "loss": _finite(self.loss),
            "terms": {name: _finite(value) for name, value in self.terms.items()},
            "held_out": _finite(self.held_out),
            "rel_l2": None if self.rel_l2 is None else _finite(self.rel_l2),
        }
        return json.dumps(values)


class Log:
    """JSONL file, one row a line, appended and flushed at once.

    Args:
        path: the file, or None for no log.
        keep: rows of earlier sessions up to this iteration stay, the others were lost with the
            killed session that wrote them and are dropped.
    """

    def __init__(self, path: Path | None, keep: int = -1) -> None:
        self._path = path
        if path is not None:
            write_text(path, "".join(_kept_lines(path, keep)))

    def write(self, row: Row) -> None:
        """Append the row."""
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(row.to_json() + "\n")


class Bar:
    """Progress bar with loss, held-out residual and error; silent where nobody looks.

    Args:
        title: of the training, e.g. "teacher".
        total: iterations of all stages.
        console: where to draw; None draws nothing.
    """

    def __init__(self, title: str, total: int, console: Console | None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeRemainingColumn(),
            console=console or Console(quiet=True),
            disable=console is None,
        )
        self._task: TaskID = self._progress.add_task(title, total=total, figures="")
        self._title = title

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, row: Row) -> None:
        """Move to the row."""
        self._progress.update(
            self._task,
            completed=row.iteration,
            description=f"{self._title} [{row.stage}]".replace("[", r"\["),
            figures=figures(row),
        )


def figures(row: Row) -> str:
    """'loss 1.2e-05  held-out 3.4e-05  error 5.6e-03'."""
    parts = [f"loss {row.loss:.1e}", f"held-out {row.held_out:.1e}"]
    if row.rel_l2 is not None:
        parts.append(f"error {row.rel_l2:.1e}")
    return "  ".join(parts)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _kept_lines(path: Path, keep: int) -> list[str]:
    if keep < 0 or not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    # The last line may be torn: it was being written when the session was killed.
    whole = [line for line in lines if line.endswith("\n")]
    return [line for line in whole if json.loads(line)["iteration"] <= keep]
