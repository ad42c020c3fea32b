"""Settings of an assimilation, checked against the model that they are for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ._parts import Variable, is_finite
from .model import Model

Array = NDArray[np.float64]
Loss = Literal["squares", "huber", "student"]
"""What a residual costs; the position is the number in the core."""

MOST_UNKNOWNS = 8
_REACH = 1.959963984540054
"""Half of a 95 % interval of the normal distribution, in standard deviations."""


def positions(
    variables: Sequence[Variable], names: Sequence[str], setting: str, least: int = 1
) -> list[int]:
    """Where `names` stand among the variables, ascending."""
    known = [variable.name for variable in variables]
    if isinstance(names, str) or any(name not in known for name in names):
        raise ValueError(f"`{setting}` takes a list of names out of {known}, got {names!r}.")
    found = sorted({known.index(name) for name in names})
    if not least <= len(found) <= MOST_UNKNOWNS:
        raise ValueError(
            f"`{setting}` takes {least} to {MOST_UNKNOWNS} names, got {len(found)}: {names!r}."
        )
    return found


def per_output(
    setting: str,
    value: float | Sequence[float] | Mapping[str, float],
    variables: Sequence[Variable],
    *,
    positive: bool,
) -> list[float]:
    """One number for each variable, from one for all, a sequence, or a mapping by name."""
    names = [variable.name for variable in variables]
    if isinstance(value, Mapping):
        if set(value) != set(names):
            raise ValueError(f"`{setting}` is needed for each of {names}, got {list(value)}.")
        numbers: list[Any] = [value[name] for name in names]
    elif np.ndim(value) == 0:
        numbers = [value] * len(names)
    else:
        numbers = list(value)  # type: ignore[arg-type]
    valid = is_finite(*numbers) and all(n > 0 or (n == 0 and not positive) for n in numbers)
    if len(numbers) != len(names) or not valid:
        least = "> 0" if positive else ">= 0"
        raise ValueError(
            f"`{setting}` takes finite numbers {least}, one for each of {names}; got {value!r}."
        )
    return [float(number) for number in numbers]


def chosen_logarithms(inputs: Sequence[Variable], names: Sequence[str]) -> list[bool]:
    """Whether each input is among `names`."""
    named = positions(inputs, names, "logarithmic", least=0)
    for k in named:
        if not inputs[k].lower > 0:
            raise ValueError(
                f"`logarithmic` takes inputs whose domain is positive; {inputs[k].name!r} begins "
                f"at {inputs[k].lower:g}."
            )
    return [k in named for k in range(len(inputs))]


def bounds_of(inputs: Sequence[Variable], logarithmic: Sequence[bool]) -> tuple[Array, Array]:
    """Least and largest coordinate of each input, (k,) each, to some units in the last place."""
    ends = np.array([(v.lower, v.upper) for v in inputs]).T
    logs = np.array(logarithmic)
    lower, upper = np.where(logs, np.log(np.where(logs, ends, 1.0)), ends)
    slack = 1e-12 * (upper - lower)
    return lower - slack, upper + slack


def error_of_model(model: Model, over_baseline: Sequence[float]) -> list[float]:
    """RMS error of each output, as far as the file knows it: 0 without a reference.

    The card's is over a whole grid, the baseline's over some hundred points of it, which may miss
    where a field is steep: the larger one counts. A card says nothing on single outputs.
    """
    accuracy = model.card.get("accuracy", {})
    on_card = accuracy.get("rmse") if isinstance(accuracy, Mapping) else None
    if len(over_baseline) == 1 and is_finite(on_card):
        return [max(over_baseline[0], float(on_card))]  # type: ignore[arg-type]
    return list(over_baseline)


def prior_of(
    inputs: Sequence[Variable],
    logarithmic: Sequence[bool],
    mean: Array,
    covariance: Array,
    intervals: Mapping[str, tuple[float, float]],
) -> tuple[list[float], Array]:
    """Mean and covariance of the coordinates: the domain's, or from intervals of 95 %."""
    positions(inputs, list(intervals), "prior", least=0)
    for k, variable in enumerate(inputs):
        if variable.name not in intervals:
            continue
        ends = intervals[variable.name]
        if not (
            len(ends) == 2
            and is_finite(*ends)
            and variable.lower <= ends[0] < ends[1] <= variable.upper
        ):
            raise ValueError(
                f"`prior` of {variable.name!r} takes two ascending values within its domain "
                f"[{variable.lower:g}, {variable.upper:g}], got {ends!r}."
            )
        low, high = np.log(ends) if logarithmic[k] else ends
        mean[k] = (low + high) / 2
        covariance[k, k] = ((high - low) / (2 * _REACH)) ** 2
    return mean.tolist(), covariance
