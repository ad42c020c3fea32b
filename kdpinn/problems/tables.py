"""Numpy functions of the coordinates, called by the names they ask for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np

from kdpinn.geometry import FloatArray

# A number, a function of coordinates and parameters by keyword that returns (n,), or, at given
# points, the values there.
Data: TypeAlias = float | Callable[..., FloatArray] | FloatArray


def tabulate(owner: str, data: Data, points: int, values: Mapping[str, object]) -> FloatArray:
    """Values of `data` at the points, (n,), float64.

    Args:
        owner: named in messages, e.g. "Problem 'wave', source 'f'".
        data: a number, or a function; it is passed those of `values` that its signature names.
        points: n.
        values: coordinates (n,) and parameters by name.
    Raises:
        ValueError: the function asks for an unknown name, or returns another shape, or a value
            that is not finite.
    """
    result = data if not callable(data) else call_by_name(owner, data, values)
    return checked(owner, result, points)


def call_by_name(
    owner: str, function: Callable[..., object], values: Mapping[str, object]
) -> object:
    """Call `function` with those of `values` that its signature names.

    Raises:
        ValueError: it asks for a name that is not in `values`, or for a positional argument.
    """
    check_signature(owner, function, values)
    parameters = _parameters(function)
    if parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return function(**values)
    return function(**{p.name: values[p.name] for p in parameters if p.name in values})


def check_signature(
    owner: str, function: Callable[..., object], names: Mapping[str, object]
) -> None:
    """Raise ValueError unless `function` can be called with a choice of `names` as keywords."""
    for p in _parameters(function) or ():
        if p.kind is p.POSITIONAL_ONLY or p.kind is p.VAR_POSITIONAL:
            raise ValueError(
                f"{owner}: the function is called by keyword, but '{p.name}' is positional only. "
                f"Name its arguments out of {', '.join(names)}."
            )
        if p.default is p.empty and p.kind is not p.VAR_KEYWORD and p.name not in names:
            raise ValueError(
                f"{owner}: the function asks for '{p.name}', but what it can be given is "
                f"{', '.join(names)}."
            )


def checked(owner: str, result: object, points: int) -> FloatArray:
    """`result` as a finite float64 array (n,); numbers are repeated."""
    array = np.asarray(result, dtype=np.float64)
    if array.shape not in ((), (points,)):
        raise ValueError(
            f"{owner}: expected one value per point, shape ({points},), got {array.shape}."
        )
    if not np.all(np.isfinite(array)):
        bad = points if array.ndim == 0 else int(np.sum(~np.isfinite(array)))
        raise ValueError(f"{owner}: {bad} of {points} values are not finite.")
    return np.array(np.broadcast_to(array, (points,)))


def _parameters(function: Callable[..., object]) -> list[inspect.Parameter] | None:
    """Parameters of the signature; None where there is none to be read (some builtins)."""
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
