"""What an FMU is asked to be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kdpinn_runtime.format import ModelFile

from .platforms import PLATFORMS, host

MAX_POINTS = 1 << 20
"""Cap of an array, so that a saved state cannot ask for any amount of memory."""


@dataclass(frozen=True, kw_only=True)
class FmuOptions:
    """How a model becomes an FMU.

    Attributes:
        version: of the standard, 2 (2.0) or 3 (3.0).
        precision: the arithmetic, "f64" or "f32"; in FMI 3 also the type of inputs and outputs.
        time: the input that is the simulation's time; empty: all inputs are inputs.
        parameters: inputs that stay as they are during a simulation (a place, a viscosity).
        points: FMI 3: variables are arrays of so many points at first; 0: they are scalars.
        platforms: what to build binaries for, see `PLATFORMS`; empty: this machine.
    """

    version: Literal[2, 3] = 2
    precision: Literal["f64", "f32"] = "f64"
    time: str = ""
    parameters: tuple[str, ...] = ()
    points: int = 0
    platforms: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.version not in (2, 3):
            raise ValueError(f"there is no FMI {self.version} here: --fmi 2 or --fmi 3")
        if self.precision not in ("f64", "f32"):
            raise ValueError(f"an FMU computes in f64 or f32, not in {self.precision!r}")
        if self.points and self.version == 2:
            raise ValueError(f"FMI 2 has no arrays: {self.points} points need --fmi 3")
        if not 0 <= self.points <= MAX_POINTS:
            raise ValueError(f"{self.points} points: expected 0 (scalars) to {MAX_POINTS}")
        unknown = sorted(set(self.platforms) - set(PLATFORMS))
        if unknown:
            raise ValueError(
                f"unknown platform {', '.join(unknown)}; known are {', '.join(PLATFORMS)}"
            )
        object.__setattr__(self, "parameters", tuple(dict.fromkeys(self.parameters)))
        object.__setattr__(self, "platforms", tuple(sorted(set(self.platforms))))

    @property
    def built_for(self) -> tuple[str, ...]:
        """The platforms; this machine's if none were named.

        Raises ValueError where that is none that binaries are built for.
        """
        return self.platforms or (host(),)

    def check(self, model: ModelFile) -> None:
        """Raises ValueError for a name that is no input of the model, or asked for twice."""
        inputs = [variable.name for variable in model.inputs]
        for name in (*self.parameters, *([self.time] if self.time else [])):
            if name not in inputs:
                raise ValueError(f"the model has no input '{name}'; it has {', '.join(inputs)}")
        if self.time in self.parameters:
            raise ValueError(f"'{self.time}' is the simulation's time and cannot be a parameter")

    def time_input(self, model: ModelFile) -> int:
        """Index of the input that is the simulation's time, -1 if there is none."""
        names = [variable.name for variable in model.inputs]
        return names.index(self.time) if self.time else -1
