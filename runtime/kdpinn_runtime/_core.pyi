"""The compiled module; `kdpinn_runtime.Model` and `kdpinn_runtime.reverse` are its public faces."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Rows = NDArray[Any]
Pairs = Sequence[tuple[int, int]]

def version() -> str: ...
def isas() -> list[str]:
    """Instruction sets that this processor can run, best first."""

def fma_burst(isa: str, precision: str, steps: int) -> int:
    """Run nothing but multiply-adds; how many operations these were, 0 where `isa` has no peak."""

def check(file: bytes) -> str | None:
    """None if the core accepts the file, else the name of its refusal."""

class Bound:
    def step(self) -> None:
        """Evaluate; calls the report with (points outside, first bad row or -1) if any are."""

class Engine:
    def __init__(self, file: bytes, isa: str | None = None) -> None: ...
    @property
    def isa(self) -> str: ...
    @property
    def parameters(self) -> int: ...
    def call(self, x: object) -> Rows | None:
        """Outputs at an array as the core reads it, inside the domain; None: the careful way."""

    def eval(self, x: Rows, out: Rows, threads: int = 1) -> tuple[int, int]:
        """(points outside the domain, first row that is not finite or -1)."""

    def jet(
        self, x: Rows, first: bool, pairs: Pairs, out: Rows, threads: int = 1
    ) -> tuple[int, int]: ...
    def residual(self, x: Array, jets: Array, data: Array | None, out: Array) -> None: ...
    def selftest(self, single: bool) -> dict[str, Any]: ...
    def bind(self, x: Rows, out: Rows, report: Callable[[int, int], None]) -> Bound: ...
    def bind_jet(
        self, x: Rows, pairs: Pairs, out: Rows, report: Callable[[int, int], None]
    ) -> Bound: ...

class Assimilation:
    def __init__(self, engine: Engine, single: bool, unknown: Sequence[int]) -> None: ...
    @property
    def logarithmic(self) -> list[bool]: ...
    @property
    def model_error(self) -> list[float]: ...
    @property
    def mean(self) -> list[float]: ...
    @property
    def covariance(self) -> list[list[float]]: ...
    def set(
        self,
        logarithmic: Sequence[bool],
        drift: Sequence[float],
        noise: Sequence[float],
        model_error: Sequence[float],
        loss: int,
        outlier: float,
    ) -> None:
        """Settings of the next updates; the estimate becomes the prior."""

    def set_estimate(self, mean: Sequence[float], covariance: Array) -> None: ...
    def update(
        self,
        x: Array,
        y: Array,
        noise: Array | None,
        reading: NDArray[np.uint8],
        residual: Array,
    ) -> tuple[int, int, int, int, int, bool, int, float]:
        """(used, missing, outside, outliers, iterations, converged, at_bound, chi_square)."""

    def drift(self, duration: float) -> None: ...
    def value(self, k: int, deviations: float) -> float: ...
    def state(self, x: Array, value: Array, deviation: Array, gradient: Array) -> None: ...

class Trainee:
    def __init__(
        self,
        sizes: Sequence[int],
        activation: int,
        theta: Array,
        x: Array,
        scale: Array | None,
        pairs: Pairs,
        order: int,
        isa: str | None = None,
    ) -> None: ...
    def jets(self, out: Array, threads: int) -> None: ...
    def vjp(self, seed: Array, gradient: Array, threads: int) -> None: ...
    def jacobian(self, seed: Array, out: Array, threads: int) -> None: ...

class Squares:
    def __init__(self) -> None: ...
    def add(
        self,
        trainee: Trainee,
        products: Sequence[tuple[float, int, Sequence[int]]],
        equations: int,
        columns: Array,
        scalars: int,
    ) -> None: ...
    def evaluate(
        self, theta: Array, scalars: Array, gradient: Array, by_scalar: Array, threads: int
    ) -> float: ...
