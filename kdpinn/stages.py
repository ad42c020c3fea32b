"""The plan of a training: which optimizer, for how long, on how many points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from kdpinn.optimizers import LBFGS, Adam, LevenbergMarquardt, SSBroyden
from kdpinn.recipe import Training

# A stage holds any of them; their states differ, and only the optimizer itself looks inside.
AnyOptimizer: TypeAlias = Adam | LBFGS | LevenbergMarquardt | SSBroyden
AnyState: TypeAlias = Any

ADAM_RESAMPLE_EVERY = 100


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stretch of a training with one optimizer.

    Attributes:
        name: as shown and logged.
        optimizer: a stage whose optimizer equals the previous stage's continues its state.
        iterations: at most.
        points: collocation points.
        resample_every: iterations between two draws of points; 0 keeps the first draw.
        until: wall time since the start of the training at which the stage ends, in s.
        horizon: share of the problem's time that is seen, in (0, 1].
        parameters: of the problem, where they are not its own.
    """

    name: str
    optimizer: AnyOptimizer
    iterations: int
    points: int
    resample_every: int = 0
    until: float = math.inf
    horizon: float = 1.0
    parameters: Mapping[str, float] = field(default_factory=dict)


def stages(training: Training) -> tuple[Stage, ...]:
    """Adam if asked for, SSBroyden with resampling, its last stretch on fixed points, LM.

    A curriculum comes before all that; with several windows, the horizon grows during the
    stretch with resampling.
    """
    main = training.iterations * training.points
    last = training.last_iterations * training.last_points
    plan = [
        *_curriculum(training),
        Stage(
            name="adam",
            optimizer=Adam(rate=training.adam_rate),
            iterations=training.adam,
            points=training.adam_points,
            resample_every=ADAM_RESAMPLE_EVERY,
            until=training.seconds / 2,
            horizon=1 / training.windows,
        ),
        *_growing(training, training.seconds * main / max(main + last, 1)),
        Stage(
            name="fixed points",
            optimizer=SSBroyden(),
            iterations=training.last_iterations,
            points=training.last_points,
            until=training.seconds,
        ),
        Stage(
            name="levenberg-marquardt",
            optimizer=LevenbergMarquardt(damping=1e-6),
            iterations=training.levenberg_marquardt,
            points=training.last_points,
            until=training.seconds,
        ),
    ]
    return tuple(stage for stage in plan if stage.iterations)


def _curriculum(training: Training) -> list[Stage]:
    """A stretch for each neighboring set of parameters."""
    return [
        Stage(
            name=", ".join(f"{name} = {value:g}" for name, value in parameters.items()),
            optimizer=SSBroyden(),
            iterations=training.curriculum_iterations,
            points=training.points,
            resample_every=training.resample_every,
            until=training.seconds / 2,
            parameters=parameters,
        )
        for parameters in training.curriculum
    ]


def _growing(training: Training, until: float) -> list[Stage]:
    """The stretch with resampling, cut into equal parts for the windows."""
    count = training.windows
    ends = [round(training.iterations * k / count) for k in range(count + 1)]
    return [
        Stage(
            name="broyden" if count == 1 else f"window {k} of {count}",
            optimizer=SSBroyden(),
            iterations=ends[k] - ends[k - 1],
            points=training.points,
            resample_every=training.resample_every,
            until=until * k / count,
            horizon=k / count,
        )
        for k in range(1, count + 1)
    ]
