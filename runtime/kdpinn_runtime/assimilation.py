"""Unknown inputs of a model, such as a viscosity, from noisy readings of its outputs.

The arithmetic is the C core's: core/kdpinn_assimilate.h has the formulas and their sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _core
from ._assimilation_settings import (
    Loss,
    bounds_of,
    chosen_logarithms,
    error_of_model,
    per_output,
    positions,
    prior_of,
)
from ._points import columns_of
from .model import Model

Array = NDArray[np.float64]
Reading = Literal["used", "missing", "outside", "outlier"]
READINGS: tuple[Reading, ...] = get_args(Reading)
"""What becomes of a value; the position is the number in `Update.reading`."""


class Update(NamedTuple):
    """What came of one update over n readings of m outputs.

    A tuple, because a frozen dataclass takes 2 us to make, a tenth of an update.

    Attributes:
        used: values that count in full, or with the weight that the loss gives them.
        missing: values that are NaN or infinite, or whose position is.
        outside: values taken outside the model's domain; not used.
        outliers: values farther than `outlier` standard deviations from the model.
        iterations: Levenberg-Marquardt steps.
        converged: whether the most probable values were found within 30 steps.
        at_bound: unknowns at an end of their domain that would lie beyond: look for a cause.
        chi_square: sum of the squared residuals that are used and no outliers; about `used` where
            the noise is as large as was said.
        reading: (n, m) uint8, what became of each value, an index of READINGS.
        residual: (n, m), reading - model in standard deviations; NaN where there is none.
    """

    used: int
    missing: int
    outside: int
    outliers: int
    iterations: int
    converged: bool
    at_bound: tuple[str, ...]
    chi_square: float
    reading: NDArray[np.uint8]
    residual: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The model's outputs at n places, and what estimate and model error leave open.

    Attributes:
        value: (n, m).
        deviation: (n, m), standard deviation of the truth from `value`.
        gradient: (n, m, k), derivative of each value by the coordinate of each unknown. Two
            values a and b have the covariance gradient_a @ covariance @ gradient_b, and on the
            diagonal the model's error beside it.
    """

    value: Array
    deviation: Array
    gradient: Array


