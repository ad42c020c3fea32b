"""Evaluate and verify compressed physics-informed networks: numpy in, numpy out.

>>> from kdpinn_runtime import load, verify            # doctest: +SKIP
>>> model = load("model.kdp")                          # doctest: +SKIP
>>> u = model(x)                                       # doctest: +SKIP
>>> assert verify(model).passed                        # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._jet import Jet
from .format import FormatError, ModelFile, pack, read, unpack, write
from .model import Model, OutsideDomainError, OutsideDomainWarning, load
from .verify import Check, Verdict, verify

if TYPE_CHECKING:
    from .assimilation import Assimilator
    from .reloading import Reloading, ReloadWarning
    from .signatures import SignatureError, Trust, load_signed

__all__ = [
    "Assimilator",
    "Check",
    "FormatError",
    "Jet",
    "Model",
    "ModelFile",
    "OutsideDomainError",
    "OutsideDomainWarning",
    "ReloadWarning",
    "Reloading",
    "SignatureError",
    "Trust",
    "Verdict",
    "load",
    "load_signed",
    "pack",
    "read",
    "unpack",
    "verify",
    "write",
]


def __getattr__(name: str) -> Any:
    # Late: most programs need none of these, and every import counts before a first value.
    if name == "Assimilator":
        from .assimilation import Assimilator

        return Assimilator
    if name in ("Reloading", "ReloadWarning"):
        from . import reloading

        return getattr(reloading, name)
    if name in ("SignatureError", "Trust", "load_signed"):
        from . import signatures

        return getattr(signatures, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
