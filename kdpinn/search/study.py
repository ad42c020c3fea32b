"""The study: which architecture next, and a record on disk that outlives any process.

Only the searching process writes it. A trial that was running when that process died, or whose
worker was lost, is marked as failed and its architecture tried again.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdpinn.search.front import OBJECTIVES
from kdpinn.search.space import Space
from kdpinn.search.trial import Architecture

MOST_LOSSES = 3
"""After so many lost workers an architecture is given up."""
_NAME = "students"


class Study:
    """An Optuna study with three objectives to be minimized: error, latency, bytes.

    Args:
        journal: the file that holds it; continued if it is there.
        seed: of the sampler.
    Raises:
        ValueError: optuna is not installed.
    """

    def __init__(self, journal: Path, space: Space, seed: int) -> None:
        self._optuna = _optuna()
        backend = self._optuna.storages.journal.JournalFileBackend(str(journal))
        self._study = self._optuna.create_study(
            storage=self._optuna.storages.JournalStorage(backend),
            study_name=_NAME,
            directions=["minimize"] * len(OBJECTIVES),
            load_if_exists=True,
            # Else it would propose what is being tried already.
            sampler=self._optuna.samplers.TPESampler(
                seed=seed, constant_liar=True, n_startup_trials=8
            ),
        )
        self._space = space
        self._random = random.Random(seed)
        self._asked: dict[int, Any] = {}
        for trial in self._trials("RUNNING"):
            self.lost(trial.number)

    def ask(self) -> tuple[int, Architecture] | None:
        """Number and architecture of a new trial; None when all have been tried."""
        while untried := self._untried():
            trial = self._study.ask()
            depth = trial.suggest_categorical("depth", self._space.depths)
            width = trial.suggest_int("width", self._space.widths[0], self._space.widths[-1])
            chosen = min(untried, key=lambda a: self._distance(a, (depth, width)))
            trial.set_user_attr("architecture", list(chosen))
            self._asked[trial.number] = trial
            return trial.number, chosen
        return None

    def told(self, number: int, values: Mapping[str, float], facts: Mapping[str, Any]) -> None:
        """The trial went to its end."""
        for name, value in facts.items():
            self._asked[number].set_user_attr(name, value)
        self._study.tell(number, [values[name] for name in OBJECTIVES])

    def failed(self, number: int, why: str) -> None:
        """The trial failed by itself: it would again."""
        self._asked[number].set_user_attr("failure", why)
        self._tell_failed(number)

    def lost(self, number: int) -> None:
        """The trial's worker is gone: another trial of this architecture may come."""
        self._tell_failed(number)

    def finished(self) -> list[tuple[int, Architecture, dict[str, float], dict[str, Any]]]:
        """Number, architecture, objectives and facts of all trials that went to their end."""
        return [
            (
                t.number,
                _architecture(t),
                dict(zip(OBJECTIVES, t.values, strict=True)),
                dict(t.user_attrs),
            )
            for t in self._trials("COMPLETE")
        ]

    def failures(self) -> list[tuple[int, Architecture, str]]:
        """Number, architecture and reason of the trials that failed or were lost."""
        return [
            (t.number, _architecture(t), t.user_attrs.get("failure", "its worker was lost"))
            for t in self._trials("FAIL")
        ]

    def _untried(self) -> list[Architecture]:
        """Architectures without a trial; first those that were lost, and not too often."""
        tried = {_architecture(t) for t in self._trials("COMPLETE", "RUNNING")}
        losses: dict[Architecture, int] = {}
        for t in self._trials("FAIL"):
            if "failure" in t.user_attrs:
                tried.add(_architecture(t))
            else:
                losses[_architecture(t)] = losses.get(_architecture(t), 0) + 1
        again = [a for a, n in losses.items() if n < MOST_LOSSES and a not in tried]
        return again or [a for a in self._space.all() if a not in tried and a not in losses]

    def _distance(self, one: Architecture, other: Architecture) -> tuple[float, float]:
        depth, width = (abs(a - b) for a, b in zip(one, other, strict=True))
        return depth * 4.0 + width, self._random.random()

    def _trials(self, *states: str) -> list[Any]:
        chosen = [self._optuna.trial.TrialState[state] for state in states]
        return list(self._study.get_trials(deepcopy=False, states=chosen))

    def _tell_failed(self, number: int) -> None:
        self._study.tell(number, state=self._optuna.trial.TrialState.FAIL)


def _architecture(trial: Any) -> Architecture:
    depth, width = trial.user_attrs.get("architecture", (0, 0))
    return int(depth), int(width)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ValueError(
            "`kdpinn search` needs optuna, which is not installed: pip install 'kdpinn[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
