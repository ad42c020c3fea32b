"""One field of a residual's `j`: a value that knows its derivatives.

The value may be a torch tensor (training), a numpy array (exact solutions) or a sympy symbol
(tracing): the field only passes it on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import numpy as np
import sympy
import torch

from kdpinn.problems.names import derivative_names, order_of

# torch.Tensor, numpy array, sympy expression or number: whatever the jet was made of.
Value: TypeAlias = Any
Derivative: TypeAlias = Callable[[tuple[int, ...]], Value]
# numpy's functions that torch calls differently.
_TORCH_NAMES = {"power": "pow"}


class FieldJet:
    """One field at points: acts as its value in arithmetic, and knows its derivatives.

    `j.u * j.u.x`, `j.u.xx`, `j.u.xt` (the order of the letters does not matter),
    `j.u.d("theta", "theta")` for names of several letters; `j.u.value` is the bare value.

    Args:
        name: of the field, for messages.
        value: (N,) array, or whatever the jet is made of.
        coordinates: names, in the order of the points' columns.
        derivative: takes sorted coordinate indices, one or two, and returns that derivative.
    """

    __slots__ = ("_coordinates", "_derivative", "_name", "_spellings", "value")

    def __init__(
        self, name: str, value: Value, coordinates: Sequence[str], derivative: Derivative
    ) -> None:
        self.value = value
        self._name = name
        self._coordinates = tuple(coordinates)
        self._derivative = derivative
        self._spellings = derivative_names(self._coordinates)

    def d(self, *coordinates: str) -> Value:
        """Derivative by one or two coordinates, named: `j.u.d("x")`, `j.u.d("theta", "t")`."""
        unknown = [name for name in coordinates if name not in self._coordinates]
        if unknown or not coordinates:
            raise AttributeError(self._unknown(f"d({', '.join(map(repr, coordinates))})"))
        if len(coordinates) > 2:
            raise AttributeError(self._too_high(f"d({', '.join(map(repr, coordinates))})"))
        return self._derivative(tuple(sorted(self._coordinates.index(c) for c in coordinates)))

    def __getattr__(self, spelling: str) -> Value:
        if spelling.startswith("_"):  # numpy, torch and copy ask for optional dunder methods
            raise AttributeError(spelling)
        if spelling in self._spellings:
            return self._derivative(self._spellings[spelling])
        if (order_of(spelling, self._coordinates) or 0) > 2:
            raise AttributeError(self._too_high(spelling))
        raise AttributeError(self._unknown(spelling))

    def _too_high(self, spelling: str) -> str:
        return (
            f"`j.{self._name}.{spelling}`: only first and second derivatives exist. Split the "
            "equation: make the second derivative a field of its own, and differentiate that."
        )

    def _unknown(self, spelling: str) -> str:
        return (
            f"`j.{self._name}.{spelling}`: the coordinates are {', '.join(self._coordinates)}; "
            f"write a derivative as {', '.join(f'`.{s}`' for s in self._spellings)} or "
            f'`.d("{self._coordinates[0]}")`, and the bare value as `.value`.'
        )

    def __repr__(self) -> str:
        return f"FieldJet({self._name!r}, value={self.value!r})"

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Value],
        types: Sequence[type],
        args: Sequence[Value] = (),
        kwargs: Mapping[str, Value] | None = None,
    ) -> Value:
        values = [value_of(a) for a in args]
        options = {k: value_of(v) for k, v in (kwargs or {}).items()}
        library = library_of(*values)
        if library is not torch:  # torch.sin(j.u) on an exact solution or on symbols
            func = _named(library, func.__name__)
        return func(*values, **options)

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Value, **options: Value
    ) -> Value:
        values = [value_of(a) for a in inputs]
        if library_of(*values) is torch and method == "__call__":  # np.sin(j.u) in training
            like = next(v for v in values if isinstance(v, torch.Tensor))
            tensors = [torch.as_tensor(v, dtype=like.dtype, device=like.device) for v in values]
            return _named(torch, ufunc.__name__)(*tensors)
        return getattr(ufunc, method)(*values, **options)

    def __add__(self, other: Value) -> Value:
        return self.value + value_of(other)

    def __radd__(self, other: Value) -> Value:
        return other + self.value

    def __sub__(self, other: Value) -> Value:
        return self.value - value_of(other)

    def __rsub__(self, other: Value) -> Value:
        return other - self.value

    def __mul__(self, other: Value) -> Value:
        return self.value * value_of(other)

    def __rmul__(self, other: Value) -> Value:
        return other * self.value

    def __truediv__(self, other: Value) -> Value:
        return self.value / value_of(other)

    def __rtruediv__(self, other: Value) -> Value:
        return other / self.value

    def __pow__(self, other: Value) -> Value:
        return self.value ** value_of(other)

    def __rpow__(self, other: Value) -> Value:
        return other**self.value

    def __neg__(self) -> Value:
        return -self.value

    def __pos__(self) -> Value:
        return +self.value

    def __abs__(self) -> Value:
        return abs(self.value)

    def __lt__(self, other: Value) -> Value:
        return self.value < value_of(other)

    def __le__(self, other: Value) -> Value:
        return self.value <= value_of(other)

    def __gt__(self, other: Value) -> Value:
        return self.value > value_of(other)

    def __ge__(self, other: Value) -> Value:
        return self.value >= value_of(other)


def value_of(value: Value) -> Value:
    """The bare value of a field, also inside lists and tuples; anything else as it is."""
    if isinstance(value, list | tuple):
        return type(value)(value_of(v) for v in value)
    return value.value if isinstance(value, FieldJet) else value


def library_of(*values: Value) -> ModuleType:
    """The library whose functions apply: torch, sympy or numpy."""
    if any(isinstance(v, torch.Tensor) for v in values):
        return torch
    return sympy if any(isinstance(v, sympy.Basic) for v in values) else np


def _named(library: ModuleType, name: str) -> Callable[..., Value]:
    function = getattr(library, _TORCH_NAMES.get(name, name) if library is torch else name, None)
    if function is None:
        raise TypeError(
            f"{library.__name__} has no function '{name}' for this jet: use arithmetic or "
            "`kdpinn.problems.functions`."
        )
    return function  # type: ignore[no-any-return]
