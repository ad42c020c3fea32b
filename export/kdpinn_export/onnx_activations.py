"""Activations and their first two derivatives as ONNX operators."""

from __future__ import annotations

import math
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


def _relu(b: Builder, v: str) -> str:
    return b.node("Relu", v)


def _relu_jet(b: Builder, v: str, bent: bool) -> tuple[str, str, str]:
    """max(v, 0), 1 where v > 0 else 0, 0; the last with a row for each point, like all channels."""
    value = b.node("Relu", v)
    slope = b.node("Sign", value)
    return value, slope, b.node("Mul", b.constant(0.0), slope) if bent else ""


def _gelu(b: Builder, v: str) -> str:
    return b.node("Mul", v, _normal_cdf(b, v))


def _gelu_jet(b: Builder, v: str, bent: bool) -> tuple[str, str, str]:
    """v Phi, Phi + v q, q (2 - v^2) with q = exp(-v^2 / 2) / sqrt(2 pi)."""
    phi, square = _normal_cdf(b, v), b.node("Mul", v, v)
    q = b.node("Exp", b.node("Mul", b.constant(-0.5), square))
    q = b.node("Mul", b.constant(1 / math.sqrt(2 * math.pi)), q)
    slope = b.node("Add", phi, b.node("Mul", v, q))
    if not bent:
        return b.node("Mul", v, phi), slope, ""
    return b.node("Mul", v, phi), slope, b.node("Mul", q, b.node("Sub", b.constant(2.0), square))


def _normal_cdf(b: Builder, v: str) -> str:
    """(1 + erf(v / sqrt 2)) / 2; the operator Gelu came only with opset 20."""
    e = b.node("Erf", b.node("Mul", b.constant(math.sqrt(0.5)), v))
    return b.node("Mul", b.constant(0.5), b.node("Add", b.constant(1.0), e))


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(_tanh, _tanh_jet),
    "sin": Activation(_sin, _sin_jet),
    "sigmoid": Activation(_sigmoid, _sigmoid_jet),
    "silu": Activation(_silu, _silu_jet),
    "relu": Activation(_relu, _relu_jet),
    "gelu": Activation(_gelu, _gelu_jet),
}
