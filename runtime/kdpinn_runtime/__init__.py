"""Evaluate and verify compressed physics-informed networks: numpy in, numpy out.

>>> from kdpinn_runtime import load, verify            # doctest: +SKIP
>>> model = load("model.kdp")                          # doctest: +SKIP
>>> u = model(x)                                       # doctest: +SKIP
>>> assert verify(model).passed                        # doctest: +SKIP
"""

from __future__ import annotations

from ._jet import Jet
from .format import FormatError, ModelFile, pack, read, unpack, write
from .model import Model, OutsideDomainError, OutsideDomainWarning, load
from .reloading import Reloading, ReloadWarning
from .verify import Check, Verdict, verify

__all__ = [
    "Check",
    "FormatError",
    "Jet",
    "Model",
    "ModelFile",
    "OutsideDomainError",
    "OutsideDomainWarning",
    "ReloadWarning",
    "Reloading",
    "Verdict",
    "load",
    "pack",
    "read",
    "unpack",
    "verify",
    "write",
]
