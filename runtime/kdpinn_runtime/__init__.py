"""Evaluate and verify compressed physics-informed networks: numpy in, numpy out.

>>> from kdpinn_runtime import load, verify            # doctest: +SKIP
>>> model = load("model.kdp")                          # doctest: +SKIP
>>> u = model(x)                                       # doctest: +SKIP
>>> assert verify(model).passed                        # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .format import FormatError, ModelFile, pack, read, unpack, write
from .verify import Check, Verdict, verify

if TYPE_CHECKING:
    from .model import Jet, Model, load

__all__ = [
    "Check",
    "FormatError",
    "Jet",
    "Model",
    "ModelFile",
    "Verdict",
    "load",
    "pack",
    "read",
    "unpack",
    "verify",
    "write",
]

_COMPILED = {"Jet", "Model", "load"}


def __getattr__(name: str) -> Any:
    # Late, so that files can be read and written where the compiled core is not built.
    if name in _COMPILED:
        from . import model

        return getattr(model, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_COMPILED})
