"""Mixed precision: how many bits each layer needs, for an error or for a number of bytes.

The error of a network whose weights are rounded is predicted from the sensitivity of each layer:
sum over its weights of step^2 / 12 times the curvature of the objective, the expected loss of
rounding without any refit. What a refit makes of it is learned from the choices that are tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from kdpinn.quantization.coding import Array, Coding
from kdpinn.quantization.quantize import Quantized, quantize
from kdpinn.quantization.refit import Progress, RefitSettings
from kdpinn.quantization.subject import Subject
from kdpinn_runtime import pack
from kdpinn_runtime.format import ModelFile

CHOICES = ("i4", "i6", "i8", "i12", "i16")
MOST_CHOICES = 20_000
"""Combinations that are looked at; deeper networks change their hidden layers together."""
TRIALS = 6


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A choice that was refitted: distance predicted without a refit, bytes of its file."""

    quantized: Quantized
    predicted: float
    file_bytes: int

    @property
    def distance(self) -> float:
        """Measured relative L2 distance from the float model."""
        return self.quantized.distance


def mixed_precision(
    subject: Subject,
    *,
    error: float | None = None,
    like: str | None = None,
    settings: RefitSettings | None = None,
    progress: Progress | None = None,
) -> Candidate:
    """The best bits for each layer.

    Args:
        error: relative L2 distance from the float model that is permitted: the smallest file; or
        like: a precision; the least distance in a file no larger than it gives in all layers.
    Raises:
        ValueError: not one of both, or no choice reaches the error, naming the nearest.
    """
    if (error is None) == (like is None):
        raise ValueError("`mixed_precision` takes either `error` or `like`.")
    losses = sensitivities(subject)
    layers, uniform = len(subject.file.layers), like or "i8"
    tried = [_tried(subject, (uniform,) * layers, losses, settings, progress)]
    sizes = {c: stored_bytes(subject.file, c) for c in _choices(layers)}
    limit = stored_bytes(subject.file, tried[0].quantized.precisions)
    for _ in range(TRIALS):
        seen = {candidate.quantized.precisions for candidate in tried}
        expected = {
            c: _expected(predicted_distance(losses, c), tried) for c in sizes if c not in seen
        }
        if error is not None:
            best = _smallest(tried, error)
            most = sizes[best.quantized.precisions] if best is not None else np.inf
            fitting = [c for c in expected if expected[c] <= error and sizes[c] < most]
        else:
            least = min(candidate.distance for candidate in tried)
            fitting = [c for c in expected if expected[c] < least and sizes[c] <= limit]
        if not fitting:
            break
        choice = min(fitting, key=lambda c: (sizes[c] if error is not None else 0, expected[c]))
        tried.append(_tried(subject, choice, losses, settings, progress))
    if error is None:
        return min(tried, key=lambda candidate: candidate.distance)
    found = _smallest(tried, error)
    if found is None:
        nearest = min(tried, key=lambda candidate: candidate.distance)
        raise ValueError(
            f"No choice of bits reached the distance {error:g}; the nearest, "
            f"{'+'.join(nearest.quantized.precisions)}, has {nearest.distance:.3g}: allow more."
        )
    return found


def sensitivities(subject: Subject) -> dict[str, Array]:
    """Precision -> (layers,), squared relative distance that rounding each layer is to cause."""
    file, objective = subject.file, subject.objective
    _, rows = objective.residuals_and_jacobian(subject.field.weights)
    curvature = rows.square().sum(1).numpy()
    losses = {}
    for precision in CHOICES:
        coding = Coding.of(file, (precision,) * len(file.layers))
        own = np.zeros(len(coding.row))
        np.add.at(own, coding.place, curvature)
        step = np.where(coding.narrow, coding.steps(coding.values, coding.scales()), 0.0)
        loss = own * np.square(step) / 12
        ends = np.cumsum([la.weight.size + la.bias.size for la in coding.layers])[:-1]
        losses[precision] = np.array([part.sum() for part in np.split(loss, ends)])
    return losses


def predicted_distance(losses: dict[str, Array], precisions: Sequence[str]) -> float:
    """Relative distance that rounding is to cause without a refit."""
    return float(np.sqrt(sum(losses[p][k] for k, p in enumerate(precisions))))


def costliest_layer(losses: dict[str, Array], precisions: Sequence[str]) -> int:
    """The layer whose rounding costs most."""
    return int(np.argmax([losses[p][k] if p in losses else 0.0 for k, p in enumerate(precisions)]))


def smallest_predicted(
    subject: Subject, losses: dict[str, Array], distance: float
) -> tuple[str, ...] | None:
    """The choice with the fewest bytes whose predicted distance is at most this; None if none."""
    fitting = [
        (stored_bytes(subject.file, choice), predicted_distance(losses, choice), choice)
        for choice in _choices(len(subject.file.layers))
        if predicted_distance(losses, choice) <= distance
    ]
    return min(fitting)[2] if fitting else None


def stored_bytes(file: ModelFile, precisions: Sequence[str]) -> int:
    """Bytes of the file with its layers in these precisions."""
    coding = Coding.of(file, precisions)
    layers = coding.stored(coding.nearest(coding.values, coding.scales()), coding.scales())
    whole = layers if file.symmetry is None else file.symmetry.expand(layers)
    return len(pack(replace(file, layers=whole)))


def _choices(layers: int) -> Iterator[tuple[str, ...]]:
    """Combinations of bits; where there are too many, all hidden layers have the same."""
    if len(CHOICES) ** layers <= MOST_CHOICES:
        yield from product(CHOICES, repeat=layers)
        return
    for first, hidden, last in product(CHOICES, repeat=3):
        yield first, *[hidden] * (layers - 2), last


def _tried(
    subject: Subject,
    precisions: Sequence[str],
    losses: dict[str, Array],
    settings: RefitSettings | None,
    progress: Progress | None,
) -> Candidate:
    quantized = quantize(subject, precisions, settings=settings, progress=progress)
    return Candidate(
        quantized=quantized,
        predicted=predicted_distance(losses, precisions),
        file_bytes=len(pack(quantized.file)),
    )


def _expected(predicted: float, tried: Sequence[Candidate]) -> float:
    """Distance after a refit, from those of the choices that were tried.

    Straight lines between them in logarithms; beyond the ends in proportion to the prediction.
    """
    known = sorted((np.log(c.predicted), np.log(max(c.distance, 1e-300))) for c in tried)
    x, y = np.array(known).T
    at = float(np.log(max(predicted, 1e-300)))
    beyond = at - float(np.clip(at, x[0], x[-1]))
    return float(np.exp(np.interp(at, x, np.maximum.accumulate(y)) + beyond))


def _smallest(tried: Sequence[Candidate], error: float) -> Candidate | None:
    fitting = [candidate for candidate in tried if candidate.distance <= error]
    return min(fitting, key=lambda candidate: candidate.file_bytes, default=None)
