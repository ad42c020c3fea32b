"""Mixed precision: how many bits each layer needs, for an error or for a number of bytes.

The error of a network whose weights are rounded is predicted from the sensitivity of each layer:
sum over its weights of step^2 / 12 times the curvature of the objective, the expected loss of
rounding without any refit. What a refit makes of it is learned from the choices that are tried.

A layer of few inputs is where bits pay: float16 has no scale for each output and, of two inputs,
takes fewer bytes than 4 bits with scales; and in the refit fine grids make up for coarse ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from kdpinn.quantization.coding import Array, Coding
from kdpinn.quantization.quantize import Quantized, quantize
from kdpinn.quantization.refit import Progress, RefitSettings
from kdpinn.quantization.subject import Subject
from kdpinn_export.grids import narrowed
from kdpinn_runtime.format import ModelFile

CHOICES = ("i4", "i6", "i8", "i12", "f16", "i16", "f32")
MOST_CHOICES = 20_000
"""Combinations that are looked at; deeper networks change their hidden layers together."""
TRIALS = 6
"""Choices that are refitted beside the uniform one, at most."""
LEAST = 1e-12
"""Distances below are none; so that all have a logarithm."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What bits are chosen for: an error or a number of bytes.

    Attributes:
        error: relative L2 distance from the float model that is permitted: the fewest bytes; or
        like: a precision; the least distance in no more bytes than it takes in all layers.
        among: precisions of a layer to choose from.
    Raises:
        ValueError: not one of `error` and `like`.
    """

    error: float | None = None
    like: str | None = None
    among: Sequence[str] = CHOICES

    def __post_init__(self) -> None:
        if (self.error is None) == (self.like is None):
            raise ValueError(
                "Bits are chosen either for an `error` or for as many bytes as one precision, "
                f"`like`; got error={self.error}, like={self.like}."
            )


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A choice that was refitted: distance predicted without a refit."""

    quantized: Quantized
    predicted: float

    @property
    def distance(self) -> float:
        """Measured relative L2 distance from the float model."""
        return self.quantized.distance

    @property
    def weight_bytes(self) -> int:
        """Bytes of weights, scales and biases: what the choice decides about a file."""
        return self.quantized.file.weight_bytes


def mixed_precision(
    subject: Subject,
    wanted: Wanted,
    *,
    settings: RefitSettings | None = None,
    progress: Progress | None = None,
) -> Candidate:
    """The best bits for each layer.

    Raises:
        ValueError: a precision is unknown, or no choice reaches the error, naming the nearest.
    """
    tried = tried_choices(subject, wanted, settings=settings, progress=progress)
    error = wanted.error
    if error is None:
        return min(tried, key=lambda candidate: candidate.distance)
    found = _smallest(tried, error)
    if found is None:
        nearest = min(tried, key=lambda candidate: candidate.distance)
        raise ValueError(
            f"No choice of bits reached the distance {error:g}; the nearest, "
            f"{','.join(nearest.quantized.precisions)}, has {nearest.distance:.3g}: allow more."
        )
    return found


def tried_choices(
    subject: Subject,
    wanted: Wanted,
    *,
    settings: RefitSettings | None = None,
    progress: Progress | None = None,
) -> list[Candidate]:
    """All choices that `mixed_precision` refits; the first has the same bits in all layers.

    Raises:
        ValueError: a precision is unknown.
    """
    error, among = wanted.error, wanted.among
    losses, layers = sensitivities(subject, among), len(subject.file.layers)
    uniform = wanted.like or ("i8" if "i8" in among else among[len(among) // 2])
    bytes_of = layer_bytes(subject.file, among)
    sizes = {c: _total(bytes_of, c) for c in _choices(among, layers)}
    tried = [_tried(subject, (uniform,) * layers, losses, settings, progress)]
    limit = tried[0].weight_bytes
    while len(tried) <= TRIALS:
        seen = {candidate.quantized.precisions for candidate in tried}
        expected = {
            c: _expected(predicted_distance(losses, c), tried) for c in sizes if c not in seen
        }
        if error is not None:
            best = _smallest(tried, error)
            most = best.weight_bytes if best is not None else np.inf
            fitting = [c for c in expected if expected[c] <= error and sizes[c] < most]
        else:
            least = min(candidate.distance for candidate in tried)
            fitting = [c for c in expected if expected[c] < least and sizes[c] <= limit]
        if not fitting:
            break
        choice = min(fitting, key=lambda c: (sizes[c] if error is not None else 0, expected[c]))
        tried.append(_tried(subject, choice, losses, settings, progress))
    return tried


def sensitivities(subject: Subject, among: Sequence[str] = CHOICES) -> dict[str, Array]:
    """Precision -> (layers,), squared relative distance that rounding each layer is to cause."""
    file, objective = subject.file, subject.objective
    _, rows = objective.residuals_and_jacobian(subject.field.weights)
    curvature = rows.square().sum(1).numpy()
    losses = {}
    for precision in among:
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
    bytes_of = layer_bytes(subject.file, tuple(losses))
    fitting = [
        (_total(bytes_of, choice), predicted_distance(losses, choice), choice)
        for choice in _choices(tuple(losses), len(subject.file.layers))
        if predicted_distance(losses, choice) <= distance
    ]
    return min(fitting)[2] if fitting else None


def predicted_bytes(file: ModelFile, precisions: Sequence[str]) -> int:
    """Bytes of weights, scales and biases that the file is to have in these precisions."""
    return _total(layer_bytes(file, tuple(set(precisions))), precisions)


def layer_bytes(file: ModelFile, among: Sequence[str]) -> dict[str, list[int]]:
    """Precision -> bytes of each layer's weights, scales and biases."""
    return {p: [narrowed(layer, p).stored_bytes for layer in file.stored_layers] for p in among}


def _total(bytes_of: dict[str, list[int]], precisions: Sequence[str]) -> int:
    return sum(bytes_of[p][k] for k, p in enumerate(precisions))


def _choices(among: Sequence[str], layers: int) -> Iterator[tuple[str, ...]]:
    """Combinations of bits; where there are too many, all hidden layers have the same."""
    if len(among) ** layers <= MOST_CHOICES:
        yield from product(among, repeat=layers)
        return
    for first, hidden, last in product(among, repeat=3):
        yield first, *[hidden] * (layers - 2), last


def _tried(
    subject: Subject,
    precisions: Sequence[str],
    losses: dict[str, Array],
    settings: RefitSettings | None,
    progress: Progress | None,
) -> Candidate:
    quantized = quantize(subject, precisions, settings=settings, progress=progress)
    return Candidate(quantized=quantized, predicted=predicted_distance(losses, precisions))


def _expected(predicted: float, tried: Sequence[Candidate]) -> float:
    """Distance after a refit, from those of the choices that were tried.

    Straight lines between them in logarithms; beyond the ends in proportion to the prediction.
    """
    pairs = np.array(sorted((c.predicted, c.distance) for c in tried))
    x, y = np.log(np.maximum(pairs, LEAST)).T
    at = float(np.log(max(predicted, LEAST)))
    beyond = at - float(np.clip(at, x[0], x[-1]))
    return float(np.exp(np.interp(at, x, np.maximum.accumulate(y)) + beyond))


def _smallest(tried: Sequence[Candidate], error: float) -> Candidate | None:
    fitting = [candidate for candidate in tried if candidate.distance <= error]
    return min(fitting, key=lambda candidate: candidate.weight_bytes, default=None)
