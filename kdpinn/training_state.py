"""Where a training stands, and how that outlives the process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kdpinn import checkpoint
from kdpinn.field import Field
from kdpinn.metrics import History
from kdpinn.progress import Row
from kdpinn.stages import AnyState, Stage


@dataclass(kw_only=True)
class TrainingState:
    """All that changes during a training; exactly this is in a checkpoint.

    Attributes:
        stage, done: number of the stage, iterations done in it.
        total: iterations over all stages.
        draw: number of point sets drawn.
        fruitless: draws in a row without a step.
        sampled: (P,), the parameters at the last draw: they and `draw` make the same points again.
        optimizer: its state.
        best, best_held_out: (P,) and its judgment.
        rows: (k, 6), iteration, stage, seconds, loss, held-out, error.
        seconds: wall time before this start.
        stopped: why the training ended.
        memory: the sampler's, as it was at the last draw.
    """

    stage: int = 0
    done: int = 0
    total: int = 0
    draw: int = 0
    fruitless: int = 0
    sampled: Tensor
    optimizer: AnyState
    best: Tensor
    best_held_out: float = math.inf
    rows: Tensor
    seconds: float = 0.0
    stopped: str = "done"
    memory: Tensor

    def add(self, row: Row) -> None:
        """Remember a look."""
        error = math.nan if row.rel_l2 is None else row.rel_l2
        numbers = [row.iteration, self.stage, row.seconds, row.loss, row.held_out, error]
        self.rows = torch.cat([self.rows, self.rows.new_tensor([numbers])])

    def history(self, stages: Sequence[Stage]) -> History:
        """All looks as curves."""
        table = self.rows.numpy()
        numbers = table[:, 1].astype(int)
        starts = [0, *(np.flatnonzero(np.diff(numbers)) + 1)] if len(numbers) else []
        return History(
            iteration=table[:, 0],
            seconds=table[:, 2],
            loss=table[:, 3],
            held_out=table[:, 4],
            rel_l2=table[:, 5],
            marks=tuple((int(row), stages[numbers[row]].name) for row in starts),
        )


def first_or_resumed(
    path: Path | None, run: str, field: Field, stages: Sequence[Stage]
) -> TrainingState:
    """The state in a checkpoint if there is one, else that before the first iteration.

    Args:
        path: of the checkpoint; None to begin anew.
        run: `run_name` of the training.
    Raises:
        ValueError: the checkpoint belongs to a training with other settings.
    """
    if path is None or not path.exists():
        return _first(field, stages[0])
    stored = checkpoint.read(path)
    if stored.run != run:
        raise ValueError(
            f"{path} belongs to a run with other settings and cannot be resumed by this one. "
            f"Stored: {stored.run}. Now: {run}. Use the same settings, or another "
            "output directory."
        )
    stage = min(int(stored.scalars["stage"]), len(stages) - 1)
    return checkpoint.restore(_first(field, stages[stage]), stored)


def run_name(field: Field, stages: Sequence[Stage], seed: int) -> str:
    """What must agree when a run is resumed; the caps on time may change."""
    plan = [_about(stage) for stage in stages]
    network: tuple[object, ...] = (field.problem, field.network.sizes, field.network.activation)
    symmetry = field.network.symmetry
    if symmetry is not None:
        network = (*network, symmetry.describe())
    return f"{network} seed {seed} {plan}"


def _first(field: Field, stage: Stage) -> TrainingState:
    theta = field.theta.detach().clone()
    return TrainingState(
        sampled=theta,
        optimizer=stage.optimizer.start(theta),
        best=theta,
        rows=torch.zeros(0, 6, dtype=torch.float64),
        memory=torch.zeros(0, dtype=torch.float64),
    )


def _about(stage: Stage) -> tuple[object, ...]:
    optimizer = repr(stage.optimizer)
    about = stage.name, optimizer, stage.iterations, stage.points, stage.resample_every
    whole = stage.horizon == 1.0 and not stage.parameters
    return about if whole else (*about, stage.horizon, str(stage.parameters))
