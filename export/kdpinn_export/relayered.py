"""A model file with other weights of the same network: expected outputs and limits made anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kdpinn_runtime.format import Layer, ModelFile

from . import limits
from .maps import Jets
from .residuals import terms_of
from .taylor import evaluate


def relayered(file: ModelFile, layers: Sequence[Layer], card: Mapping[str, Any]) -> ModelFile:
    """`file` with other layers, and `card` added to its card.

    Ranges of the outputs, expected answers and limits become those of the new weights, as `to_kdp`
    computes them. Raises FormatError where the layers do not fit.
    """
    bare = replace(file, layers=tuple(layers), card={**file.card, **card})
    base = file.baseline
    if base is None:
        return bare
    wide = evaluate(bare, base.points, file.pairs)
    narrow = evaluate(bare, base.points, file.pairs, np.float32)
    permitted = {"expected": limits.value_limit(wide.value, narrow.value)}
    for role, truth in (("reference", base.reference), ("teacher", base.teacher)):
        if truth is not None:
            permitted[role] = limits.distance_limit(wide.value, narrow.value, truth)
    lower, upper = wide.value.min(axis=0), wide.value.max(axis=0)
    return replace(
        bare,
        outputs=tuple(
            replace(v, lower=float(a), upper=float(b))
            for v, a, b in zip(file.outputs, lower, upper, strict=True)
        ),
        equations=tuple(
            replace(
                equation,
                limit=limits.residual_limit(
                    *(_terms(file, equation.terms, jets) for jets in (wide, narrow))
                ),
            )
            for equation in file.equations
        ),
        baseline=replace(base, expected=wide.value.astype(np.float64), limits=permitted),
    )


def _terms(file: ModelFile, terms: Sequence[Any], jets: Jets[Any]) -> Any:
    assert file.baseline is not None, "the caller has looked"
    return terms_of(terms, file.baseline.points, jets, file.parameters, file.baseline.data)
