"""Train physics-informed networks, distil them to small students, and ship them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kdpinn.field import Field
    from kdpinn.geometry import Box
    from kdpinn.places import Disk, Points
    from kdpinn.problems import Condition, Problem, Samples, dirichlet, load_problem

__version__ = "0.1.0"

__all__ = [
    "Box",
    "Condition",
    "Disk",
    "Field",
    "Points",
    "Problem",
    "Samples",
    "__version__",
    "dirichlet",
    "load_problem",
]

# Imported on first use: torch takes seconds, and `kdpinn --help` or `verify` do not need it.
_HOMES = {
    "Box": "kdpinn.geometry",
    "Condition": "kdpinn.problems",
    "Disk": "kdpinn.places",
    "Field": "kdpinn.field",
    "Points": "kdpinn.places",
    "Problem": "kdpinn.problems",
    "Samples": "kdpinn.problems",
    "dirichlet": "kdpinn.problems",
    "load_problem": "kdpinn.problems",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kdpinn' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
