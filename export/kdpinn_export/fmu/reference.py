"""Known answers of an FMU: a way through the domain, and the model's outputs along it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import kdpinn_runtime
from kdpinn_runtime.format import ModelFile

from .options import FmuOptions
from .variables import middle

STEPS = 100
SHARE = 0.98
"""Of the domain's width that the way takes, so that rounding does not lead it outside."""


def reference_tables(model: ModelFile, data: bytes, options: FmuOptions) -> dict[str, bytes]:
    """input.csv and reference.csv: what to put in at each time, and what has to come out.

    Inputs swing through their domain, each at its own pace, parameters stay where they start; the
    input that is the time runs from one end of its domain to the other. Rows are instants, or,
    where variables are arrays, points at the time of the start.
    """
    bound = options.time_input(model)
    x, time = way(model, options)
    dtype = np.float64 if options.precision == "f64" else np.float32
    u = kdpinn_runtime.load(data)(x.astype(dtype)).astype(np.float64)
    names = [v.name for v in model.inputs]
    moving = [k for k, name in enumerate(names) if k != bound and name not in options.parameters]
    outputs = [v.name for v in model.outputs]
    return {
        "input.csv": _csv(
            ["time", *(names[k] for k in moving)], np.column_stack([time, x[:, moving]])
        ),
        "reference.csv": _csv(["time", *outputs], np.column_stack([time, u])),
    }


def way(model: ModelFile, options: FmuOptions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Inputs (n, d) and times (n,) of the reference."""
    bound = options.time_input(model)
    s = np.linspace(0.0, 1.0, STEPS + 1)
    x = np.empty((len(s), len(model.inputs)))
    for k, variable in enumerate(model.inputs):
        half = 0.5 * SHARE * (variable.upper - variable.lower)
        swing = half * np.sin(2 * np.pi * (k + 1) * s + 0.25 * k)
        fixed = variable.name in options.parameters
        x[:, k] = middle(variable) if fixed else middle(variable) + swing
    time = s if not options.points else np.zeros_like(s)
    if bound >= 0:
        clock = model.inputs[bound]
        run = clock.lower + s * (clock.upper - clock.lower)
        time = run if not options.points else np.full_like(run, clock.lower)
        x[:, bound] = time
    return x, time


def _csv(names: Sequence[str], columns: NDArray[np.float64]) -> bytes:
    """Comma-separated, numbers so that they read back exactly."""
    rows = [",".join(f'"{name}"' for name in names)]
    rows += [",".join(repr(float(value)) for value in row) for row in columns]
    return ("\n".join(rows) + "\n").encode()
