"""Activations and their first two derivatives as ONNX operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Builder(Protocol):
    """The part of `GraphBuilder` that is used here."""

    def node(self, operator: str, *inputs: str) -> str:
        """A node with one output; its name."""
        ...

    def constant(self, array: float) -> str:
        """A stored number; its name."""
        ...


class Activation(NamedTuple):
    """value(builder, v) -> g; jet(builder, v, bent) -> g, g', g'' (empty name unless `bent`)."""

    value: Callable[[Builder, str], str]
    jet: Callable[[Builder, str, bool], tuple[str, str, str]]


def _tanh(b: Builder, v: str) -> str:
    return b.node("Tanh", v)


def _tanh_jet(b: Builder, v: str, bent: bool) -> tuple[str, str, str]:
    """t, 1 - t^2, -2 t (1 - t^2)."""
    t = b.node("Tanh", v)
    slope = b.node("Sub", b.constant(1.0), b.node("Mul", t, t))
    return t, slope, b.node("Mul", b.node("Mul", b.constant(-2.0), t), slope) if bent else ""


def _sin(b: Builder, v: str) -> str:
    return b.node("Sin", v)


def _sin_jet(b: Builder, v: str, bent: bool) -> tuple[str, str, str]:
    """sin, cos, -sin."""
    s = b.node("Sin", v)
    return s, b.node("Cos", v), b.node("Neg", s) if bent else ""


def _sigmoid(b: Builder, v: str) -> str:
    return b.node("Sigmoid", v)


def _sigmoid_jet(b: Builder, v: str, bent: bool) -> tuple[str, str, str]:
    """s, s (1 - s), s (1 - s) (1 - 2 s)."""
    s, one = b.node("Sigmoid", v), b.constant(1.0)
    slope = b.node("Mul", s, b.node("Sub", one, s))
    if not bent:
        return s, slope, ""
    return s, slope, b.node("Mul", slope, b.node("Sub", one, b.node("Add", s, s)))


def _silu(b: Builder, v: str) -> str:
    return b.node("Mul", v, b.node("Sigmoid", v))


def _silu_jet(b: Builder, v: str, bent: bool) -> tuple[str, str, str]:
    """v s, s + v s', 2 s' + v s'' with s = sigmoid(v)."""
    s, ds, dds = _sigmoid_jet(b, v, bent)
    slope = b.node("Add", s, b.node("Mul", v, ds))
    if not bent:
        return b.node("Mul", v, s), slope, ""
    twice = b.node("Add", ds, ds)
    return b.node("Mul", v, s), slope, b.node("Add", twice, b.node("Mul", v, dds))


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(_tanh, _tanh_jet),
    "sin": Activation(_sin, _sin_jet),
    "sigmoid": Activation(_sigmoid, _sigmoid_jet),
    "silu": Activation(_silu, _silu_jet),
}
