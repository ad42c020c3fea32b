"""The training loop: stages, resampling, best state, log, checkpoints, interrupts, divergence."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from rich.console import Console
from torch import Tensor

from kdpinn import checkpoint
from kdpinn.field import Field
from kdpinn.interrupts import Interrupted, deferred_interrupt
from kdpinn.losses import TrainingDiverged, TrainingObjective, check_finite
from kdpinn.metrics import History
from kdpinn.progress import Bar, Log, Row
from kdpinn.stages import Stage
from kdpinn.team import ALONE, Memory, Sampler, Team
from kdpinn.training_state import first_or_resumed, run_name

MAX_FRUITLESS_DRAWS = 3
"""A stage ends when on this many point sets in a row no step was possible."""

logger = logging.getLogger(__name__)


class HeldOut(Protocol):
    """What judges on points that nothing trains on."""

    def value(self, theta: Tensor) -> float:
        """The judgment of parameters (P,); the least wins."""
        ...


@dataclass(frozen=True, kw_only=True)
class Judge:
    """What a state is judged by.

    Attributes:
        held_out: judgment on points that nothing trains on; the least value wins.
        error: relative L2 error of a field, only shown and logged; None without a reference.
    """

    held_out: HeldOut
    error: Callable[[Field], float] | None = None


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a training is watched and stored.

    Attributes:
        title: "teacher", "student 10-10-10", ...
        seed: recorded with the checkpoint: another seed is another run.
        check_every: iterations between two looks.
        checkpoint: file; None stores nothing.
        checkpoint_seconds: wall time between two checkpoints, in s.
        log: JSONL file; None for none.
        resume: continue from the checkpoint if the file is there.
        console: where the progress bar is drawn; None draws none.
        team: the processes that share the work.
    """

    title: str = "training"
    seed: int = 0
    check_every: int = 50
    checkpoint: Path | None = None
    checkpoint_seconds: float = 30.0
    log: Path | None = None
    resume: bool = False
    console: Console | None = None
    team: Team = ALONE


@dataclass(frozen=True, kw_only=True)
class Trained:
    """Outcome of a training.

    Attributes:
        field: the best state by the held-out judgment.
        held_out: its value there.
        history: a row per look.
        iterations, evaluations: over all stages (evaluations of the last optimizer only).
        seconds: wall time over all sessions.
        stopped: "done", "time", or what ended it early in words.
    """

    field: Field
    held_out: float
    history: History
    iterations: int
    seconds: float
    stopped: str


def train(
    field: Field,
    stages: Sequence[Stage],
    sample: Sampler,
    judge: Judge,
    settings: Settings,
    memory: Memory | None = None,
) -> Trained:
    """Train the field through all stages and return the best state met.

    Args:
        memory: of the sampler; None if its draws do not depend on each other.
    Raises:
        TrainingDiverged: the loss is not finite before any good state was met. Later the training
            ends, and `Trained.stopped` holds the message.
        Interrupted: on Ctrl-C, after a checkpoint.
        ValueError: the checkpoint to resume from belongs to other settings.
    """
    if not stages:
        raise ValueError("`train` needs at least one stage with iterations.")
    return _Trainer(field, tuple(stages), sample, judge, settings, memory).run()


