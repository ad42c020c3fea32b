"""Functions for residuals, on whatever `j` is made of: tensors, arrays or symbols.

`torch.sin(j.u)` works too, but `torch.sin(j.u.x)` fails on an exact solution: a derivative is
a bare array there. These do not care.
"""

from __future__ import annotations

from kdpinn.problems.field_jet import Value, library_of, value_of


def sin(value: Value) -> Value:
    """Sine."""
    return _apply("sin", value)


def cos(value: Value) -> Value:
    """Cosine."""
    return _apply("cos", value)


def tanh(value: Value) -> Value:
    """Hyperbolic tangent."""
    return _apply("tanh", value)


def exp(value: Value) -> Value:
    """Exponential."""
    return _apply("exp", value)


def log(value: Value) -> Value:
    """Natural logarithm."""
    return _apply("log", value)


def sqrt(value: Value) -> Value:
    """Square root."""
    return _apply("sqrt", value)


def _apply(name: str, value: Value) -> Value:
    bare = value_of(value)
    return getattr(library_of(bare), name)(bare)
