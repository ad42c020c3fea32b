"""The model file, `model.kdp`: its parts, and how to write and read it.

The layout is described in `docs/format.md`. Everything here is numpy and the standard library.
"""

from __future__ import annotations

from ._model_file import LIMITED_ROLES, ROLES, Baseline, ModelFile
from ._parts import (
    ACTIVATIONS,
    DEFAULT_TARGETS,
    FACTOR_KINDS,
    Equation,
    Factor,
    FactorKind,
    Layer,
    Parameter,
    Target,
    Term,
    Variable,
)
from ._refusals import REFUSALS, FormatError

__all__ = [
    "ACTIVATIONS",
    "DEFAULT_TARGETS",
    "FACTOR_KINDS",
    "LIMITED_ROLES",
    "REFUSALS",
    "ROLES",
    "Baseline",
    "Equation",
    "Factor",
    "FactorKind",
    "FormatError",
    "Layer",
    "ModelFile",
    "Parameter",
    "Target",
    "Term",
    "Variable",
]
