"""The gate before a quantized file is written: error, residual and derivatives within a budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdpinn.quantization.mixed import (
    Candidate,
    costliest_layer,
    predicted_bytes,
    predicted_distance,
    sensitivities,
    smallest_predicted,
)
from kdpinn.quantization.quantize import Quantized
from kdpinn.quantization.subject import Subject
from kdpinn_export.maps import Jets
from kdpinn_export.residuals import terms_of
from kdpinn_export.taylor import evaluate
from kdpinn_runtime import Check
from kdpinn_runtime.format import ModelFile

Array = NDArray[np.float64]

__all__ = ["Budget", "Candidate", "advice", "checked"]


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What quantization may add, all relative.

    Attributes:
        error: to the relative L2 error against the file's reference; without one, the distance
            from the float model.
        residual: to the RMS of an equation's residual over the baseline points, in units of the
            RMS of its largest term.
        derivative: relative L2 distance of each first derivative, and of each second one that
            the equations use, from the float model's.
    """

    error: float = 1e-3
    residual: float = 2e-2
    derivative: float = 2e-2

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not value > 0:
                raise ValueError(f"`Budget.{name}` is a number > 0, got {value}.")


def checked(subject: Subject, quantized: Quantized, budget: Budget) -> tuple[Check, ...]:
    """Error, residuals and derivatives of a quantized file, each beside what the budget permits."""
    before, after = subject.file, quantized.file
    pairs = before.pairs
    at = subject.check_points
    float_jets, narrow_jets = evaluate(before, at, pairs), evaluate(after, at, pairs)
    checks = [_error(before, after, quantized.distance, budget)]
    checks += _residuals(before, after, budget)
    worst = max(_derivatives(before, float_jets, narrow_jets), default=(0.0, ""))
    measured, name = worst
    checks.append(
        Check(
            name="derivative",
            passed=measured <= budget.derivative,
            measured=measured,
            limit=budget.derivative,
            note=f"of {name}, relative L2 distance from the float model",
        )
    )
    return tuple(checks)


def advice(subject: Subject, quantized: Quantized, checks: tuple[Check, ...]) -> str:
    """Which check failed, which layer costs most, and what is likely to fit; for people."""
    failed = [check for check in checks if not check.passed]
    told = "; ".join(f"{c.name} {c.measured:.3g}, permitted {c.limit:.3g}" for c in failed)
    losses = sensitivities(subject)
    layer = costliest_layer(losses, quantized.precisions)
    needed = min((c.limit or 0.0) / (c.measured or 1.0) for c in failed)
    expected = predicted_distance(losses, quantized.precisions)
    choice = smallest_predicted(subject, losses, needed * expected)
    if choice is None:
        remedy = "No choice of bits is likely to fit: keep the layers as f32, or permit more."
    else:
        remedy = f"Likely to fit: --precision {','.join(choice)}, "
        remedy += f"{predicted_bytes(subject.file, choice)} bytes."
    stored, shape = ",".join(quantized.precisions), subject.file.layers[layer].weight.shape
    size = quantized.file.weight_bytes
    return (
        f"Stored as {stored}, {size} bytes, the model is outside its budget: {told}. "
        f"Layer {layer} (of 0 to {len(subject.file.layers) - 1}), {shape[1]} to {shape[0]} "
        f"as {quantized.precisions[layer]}, costs most. {remedy} Nothing was written."
    )


def _error(before: ModelFile, after: ModelFile, distance: float, budget: Budget) -> Check:
    reference = before.baseline.reference if before.baseline is not None else None
    if before.baseline is None or reference is None:
        return Check(
            name="error",
            passed=distance <= budget.error,
            measured=distance,
            limit=budget.error,
            note="relative L2 distance from the float model",
        )
    size = float(np.linalg.norm(reference))
    was, now = (
        float(np.linalg.norm(evaluate(file, before.baseline.points).value - reference)) / size
        for file in (before, after)
    )
    return Check(
        name="error",
        passed=now <= was + budget.error,
        measured=now,
        limit=was + budget.error,
        note=f"relative L2 against the reference; the float model has {was:.3g}",
    )


def _residuals(before: ModelFile, after: ModelFile, budget: Budget) -> Iterator[Check]:
    base = before.baseline
    if base is None:
        return
    both = [evaluate(file, base.points, before.pairs) for file in (before, after)]
    for equation in before.equations:
        was, now = (
            terms_of(equation.terms, base.points, jets, before.parameters, base.data)
            for jets in both
        )
        size = max(_rms(term) for term in was) or 1.0
        limit = _rms(was.sum(axis=0)) / size + budget.residual
        measured = _rms(now.sum(axis=0)) / size
        yield Check(
            name=f"residual of {equation.name}",
            passed=measured <= limit,
            measured=measured,
            limit=limit,
            note="RMS in units of the largest term",
        )


def _derivatives(file: ModelFile, was: Jets[Any], now: Jets[Any]) -> Iterator[tuple[float, str]]:
    inputs = [v.name for v in file.inputs]
    names = [*inputs, *(inputs[i] + inputs[j] for i, j in file.pairs)]
    channels = zip((*was.first, *was.second), (*now.first, *now.second), names, strict=True)
    for one, other, name in channels:
        for k, field in enumerate(v.name for v in file.outputs):
            size = _rms(one[:, k])
            if size > 0:
                yield _rms(other[:, k] - one[:, k]) / size, f"{field}_{name}"


def _rms(a: Array) -> float:
    return float(np.sqrt(np.mean(np.square(a))))