class Assimilator:
    """Keeps an estimate of some inputs of a model, and corrects it by readings.

    >>> twin = Assimilator(model, ["nu"], noise=0.01)          # doctest: +SKIP
    >>> twin.update(points, values)                            # doctest: +SKIP
    >>> twin.value["nu"], twin.interval(0.95)["nu"]            # doctest: +SKIP

    An unknown is estimated in a coordinate: its value, or the logarithm of its value. Before the
    first reading it may lie anywhere in the model's domain. All readings in one update give the
    least squares estimate; readings that come one after another, each with an update, make the
    iterated extended Kalman filter. Use one assimilator per thread.

    Args:
        model: its other inputs, in their order, are the places of the readings.
        unknown: names of the inputs to find, at most 8.
        noise: standard deviation of a reading, in the output's unit, > 0; by output if several.
        loss: "squares", or for readings with outliers "huber" or "student" (4 degrees of freedom).
        prior: for an unknown the two ends of the interval that holds it with a probability of
            95 %; without it the middle of the domain, and the variance of anywhere in it.
        logarithmic: unknowns whose logarithm is estimated; None: those that are positive and span
            more than a factor of 10.
        drift: standard deviation by which the coordinate of an unknown wanders in a unit of time,
            see `wait`; 0 if it is not named.
        model_error: standard deviation of the model from the truth, >= 0; by output if several.
            None: the RMS error that the file knows of itself, over its grid or its baseline,
            whichever is larger.
        outlier: |residual| above which a value is reported as one, in standard deviations.
        dtype: arithmetic of the model, float32 or float64; None: that of the stored weights.
    Raises:
        ValueError: a setting that does not fit the model, saying what was expected.

    Attributes:
        model: the model.
        unknown, known: names of its inputs.
        logarithmic: those of the unknowns whose coordinate is the logarithm.
    """

    def __init__(
        self,
        model: Model,
        unknown: Sequence[str],
        *,
        noise: float | Sequence[float] | Mapping[str, float],
        loss: Loss = "squares",
        prior: Mapping[str, tuple[float, float]] | None = None,
        logarithmic: Sequence[str] | None = None,
        drift: Mapping[str, float] | None = None,
        model_error: float | Sequence[float] | Mapping[str, float] | None = None,
        outlier: float = 3.0,
        dtype: DTypeLike | None = None,
    ) -> None:
        arithmetic = model.file.dtype if dtype is None else np.dtype(dtype)
        if arithmetic not in (np.float32, np.float64):
            raise ValueError(f"`dtype` must be float32 or float64, got {arithmetic}.")
        if loss not in get_args(Loss):
            raise ValueError(f"`loss` must be one of {get_args(Loss)}, got {loss!r}.")
        if not outlier > 0:
            raise ValueError(f"`outlier` must be > 0 standard deviations, got {outlier}.")
        chosen = positions(model.inputs, unknown, "unknown")
        self.model = model
        self.unknown = tuple(model.inputs[k].name for k in chosen)
        self._known = tuple(v for v in model.inputs if v.name not in self.unknown)
        self.known = tuple(v.name for v in self._known)
        self._core = _core.Assimilation(model._engine, arithmetic == np.float32, chosen)
        inputs = [model.inputs[k] for k in chosen]
        if logarithmic is None:
            logs = self._core.logarithmic
        else:
            logs = chosen_logarithms(inputs, logarithmic)
        self.logarithmic = tuple(v.name for v, log in zip(inputs, logs, strict=True) if log)
        wander = dict.fromkeys(self.unknown, 0.0) | dict(drift or {})
        self._core.set(
            logs,
            per_output("drift", wander, inputs, positive=False),
            per_output("noise", noise, model.outputs, positive=True),
            error_of_model(model, self._core.model_error)
            if model_error is None
            else per_output("model_error", model_error, model.outputs, positive=False),
            get_args(Loss).index(loss),
            float(outlier),
        )
        self._bounds = bounds_of(inputs, logs)
        self._prior = prior_of(inputs, logs, self.coordinate, self.covariance, prior or {})
        self.reset()

    def reset(self) -> None:
        """Forget all readings: back to the prior."""
        self._core.set_estimate(*self._prior)

    @property
    def value(self) -> dict[str, float]:
        """Most probable value of each unknown, in its unit."""
        return {name: self._core.value(k, 0.0) for k, name in enumerate(self.unknown)}

    @property
    def deviation(self) -> dict[str, float]:
        """Standard deviation of each unknown, in its unit; for logarithms to first order."""
        spread = np.sqrt(np.diagonal(self.covariance))
        return {
            name: float(spread[k]) * (value if name in self.logarithmic else 1.0)
            for k, (name, value) in enumerate(self.value.items())
        }

    @property
    def coordinate(self) -> Array:
        """Mean of the coordinates, (k,): values, or their logarithms."""
        return np.array(self._core.mean)

    @property
    def covariance(self) -> Array:
        """Covariance of the coordinates, (k, k)."""
        return np.array(self._core.covariance)

    def restore(self, coordinate: ArrayLike, covariance: ArrayLike) -> None:
        """Go on from an earlier `coordinate` (k,) and `covariance` (k, k)."""
        mean, square = np.asarray(coordinate, np.float64), np.asarray(covariance, np.float64)
        count = len(self.unknown)
        if mean.shape != (count,) or square.shape != (count, count):
            raise ValueError(
                f"`restore` needs shapes ({count},) and ({count}, {count}), got {mean.shape} and "
                f"{square.shape}."
            )
        lower, upper = self._bounds
        if not (np.isfinite(square).all() and np.linalg.eigvalsh(square).min() > 0):
            raise ValueError("`restore` needs a positive definite covariance.")
        if not np.all((mean >= lower) & (mean <= upper)):
            raise ValueError(
                f"`restore` needs coordinates within the domain, from {lower} to {upper}; "
                f"got {mean}."
            )
        self._core.set_estimate(mean.tolist(), np.ascontiguousarray(square))

    def interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Interval that holds each unknown with the probability `level`, within its domain."""
        if not 0 < level < 1:
            raise ValueError(f"`level` must lie between 0 and 1, got {level}.")
        reach = NormalDist().inv_cdf(0.5 + level / 2)
        return {
            name: (self._core.value(k, -reach), self._core.value(k, reach))
            for k, name in enumerate(self.unknown)
        }

    def update(
        self,
        points: ArrayLike | Mapping[str, ArrayLike],
        values: ArrayLike | Mapping[str, ArrayLike],
        noise: ArrayLike | None = None,
    ) -> Update:
        """Correct the estimate by n readings.

        Args:
            points: where they were taken: (n, known inputs), or an array (n,) by name.
            values: (n, outputs), (n,) of a single output, or by name; NaN for what was not read.
            noise: standard deviation of each value, shaped as `values`; None for the usual one.
        Raises:
            ValueError: shapes that do not fit. The estimate is then as it was.
        """
        x = self._points(points)
        y = self._values("values", values, len(x))
        sigma = None if noise is None else self._values("noise", noise, len(x))
        reading = np.empty(y.shape, np.uint8)
        residual = np.empty(y.shape)
        *counts, bounds, chi_square = self._core.update(x, y, sigma, reading, residual)
        used, missing, outside, outliers, iterations, converged = counts
        return Update(
            used=used,
            missing=missing,
            outside=outside,
            outliers=outliers,
            iterations=iterations,
            converged=bool(converged),
            at_bound=tuple(n for k, n in enumerate(self.unknown) if bounds >> k & 1)
            if bounds
            else (),
            chi_square=chi_square,
            reading=reading,
            residual=residual,
        )

    def wait(self, duration: float) -> None:
        """Let the unknowns drift for `duration` units of time: their variance grows."""
        if not 0 <= duration < np.inf:
            raise ValueError(f"`duration` must be finite and >= 0, got {duration}.")
        self._core.drift(float(duration))

    def state(self, points: ArrayLike | Mapping[str, ArrayLike]) -> State:
        """The outputs at `points`, (n, known inputs) or by name, with their uncertainty.

        Raises:
            ValueError: a wrong shape, or NaN and infinities.
        """
        x = self._points(points)
        if not np.isfinite(x).all():
            raise ValueError("`state` needs finite points.")
        shape = (len(x), len(self.model.outputs))
        state = State(
            value=np.empty(shape),
            deviation=np.empty(shape),
            gradient=np.empty((*shape, len(self.unknown))),
        )
        self._core.state(x, state.value, state.deviation, state.gradient)
        return state

    def _points(self, points: ArrayLike | Mapping[str, ArrayLike]) -> Array:
        if not isinstance(points, np.ndarray) and isinstance(points, Mapping):
            points = columns_of(points, self._known)[0]
        x = np.ascontiguousarray(points, np.float64)
        if x.ndim != 2 or x.shape[1] != len(self.known):
            raise ValueError(
                f"`points` must have the shape (n, {len(self.known)}), columns "
                f"({', '.join(self.known)}); got {x.shape}."
            )
        return x

    def _values(self, name: str, values: Any, rows: int) -> Array:
        columns = len(self.model.outputs)
        if not isinstance(values, np.ndarray) and isinstance(values, Mapping):
            outputs = [variable.name for variable in self.model.outputs]
            unknown = [key for key in values if key not in outputs]
            if unknown:
                raise ValueError(f"`{name}` has {unknown}, the model the outputs {outputs}.")
            missing = np.full(rows, np.nan)
            values = np.stack([np.ravel(values.get(key, missing)) for key in outputs], axis=1)
        y = np.ascontiguousarray(values, np.float64)
        if y.ndim == 1 and columns == 1:
            y = y[:, None]
        if y.shape != (rows, columns):
            names = ", ".join(variable.name for variable in self.model.outputs)
            raise ValueError(
                f"`{name}` must have the shape ({rows}, {columns}), columns "
                f"({names}), for {rows} points; got {y.shape}."
            )
        return y
