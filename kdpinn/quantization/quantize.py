"""A model file becomes one with narrow weights: refitted, or as they round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from kdpinn.quantization.coding import Coding
from kdpinn.quantization.refit import Progress, RefitSettings, refit
from kdpinn.quantization.straight_through import straight_through
from kdpinn.quantization.subject import Subject
from kdpinn_export.grids import post_training
from kdpinn_export.relayered import relayered
from kdpinn_runtime.format import Layer, ModelFile

Method = Literal["refit", "straight-through", "post-training"]
METHODS: tuple[Method, ...] = get_args(Method)


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantized:
    """A model file with narrow weights, and its relative L2 distance from the float model."""

    file: ModelFile
    precisions: tuple[str, ...]
    method: Method
    distance: float


def each_layer(file: ModelFile, precision: str) -> tuple[str, ...]:
    """One precision for each layer, from "i8" for all of them or "i12,i8,i8,i12".

    Raises ValueError where the numbers differ.
    """
    named = tuple(part.strip() for part in precision.split(","))
    if len(named) == 1:
        return named * len(file.layers)
    if len(named) != len(file.layers):
        raise ValueError(
            f"--precision names {len(named)} layers, the model has {len(file.layers)}: name one "
            "precision for all layers, or one for each"
        )
    return named


def method_of(name: str) -> Method:
    """The method of that name. Raises ValueError for an unknown one."""
    for method in METHODS:
        if method == name:
            return method
    raise ValueError(f"There is no method {name!r}. Known: {', '.join(METHODS)}.")


def quantize(
    subject: Subject,
    precisions: Sequence[str],
    *,
    method: Method = "refit",
    settings: RefitSettings | None = None,
    progress: Progress | None = None,
) -> Quantized:
    """The subject's file with its layers stored in these precisions, one for each.

    Biases become float32, and so do the weights of a layer kept as "f32". The card says what was
    done under "quantization". Raises ValueError for an unknown precision, and for networks without
    a trainable form (hidden layers of several activations).
    """
    layers = quantized_layers(subject, precisions, method, settings, progress)
    distance = subject.distance(layers)
    about = {
        "precisions": list(precisions),
        "method": method,
        "distance": distance,
        "bytes_before": subject.file.weight_bytes,
    }
    file = relayered(subject.file, layers, {"quantization": about})
    return Quantized(file=file, precisions=tuple(precisions), method=method, distance=distance)


def quantized_layers(
    subject: Subject,
    precisions: Sequence[str],
    method: Method,
    settings: RefitSettings | None = None,
    progress: Progress | None = None,
) -> tuple[Layer, ...]:
    """The whole network's layers by one of the three methods."""
    if method == "post-training":
        return post_training(subject.file, precisions)
    coding = Coding.of(subject.file, precisions)
    if method == "straight-through":
        values, scales = straight_through(coding, subject.objective)
    else:
        found = refit(coding, subject.objective, settings, progress)
        values, scales = found.values, found.scales
    layers, symmetry = coding.stored(values, scales), subject.file.symmetry
    return layers if symmetry is None else symmetry.expand(layers)
