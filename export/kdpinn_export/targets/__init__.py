"""The targets: every module here is one, and has it as TARGET."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from ..target import Target


def known() -> dict[str, Target]:
    """Name -> target, sorted by name."""
    modules = [import_module(f"{__name__}.{found.name}") for found in iter_modules(__path__)]
    targets: list[Target] = [module.TARGET for module in modules]
    return {target.name: target for target in sorted(targets, key=lambda t: t.name)}


def chosen(names: str) -> list[Target]:
    """The targets of a list such as "onnx,c", or "all" of them.

    Raises ValueError naming an unknown one.
    """
    targets = known()
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if "all" in wanted:
        return list(targets.values())
    unknown = [name for name in wanted if name not in targets]
    if unknown or not wanted:
        raise ValueError(
            f"unknown target {', '.join(map(repr, unknown)) or repr(names)}; known are "
            f"{', '.join(targets)} and all of them, 'all'"
        )
    return [targets[name] for name in dict.fromkeys(wanted)]