class _Trainer:
    def __init__(
        self,
        field: Field,
        stages: tuple[Stage, ...],
        sample: Sampler,
        judge: Judge,
        settings: Settings,
        memory: Memory | None,
    ) -> None:
        self.memory = memory
        self.field, self.stages, self.sample = field, stages, sample
        self.judge, self.settings = judge, settings
        self.run_name = run_name(field, stages, settings.seed)
        path = settings.checkpoint if settings.resume else None
        self.now = first_or_resumed(path, self.run_name, field, stages)
        self.log = Log(settings.log, keep=self.now.total if settings.resume else -1)
        self.session_start = self.last_checkpoint = time.monotonic()

    @property
    def elapsed(self) -> float:
        return self.now.seconds + time.monotonic() - self.session_start

    def run(self) -> Trained:
        total = sum(stage.iterations for stage in self.stages)
        with (
            Bar(self.settings.title, total, self.settings.console) as bar,
            deferred_interrupt() as asked,
        ):
            try:
                while self.now.stage < len(self.stages):
                    self._run_stage(self.stages[self.now.stage], bar, asked)
                    self._next_stage()
            except TrainingDiverged as error:
                if not math.isfinite(self.now.best_held_out):
                    raise
                logger.warning("%s: %s", self.settings.title, error)
                self.now = replace(self.now, stage=len(self.stages), stopped=str(error))
            except KeyboardInterrupt:
                # Not from the deferred handler: the state may be torn, the last checkpoint is not.
                raise self._interrupted() from None
        self._store()
        return self._outcome()

    def _run_stage(self, stage: Stage, bar: Bar, asked: threading.Event) -> None:
        objective = self._draw(stage) if self.now.done == 0 else self._same_points(stage)
        while self.now.done < stage.iterations:
            if self.elapsed > stage.until:
                self.now.stopped = "time"
                break
            if self._draw_is_due(stage):
                if self.now.fruitless >= MAX_FRUITLESS_DRAWS:
                    break
                objective = self._draw(stage)
            self.now.optimizer = stage.optimizer.step(objective, self.now.optimizer)
            self.now.done += 1
            self.now.total += 1
            stuck = bool(self.now.optimizer.stuck)
            self._guard(objective)
            last = self.now.done == stage.iterations or stuck
            if last or self.now.total % self.settings.check_every == 0:
                bar.show(self._look(stage, objective))
            if stuck and not stage.resample_every:
                break
            self.now.fruitless = self.now.fruitless + 1 if stuck else 0
            self._store_if_due()
            if asked.is_set():
                self._store()
                raise self._interrupted()

    def _draw_is_due(self, stage: Stage) -> bool:
        if not stage.resample_every or self.now.done == 0:
            return False
        return self.now.done % stage.resample_every == 0 or bool(self.now.optimizer.stuck)

    def _draw(self, stage: Stage) -> TrainingObjective:
        self.now.draw += 1
        self.now.sampled = self.now.optimizer.theta.clone()
        self.now.optimizer = stage.optimizer.renew(self.now.optimizer)
        if self.memory is not None:
            self.memory.renew(self.field.with_theta(self.now.sampled), stage)
            self.now.memory = self.memory.values
        return self._same_points(stage)

    def _same_points(self, stage: Stage) -> TrainingObjective:
        if self.memory is not None:
            self.memory.values = self.now.memory
        return self.sample(self.field.with_theta(self.now.sampled), stage, self.now.draw)

    def _guard(self, objective: TrainingObjective) -> None:
        value = self.now.optimizer.value
        if not math.isfinite(value):
            check_finite(objective.term_values(self.now.optimizer.theta), self.now.total)
            raise TrainingDiverged(f"The loss is {value} at iteration {self.now.total}.")

    def _look(self, stage: Stage, objective: TrainingObjective) -> Row:
        theta = self.now.optimizer.theta
        held_out = self.judge.held_out.value(theta)
        if held_out < self.now.best_held_out:
            self.now.best, self.now.best_held_out = theta.clone(), held_out
        error = self.judge.error(self.field.with_theta(theta)) if self.judge.error else None
        row = Row(
            iteration=self.now.total,
            stage=stage.name,
            seconds=self.elapsed,
            loss=self.now.optimizer.value,
            terms=objective.term_values(theta),
            held_out=held_out,
            rel_l2=error,
        )
        self.now.add(row)
        self.log.write(row)
        return row

    def _next_stage(self) -> None:
        old = self.stages[self.now.stage].optimizer
        self.now.stage, self.now.done, self.now.fruitless = self.now.stage + 1, 0, 0
        if self.now.stage < len(self.stages):
            optimizer = self.stages[self.now.stage].optimizer
            if optimizer != old:
                self.now.optimizer = optimizer.start(self.now.optimizer.theta)

    def _store_if_due(self) -> None:
        if time.monotonic() - self.last_checkpoint > self.settings.checkpoint_seconds:
            self._store()

    def _store(self) -> None:
        self.last_checkpoint = time.monotonic()
        if self.settings.checkpoint is not None:
            state = replace(self.now, seconds=self.elapsed)
            checkpoint.write(self.settings.checkpoint, state, run=self.run_name)

    def _interrupted(self) -> Interrupted:
        path = self.settings.checkpoint
        where = f"The state is in {path}" if path else "No checkpoint was asked for"
        how = "; run the same command with `--resume` to go on." if path else "."
        return Interrupted(f"Interrupted at iteration {self.now.total}. {where}{how}")

    def _outcome(self) -> Trained:
        return Trained(
            field=self.field.with_theta(self.now.best),
            held_out=self.now.best_held_out,
            history=self.now.history(self.stages),
            iterations=self.now.total,
            seconds=self.elapsed,
            stopped=self.now.stopped,
        )
