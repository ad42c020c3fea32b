"""Seconds to an accuracy on Burgers: our quick recipe against DeepXDE's standard one.

The standard one is that of DeepXDE's own Burgers example: 2-20x3-1, 2540 points in the domain, 80
on the walls, 160 at the start, Adam with rate 1e-3 for 15,000 steps, then L-BFGS.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from kdpinn.drawing import Drawing
from kdpinn.problems import Problem, load_problem
from kdpinn.recipe import Recipe
from kdpinn.stages import stages
from kdpinn.teacher import judge_for, new_field
from kdpinn.train import Settings, train
from kdpinn_bench.training.contestant import quiet_environment

THRESHOLDS = (1e-2, 1e-3, 1e-4)
ADAM_STEPS, LBFGS_STEPS = 15_000, 15_000


@dataclass
class Trace:
    """Error against time.

    Attributes:
        name: of the recipe.
        rows: (seconds on the wall, seconds of the processor, relative L2 error).
    """

    name: str
    rows: list[tuple[float, float, float]] = field(default_factory=list)

    def reached(self, threshold: float) -> tuple[float, float] | None:
        """Seconds (wall, processor) at the first look with an error at most this; None if never."""
        for wall, processor, error in self.rows:
            if error <= threshold:
                return wall, processor
        return None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {}
        for threshold in THRESHOLDS:
            seconds = self.reached(threshold)
            told[f"{threshold:.0e}"] = seconds and {"wall_s": seconds[0], "processor_s": seconds[1]}
        return {"name": self.name, "reached": told, "trace": [list(row) for row in self.rows]}


class Clock:
    """Wall and processor time since the start, less what was taken off."""

    def __init__(self) -> None:
        self._start, self._off = self._now(), (0.0, 0.0)

    def read(self) -> tuple[float, float]:
        """Seconds (wall, processor)."""
        now = self._now()
        return now[0] - self._start[0] - self._off[0], now[1] - self._start[1] - self._off[1]

    def off(self, call: Callable[[], float]) -> float:
        """The call's result; its time does not count."""
        before = self._now()
        result = call()
        after = self._now()
        self._off = (
            self._off[0] + after[0] - before[0],
            self._off[1] + after[1] - before[1],
        )
        return result

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()


def ours(problem: Problem, recipe: Recipe, seed: int = 0, until: float = 0.0) -> Trace:
    """The teacher's training of the recipe, from the first line to the last; float64.

    It looks at the error as often as the recipe does, on its clock.

    until: an error at which it may stop.
    """
    clock, trace = Clock(), Trace("kdpinn, quick recipe")
    start = new_field(problem, recipe.teacher, recipe.activation, seed)
    judge = judge_for(problem, start, recipe.training, seed)
    measured = judge.error
    if measured is None:
        raise ValueError(f"{problem.owner} has no reference to be judged by.")

    def error(state: Any) -> float:
        value = measured(state)
        trace.rows.append((*clock.read(), value))
        if value <= until:
            raise _Enough
        return value

    judge = replace(judge, error=error)
    settings = Settings(title="race", seed=seed, check_every=recipe.training.check_every)
    sample = Drawing(problem, recipe.training, seed)
    with suppress(_Enough):
        train(start, stages(recipe.training), sample, judge, settings)
    return trace


class _Enough(Exception):
    """The error wanted is reached."""


def deepxde(cap: float, look_every: float = 2.0) -> Trace:
    """DeepXDE's standard recipe, for `cap` seconds of the processor; looks are off its clock."""
    quiet_environment()
    import deepxde as dde

    dde.config.set_default_float("float32")
    dde.config.set_random_seed(0)
    problem = load_problem("burgers")
    points = problem.evaluation_points()
    exact = problem.reference_at(points)
    nu = problem.parameters["nu"]

    def equation(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        u_x, u_t = (dde.grad.jacobian(y, x, i=0, j=j) for j in (0, 1))
        return u_t + y * u_x - nu * dde.grad.hessian(y, x, i=0, j=0)  # type: ignore[no-any-return]

    domain = dde.geometry.GeometryXTime(dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 1))
    walls = dde.icbc.DirichletBC(domain, lambda x: 0, lambda _, on_boundary: on_boundary)
    start = dde.icbc.IC(
        domain, lambda x: -np.sin(np.pi * x[:, :1]), lambda _, on_initial: on_initial
    )
    data = dde.data.TimePDE(
        domain, equation, [walls, start], num_domain=2540, num_boundary=80, num_initial=160
    )
    model = dde.Model(data, dde.nn.FNN([2, 20, 20, 20, 1], "tanh", "Glorot normal"))
    clock, trace = Clock(), Trace("DeepXDE, Adam and L-BFGS")

    def look() -> float:
        values = model.predict(points)
        return float(np.linalg.norm(values - exact) / np.linalg.norm(exact))

    class Watch(dde.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self) -> None:
            wall, processor = clock.read()
            if not trace.rows or wall > trace.rows[-1][0] + look_every or processor > cap:
                trace.rows.append((wall, processor, clock.off(look)))
                self.model.stop_training = processor > cap

    common = {"callbacks": [Watch()], "display_every": 10_000_000, "verbose": 0}
    model.compile("adam", lr=1e-3, verbose=0)
    model.train(iterations=ADAM_STEPS, **common)
    if clock.read()[1] < cap:
        dde.optimizers.set_LBFGS_options(maxiter=LBFGS_STEPS)
        # Between two looks; set_LBFGS_options has no argument for it.
        dde.optimizers.config.LBFGS_options["iter_per_step"] = 100
        model.compile("L-BFGS", verbose=0)
        model.train(**common)
    trace.rows.append((*clock.read(), clock.off(look)))
    return trace
