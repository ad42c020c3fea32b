"""What a target is: it turns a model file into the files of one kind of device, and proves them.

A target is one file in `targets/` with a constant TARGET; being there registers it. Copy
`targets/onnx.py` to begin another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, get_args

from kdpinn_runtime import Check
from kdpinn_runtime.format import ModelFile

from .fmu.options import FmuOptions

Precision = Literal["f32", "f16", "i16", "i12", "i8", "i6", "i4"]
"""Of the weights in the artefact: floating point, or integers with a scale per output channel."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
BUDGET = 0.01
"""Default of the distance from the model that narrower weights may make."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Request:
    """What a target is asked for.

    model, data: the model file, parsed and as its bytes; name: what the files are named after;
    derivatives: whether the artefact also computes the first and the file's second derivatives;
    budget: relative L2 distance from the model that narrower weights may make over its points;
    fmu: how it becomes an FMU, for that target alone.
    """

    model: ModelFile
    data: bytes
    name: str
    precision: Precision = "f32"
    derivatives: bool = False
    budget: float = BUDGET
    fmu: FmuOptions = field(default_factory=FmuOptions)

    @property
    def digest(self) -> str:
        """SHA-256 that the model file carries, hexadecimal."""
        return self.data[64:96].hex()


class Target(Protocol):
    """One kind of artefact. Heavy imports belong inside the methods."""

    @property
    def name(self) -> str:
        """As `--to` names it."""
        ...

    @property
    def summary(self) -> str:
        """What it writes, in a few words."""
        ...

    @property
    def precisions(self) -> tuple[Precision, ...]:
        """Those it can write."""
        ...

    @property
    def derivatives(self) -> bool:
        """Whether it can write a variant with derivatives."""
        ...

    def missing(self) -> str:
        """What is not installed here, and how to get it; empty if nothing is missing."""
        ...

    def tools(self) -> dict[str, str]:
        """Tool -> version, of everything that builds or checks the artefact."""
        ...

    def build(self, request: Request) -> dict[str, bytes]:
        """The files by name, a known-answer file among them; equal requests give equal bytes.

        Raises ValueError for a model that it cannot express, naming what is in the way.
        """
        ...

    def check(self, request: Request, folder: Path) -> list[Check]:
        """Run the artefact in `folder`, which stays as it is, and compare it with the model.

        At least one check carries a measured figure and its limit.
        """
        ...


class Refused(RuntimeError):
    """An artefact is outside its bound: nothing was written. `checks` has the figures."""

    def __init__(self, label: str, checks: list[Check]) -> None:
        self.checks = checks
        failed = [
            f"{c.name} is {c.measured:.3g} {c.unit}".rstrip() + f", permitted {c.limit:.3g}"
            for c in checks
            if c.passed is False and c.measured is not None and c.limit is not None
        ]
        super().__init__(f"{label} was refused and not written: {'; '.join(failed)}")


class Unavailable(ValueError):
    """A tool that the target needs is not installed here."""
