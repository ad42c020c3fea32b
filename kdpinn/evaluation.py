"""A model file on the evaluation grid, by the runtime: values, errors, PDE residual."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from kdpinn.geometry import FloatArray
from kdpinn.metrics import Accuracy, accuracy
from kdpinn.problems import Problem
from kdpinn_runtime import Model

CHUNK = 65_536


@dataclass(frozen=True)
class OnGrid:
    """values (n, m); residual (n,): |r| over all equations, None without an equation."""

    values: FloatArray
    residual: FloatArray | None
    accuracy: Accuracy | None

    @property
    def residual_rms(self) -> float | None:
        """Root mean square of the residual."""
        return None if self.residual is None else float(np.sqrt(np.mean(self.residual**2)))


def on_grid(
    problem: Problem, model: Model, points: FloatArray, reference: FloatArray | None
) -> OnGrid:
    """Evaluate the model in float64 arithmetic.

    Args:
        points: (n, d); reference: (n, m) there, or None.
    Raises:
        ValueError: the model's inputs or outputs are not those of the problem.
    """
    check_names(problem, model)
    parts = np.array_split(points, max(1, -(-len(points) // CHUNK)))
    values = np.concatenate([np.asarray(model(part)) for part in parts])
    residual = None
    if problem.residual is not None:
        residual = np.concatenate(list(map(partial(_residual, problem, model), parts)))
    return OnGrid(values, residual, accuracy(values, reference) if reference is not None else None)


def check_names(problem: Problem, model: Model) -> None:
    """Raise ValueError unless the model maps the problem's coordinates to its fields."""
    got = tuple(v.name for v in model.inputs), tuple(v.name for v in model.outputs)
    if got != (problem.coordinates, problem.fields):
        raise ValueError(
            f"The model maps {', '.join(got[0])} to {', '.join(got[1])}, {problem.owner} maps "
            f"{', '.join(problem.coordinates)} to {', '.join(problem.fields)}."
        )


def _residual(problem: Problem, model: Model, points: FloatArray) -> FloatArray:
    spec = problem.spec()
    names = problem.coordinates
    second = tuple((names[i], names[j]) for i, j in spec.pairs) if spec.order > 1 else ()
    jet = model.jet(points, second=second)
    channels = [jet.value]
    if spec.order > 0:
        channels += [jet.first[..., i] for i in range(len(names))]
    channels += [jet.second[..., k] for k in range(len(second))]
    # A model of an inverse problem carries the parameters that its own training found.
    known = {p.name: p.value for p in model.file.parameters if p.name in problem.parameters}
    j = problem.jet(points, np.stack(channels), spec, {**problem.data_at(points), **known})
    squares = [np.asarray(r, dtype=np.float64) ** 2 for r in problem.residuals(j).values()]
    return np.asarray(np.sqrt(np.sum(squares, axis=0)), dtype=np.float64)
