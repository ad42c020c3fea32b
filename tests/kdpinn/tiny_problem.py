"""A user's problem file: small enough that a whole run takes seconds."""

from __future__ import annotations

import numpy as np

from kdpinn import Box, Problem, dirichlet
from kdpinn.recipe import Distillation, Recipe, Training


def sine(x, t):
    return np.sin(np.pi * x) * np.exp(-0.5 * t)


TINY = Recipe(
    teacher=(8, 8),
    students=((4, 4), (6, 6)),
    training=Training(
        points=200,
        condition_points=40,
        iterations=120,
        last_iterations=30,
        last_points=300,
        resample_every=60,
        held_out_points=200,
        check_every=10,
    ),
    distillation=Distillation(points=300, iterations=120, tune_iterations=30, check_every=20),
)

Decay = Problem(
    name="decay",
    title="Decay of a sine",
    domain=Box(x=(0, 1), t=(0, 1), units={"x": "m", "t": "s"}),
    fields=("u",),
    units={"u": "K"},
    parameters={"rate": 0.5},
    residual=lambda j: j.u.t + j.rate * j.u,
    conditions=(
        dirichlet("start", on=[{"t": 0}], u=lambda x: np.sin(np.pi * x)),
        dirichlet("ends", on=[{"x": 0}, {"x": 1}], u=0.0),
    ),
    reference=sine,
    grid=(21, 11),
    recipes={"quick": TINY},
)

Blind = Decay.replace(name="blind", title="The same without a reference", reference=None)
