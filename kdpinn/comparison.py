"""Finished runs side by side: what their metrics.json files say."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS, TORCH = "kdpinn-runtime", "torch eager"
POINTS = "10000"
"""Number of points of the latencies that are compared, as JSON spells it."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network of a run: its size, error and cost; None where it was not taken.

    Attributes:
        role: "teacher", "student", "scratch" or "pruned".
        error: relative L2 error over all fields on the evaluation grid.
        latency_ms: 10,000 points in our runtime on one thread.
        matched, tuned: error of a student before and after its fine-tuning on the physics.
    """

    role: str
    parameters: int
    error: float | None
    rmse: float | None
    octets: int | None = None
    latency_ms: float | None = None
    matched: float | None = None
    tuned: float | None = None


@dataclass(frozen=True, kw_only=True)
class Run:
    """One finished run.

    Attributes:
        networks: the teacher, the students, the scratch student, in this order.
        speedup: time of the teacher in torch eager over that of the student in our runtime.
        passed: verdict of `verify`, None if it has not run.
    """

    folder: Path
    problem: str
    preset: str
    seed: int
    seconds: float
    networks: tuple[Network, ...]
    speedup: float | None
    passed: bool | None
    found: Mapping[str, float]

    def network(self, role: str) -> Network | None:
        """The network of a role; the last student, which is the one that is shipped."""
        return next((n for n in reversed(self.networks) if n.role == role), None)

    @property
    def title(self) -> str:
        """`burgers, best, seed 0`."""
        return f"{self.problem}, {self.preset}, seed {self.seed}"


def read_runs(folders: Sequence[Path]) -> tuple[Run, ...]:
    """The finished runs in the folders: each is one run, or holds runs.

    Raises:
        ValueError: there is none in one of them, or a metrics.json is damaged.
    """
    runs: list[Run] = []
    for folder in folders:
        files = sorted([*folder.glob("metrics.json"), *folder.glob("*/metrics.json")])
        if not files:
            raise ValueError(
                f"{folder} holds no finished run: there is no metrics.json in it or in its "
                "folders. `kdpinn run PROBLEM --out DIR` makes one."
            )
        runs += [read_run(path) for path in files]
    return tuple(runs)


def read_run(path: Path) -> Run:
    """One metrics.json.

    Raises:
        ValueError: it is no file of a run.
    """
    try:
        metrics = json.loads(path.read_text("utf-8"))
        return _run(path.parent, metrics)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is no metrics.json of a run ({error!r}): make it anew with "
            f"`kdpinn report {path.parent}`."
        ) from error


def _run(folder: Path, metrics: Mapping[str, Any]) -> Run:
    ours = metrics.get("latency_ms", {}).get(OURS, {}).get(POINTS)
    networks = [_network("teacher", metrics["teacher"])] if "teacher" in metrics else []
    networks += [_network("student", student) for student in metrics.get("students", [])]
    if networks and networks[-1].role == "student":
        networks[-1] = _network("student", metrics["student"], ours)
    networks += [_network(r, metrics[r]) for r in ("scratch", "pruned") if r in metrics]
    return Run(
        folder=folder,
        problem=metrics["problem"],
        preset=metrics["preset"],
        seed=int(metrics["seed"]),
        seconds=float(metrics["seconds"]),
        networks=tuple(networks),
        speedup=over_teacher(metrics) or None,
        passed=metrics.get("verify", {}).get("passed"),
        found=metrics.get("teacher", {}).get("found", {}),
    )


def over_teacher(metrics: Mapping[str, Any]) -> float:
    """Time of the teacher in torch eager over the student's in our runtime, 10,000 points, float32.

    Both from the same rounds; of runs that timed them apart, from the two tables. 0 where one of
    them was not timed.
    """
    teacher = metrics.get("teacher_latency_ms", {})
    apart = metrics.get("latency_ms", {}).get(OURS, {})
    ours, theirs = teacher.get("student", apart).get(POINTS), teacher.get(TORCH, {}).get(POINTS)
    return float(theirs / ours) if ours and theirs else 0.0


def _network(role: str, facts: Mapping[str, Any], latency_ms: float | None = None) -> Network:
    return Network(
        role=role,
        parameters=int(facts["parameters"]),
        error=facts["rel_l2"],
        rmse=facts["rmse"],
        octets=facts["file_bytes"],
        latency_ms=latency_ms,
        matched=facts.get("matched"),
        tuned=facts.get("tuned"),
    )
