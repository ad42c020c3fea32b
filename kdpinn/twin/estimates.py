"""What the model makes of the readings: values at the sensors, and the inputs nobody measures."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn.twin.messages import Reading
from kdpinn_runtime import Assimilator, Model
from kdpinn_runtime.format import ModelFile

FloatArray = NDArray[np.float64]

KEPT = 200
"""Readings that are shown."""
USUAL_NOISE = 0.01
"""Standard deviation of a reading without one of its own, as a share of the output's range."""


def unmeasured(file: ModelFile) -> tuple[str, ...]:
    """Inputs that are parameters of the equations: those by which none differentiates.

    Empty for a file without equations.
    """
    by: set[int] = set()
    for equation in file.equations:
        for factor in (f for term in equation.terms for f in term.factors):
            if factor.kind == "first":
                by.add(factor.b)
            elif factor.kind == "second":
                by.update(file.pairs[factor.b])
    names = [v.name for k, v in enumerate(file.inputs) if k not in by]
    return tuple(names) if file.equations else ()


class Estimates:
    """Keeps the last readings and, if some inputs are unknown, an estimate of these.

    Args:
        model: evaluated in its own precision.
        unknown: names of the inputs to estimate; the others are stated by every reading.
        noise: standard deviation of a reading of each output, in its unit, where it has none of its
            own; None: a hundredth of the output's range.
    Raises:
        ValueError: an unknown that is no input, all of them, or a noise that is no number > 0.
    """

    def __init__(
        self,
        model: Model,
        unknown: Sequence[str] = (),
        noise: Mapping[str, float] | None = None,
    ) -> None:
        self.model = model
        inputs = [v.name for v in model.inputs]
        if strangers := [name for name in unknown if name not in inputs]:
            raise ValueError(
                f"The inputs are {', '.join(inputs)}; {', '.join(strangers)} cannot be estimated."
            )
        if set(unknown) == set(inputs):
            raise ValueError(
                f"All inputs ({', '.join(inputs)}) are to be estimated: leave one for readings to "
                "state."
            )
        for name, sigma in (noise or {}).items():
            if not 0 < sigma < math.inf:
                raise ValueError(f"The noise of {name} must be a number > 0, got {sigma:g}.")
        usual = {v.name: USUAL_NOISE * ((v.upper - v.lower) or 1.0) for v in model.outputs}
        self.noise = usual | dict(noise or {})
        self._filter = Assimilator(model, list(unknown), noise=self.noise) if unknown else None
        self.known = tuple(v.name for v in model.inputs if v.name not in unknown)
        self.outputs = tuple(v.name for v in model.outputs)
        self._kept: deque[Reading] = deque(maxlen=KEPT)

    def take(self, readings: Sequence[Reading]) -> None:
        """Correct the estimate by readings, all at once, and keep them."""
        if self._filter is not None:
            values, sigma = self._tables(readings)
            self._filter.update(self._points(readings), values, sigma)
        self._kept.extend(readings)

    def message(self) -> dict[str, Any]:
        """For the page and other clients: readings beside the model, and the estimates.

        Of each reading: at, values, model (its outputs there, with the estimate), and off, the
        differences in standard deviations of reading and estimate together.
        """
        readings = list(self._kept)
        rows = self._compared(readings) if readings else []
        return {"type": "estimate", "readings": rows, "parameters": self._parameters()}

    def _parameters(self) -> list[dict[str, Any]]:
        if self._filter is None:
            return []
        units = {v.name: v.unit for v in self.model.inputs}
        value, spread, ends = self._filter.value, self._filter.deviation, self._filter.interval()
        return [
            {
                "name": name,
                "unit": units[name],
                "value": value[name],
                "sigma": spread[name],
                "interval": list(ends[name]),
            }
            for name in self._filter.unknown
        ]

    def _compared(self, readings: Sequence[Reading]) -> list[dict[str, Any]]:
        points = self._points(readings)
        if self._filter is None:
            model = self.model(points)
            spread = np.zeros_like(model)
        else:
            state = self._filter.state(points)
            model, spread = state.value, state.deviation
        values, sigma = self._tables(readings)
        off = (values - model) / np.hypot(sigma, spread)
        return [
            {
                "at": dict(reading.at),
                "values": dict(reading.values),
                "model": self._named(reading, model[row]),
                "off": self._named(reading, off[row]),
            }
            for row, reading in enumerate(readings)
        ]

    def _named(self, reading: Reading, row: FloatArray) -> dict[str, float]:
        named = zip(self.outputs, row, strict=True)
        return {name: float(value) for name, value in named if name in reading.values}

    def _points(self, readings: Sequence[Reading]) -> FloatArray:
        return np.array([[reading.at[name] for name in self.known] for reading in readings])

    def _tables(self, readings: Sequence[Reading]) -> tuple[FloatArray, FloatArray]:
        """Values, NaN where there is none, and their standard deviations, (n, outputs) each."""
        values = [[r.values.get(name, np.nan) for name in self.outputs] for r in readings]
        sigma = [[r.sigma or self.noise[name] for name in self.outputs] for r in readings]
        return np.array(values), np.array(sigma)
