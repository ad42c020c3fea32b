"""The model file, `model.kdp`: its parts, and how to write and read it.

The layout is described in `docs/format.md`. Everything here is numpy and the standard library.
"""

from __future__ import annotations

from ._baseline import LIMITED_ROLES, ROLES, Baseline
from ._coordinates import OPERATION_KINDS, CoordinateMap, Operation
from ._layer import Layer
from ._model_file import ModelFile
from ._parts import (
    ACTIVATIONS,
    DEFAULT_TARGETS,
    FACTOR_KINDS,
    Equation,
    Factor,
    FactorKind,
    Parameter,
    Target,
    Term,
    Variable,
)
from ._precision import INTEGER_BITS, PRECISIONS
from ._reader import read, unpack
from ._refusals import REFUSALS, FormatError
from ._symmetry import Generator, Symmetry
from ._writer import pack, write

__all__ = [
    "ACTIVATIONS",
    "DEFAULT_TARGETS",
    "FACTOR_KINDS",
    "INTEGER_BITS",
    "LIMITED_ROLES",
    "OPERATION_KINDS",
    "PRECISIONS",
    "REFUSALS",
    "ROLES",
    "Baseline",
    "CoordinateMap",
    "Equation",
    "Factor",
    "FactorKind",
    "FormatError",
    "Generator",
    "Layer",
    "ModelFile",
    "Operation",
    "Parameter",
    "Symmetry",
    "Target",
    "Term",
    "Variable",
    "pack",
    "read",
    "unpack",
    "write",
]
