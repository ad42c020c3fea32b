"""A model file on some engine, in the form that `kdpinn_runtime.verify` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kdpinn_runtime import Check, Jet, Verdict, verify
from kdpinn_runtime.format import ModelFile

from .answers import known_answers
from .maps import Jets
from .residuals import terms_of

FloatArray = NDArray[np.floating[Any]]
Channels = Callable[[FloatArray, bool], FloatArray]
"""Points (n, d) -> (channels, n, m): the values, or values, first and the file's second
derivatives, in the arithmetic of the points."""


class Engine(Protocol):
    """A way to evaluate a model file. Heavy imports belong inside the methods."""

    @property
    def name(self) -> str:
        """As `--engine` names it."""
        ...

    def missing(self) -> str:
        """What is not installed here, and how to get it; empty if nothing is missing."""
        ...

    def open(self, model: ModelFile, data: bytes) -> EngineModel:
        """Make the model ready; data: the file's bytes.

        Raises ValueError for a model that the engine cannot evaluate.
        """
        ...


@dataclass(eq=False)
class EngineModel:
    """dtypes: the arithmetics that the engine has; others are computed in the first of them."""

    file: ModelFile
    digest: str
    channels: Channels
    dtypes: tuple[Any, ...] = (np.float32,)
    outside_count: int = 0

    def __call__(self, x: FloatArray) -> FloatArray:
        """Outputs (n, m) at x (n, d)."""
        values: FloatArray = self._evaluated(x, False)[0]
        return values

    def jet(self, x: FloatArray, second: tuple[tuple[str, str], ...] = ()) -> Jet:
        """Values and derivatives at x; the second derivatives are the file's, whatever is asked."""
        return Jet(
            channels=self._evaluated(x, True),
            pairs=self.file.pairs,
            inputs=tuple(v.name for v in self.file.inputs),
            outputs=tuple(v.name for v in self.file.outputs),
        )

    def residual(self, x: FloatArray, data: FloatArray | None) -> FloatArray:
        """Residual of every equation, (n, equations), from the engine's derivatives."""
        channels = self._evaluated(x, True).astype(np.float64)
        first = 1 + len(self.file.inputs)
        jets = Jets[FloatArray](channels[0], tuple(channels[1:first]), tuple(channels[first:]))
        columns = [
            terms_of(equation.terms, x, jets, self.file.parameters, data).sum(axis=0)
            for equation in self.file.equations
        ]
        return np.stack(columns, axis=1)

    def bind(self, x: FloatArray, out: FloatArray) -> Callable[[], object]:
        """A call that fills out (n, m) from x (n, d)."""

        def call() -> None:
            out[:] = self(x)

        return call

    def _evaluated(self, x: FloatArray, derivatives: bool) -> FloatArray:
        fits = x.dtype.type in self.dtypes
        return self.channels(x if fits else x.astype(self.dtypes[0]), derivatives)


def verify_on(
    engine: Engine, model: ModelFile, data: bytes, *, latency: bool, seconds: float
) -> Verdict:
    """Replay the file's baselines on an engine: answers, accuracy, physics, derivatives, latency.

    Raises ValueError for an engine that is not here or that cannot evaluate the model.
    """
    if missing := engine.missing():
        raise ValueError(f"engine {engine.name} is not here: {missing}")
    opened = engine.open(model, data)
    verdict = verify(opened, latency=latency, latency_seconds=seconds)
    checks = list(verdict.checks)
    checks.insert(len(checks) - (len(model.targets) if latency else 0), _derivatives(opened))
    return Verdict(digest=verdict.digest, checks=tuple(checks))


def _derivatives(model: EngineModel) -> Check:
    """Values and derivatives in float32 against those of the file in float64."""
    answers = known_answers(model.file, derivatives=True)
    channels = model.jet(answers.points.astype(np.float32)).channels
    got = np.moveaxis(channels, 0, 1).reshape(len(answers.points), -1)
    return answers.compared(got, "derivatives")
