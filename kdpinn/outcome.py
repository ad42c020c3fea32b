"""What a training leaves to the rest of the run, whichever way it went."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdpinn.field import Field
from kdpinn.fine_tuning import Distilled
from kdpinn.metrics import History
from kdpinn.stored import write_history
from kdpinn.train import Trained

_NORMAL_ENDS = ("done", "time")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A trained field, its curve, and what is worth telling about it.

    Attributes:
        seconds: wall time over all sessions.
        note: a sentence for the report, or "".
        matched, tuned: relative L2 error of a student before and after its fine-tuning on the
            physics; None without such a stage.
    """

    field: Field
    history: History
    seconds: float
    note: str = ""
    matched: float | None = None
    tuned: float | None = None

    @classmethod
    def of_training(cls, trained: Trained) -> Outcome:
        """Of a teacher, or of a student from scratch."""
        note = "" if trained.stopped in _NORMAL_ENDS else f"It ended early: {trained.stopped}"
        return cls(field=trained.field, history=trained.history, seconds=trained.seconds, note=note)

    @classmethod
    def of_distillation(cls, distilled: Distilled) -> Outcome:
        """Of a student: both stages as one curve.

        The held-out value of the matching is a distance from the teacher, not a residual: it is
        left out of the curve.
        """
        first = distilled.matched.history
        first = _with_held_out(first, np.full(len(first.iteration), np.nan))
        history = first if distilled.tuned is None else joined(first, distilled.tuned.history)
        return cls(
            field=distilled.field,
            history=history,
            seconds=distilled.seconds,
            note=distilled.decision,
            matched=distilled.before.error,
            tuned=distilled.after.error if distilled.after is not None else None,
        )

    @classmethod
    def given(cls, field: Field, note: str) -> Outcome:
        """A network that somebody else trained, in the place of a training."""
        none = np.zeros(0)
        return cls(
            field=field,
            history=History(iteration=none, seconds=none, loss=none, held_out=none, rel_l2=none),
            seconds=0.0,
            note=note,
        )

    def store(self, path: Path) -> tuple[dict[str, Any], list[Path]]:
        """Write field and curve beside each other; facts and files, as a step returns them.

        Checkpoints of the training go: they have served, and are the largest files of a run.
        """
        curve = path.with_suffix(".history.npz")
        self.field.save(path)
        write_history(curve, self.history)
        for name in ("", "-start*", "-tuned", "-round*"):
            for used in path.parent.glob(f"{path.stem}{name}.checkpoint"):
                used.unlink(missing_ok=True)
        facts = {
            "seconds": round(self.seconds, 3),
            "parameters": self.field.network.parameters,
            "note": self.note,
            "found": self.field.found,
            "matched": self.matched,
            "tuned": self.tuned,
        }
        return facts, [path, curve]


def joined(first: History, second: History) -> History:
    """One curve: the second goes on where the first ended."""
    rows = len(first.iteration)
    iterations = first.iteration[-1] if rows else 0.0
    seconds = first.seconds[-1] if rows else 0.0
    return History(
        iteration=np.concatenate([first.iteration, second.iteration + iterations]),
        seconds=np.concatenate([first.seconds, second.seconds + seconds]),
        loss=np.concatenate([first.loss, second.loss]),
        held_out=np.concatenate([first.held_out, second.held_out]),
        rel_l2=np.concatenate([first.rel_l2, second.rel_l2]),
        marks=(*first.marks, *((row + rows, name) for row, name in second.marks)),
    )


def _with_held_out(history: History, held_out: np.ndarray) -> History:
    return History(
        iteration=history.iteration,
        seconds=history.seconds,
        loss=history.loss,
        held_out=held_out,
        rel_l2=history.rel_l2,
        marks=history.marks,
    )
