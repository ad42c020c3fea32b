"""The engines: every module here is one, and has it as ENGINE."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..engine_model import Engine


def known() -> dict[str, Engine]:
    """Name -> engine, sorted by name."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    engines: list[Engine] = [module.ENGINE for module in modules]
    return {engine.name: engine for engine in sorted(engines, key=lambda e: e.name)}


def engine_of(name: str) -> Engine:
    """Raises ValueError for an unknown name."""
    engines = known()
    if name not in engines:
        raise ValueError(f"unknown engine {name!r}; known are {', '.join(engines)}")
    return engines[name]
