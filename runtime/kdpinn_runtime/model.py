"""A loaded model: numpy in, numpy out, with exact derivatives, evaluated by the C core."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import _core
from ._jet import Jet, pair_indices
from ._model_file import ModelFile
from ._parts import Variable
from ._points import as_points, columns_of
from ._reader import in_file, read_bytes, unpack
from ._refusals import FormatError

Array = NDArray[Any]
Outside = Literal["warn", "count", "refuse"]


class OutsideDomainWarning(UserWarning):
    """Points lie outside the domain that the model was trained on."""


class OutsideDomainError(ValueError):
    """Points lie outside the domain, and the model was loaded with outside="refuse"."""


class Model:
    """Evaluates a model file; make one with `load`.

    Points are (n, d) arrays, one column per input in the order of `inputs`, in the inputs' units.
    The arithmetic is that of the points: float32 arrays are evaluated in float32, everything else
    in float64. Many threads may share one model; the interpreter lock is released meanwhile.

    Attributes:
        file: the parsed file: layers, equations, baseline, card.
        inputs, outputs: names, units and ranges.
        digest: SHA-256 of the file's content, hexadecimal.
        outside_count: points outside the domain so far, over all calls.
        dtypes: the arithmetics that it has.
    """

    dtypes = (np.float32, np.float64)

    def __init__(
        self, content: bytes, *, outside: Outside = "warn", isa: str | None = None
    ) -> None:
        if outside not in get_args(Outside):
            raise ValueError(f"`outside` must be one of {get_args(Outside)}, got {outside!r}.")
        if isa not in (None, *_core.isas()):
            raise ValueError(f"`isa` must be one of {_core.isas()} on this machine, got {isa!r}.")
        accepted = _core.check(content) is None
        self.file: ModelFile = unpack(content, digest_checked=accepted)
        self.digest = content[64:96].hex()
        self.inputs: tuple[Variable, ...] = self.file.inputs
        self.outputs: tuple[Variable, ...] = self.file.outputs
        self.outside_count = 0
        self._outside = outside
        self._warned = False
        self._engine = _core.Engine(content, isa)

    def __repr__(self) -> str:
        inputs = ", ".join(variable.name for variable in self.inputs)
        outputs = ", ".join(variable.name for variable in self.outputs)
        return f"<Model ({inputs}) -> ({outputs}), {self.parameters} parameters, {self.isa}>"

    @property
    def card(self) -> dict[str, Any]:
        """What the file says about itself: problem, recipe, accuracy, versions."""
        return self.file.card

    @property
    def domain(self) -> NDArray[np.float64]:
        """Lower and upper bound of each input, (d, 2), in its unit."""
        return np.array([(variable.lower, variable.upper) for variable in self.inputs])

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The second derivatives, as pairs of input indices, that the file's equations use."""
        return self.file.pairs

    @property
    def parameters(self) -> int:
        """Number of weights and biases."""
        return int(self._engine.parameters)

    @property
    def isa(self) -> str:
        """The instruction set that evaluates this model: "avx512", "avx2", "neon" or "scalar"."""
        return str(self._engine.isa)

    def __call__(self, x: ArrayLike, *, threads: int = 1) -> Array:
        """Outputs (n, m) at the points `x` (n, d), float32 or float64 as `x`.

        Raises ValueError for a wrong shape, for NaN or infinity (naming the row), and
        OutsideDomainError where the model was loaded with outside="refuse".
        """
        if threads == 1:
            quick = self._engine.call(x)
            if quick is not None:
                return quick
        points = as_points(x, self.inputs)
        out = np.empty((len(points), len(self.outputs)), points.dtype)
        self._report(points, *self._engine.eval(points, out, threads))
        return out

    def jet(
        self,
        x: ArrayLike,
        second: Literal["all"] | Sequence[Sequence[str]] = "all",
        *,
        threads: int = 1,
    ) -> Jet:
        """Values, all first derivatives and the chosen second derivatives at `x` (n, d).

        Args:
            x: points, as for a call.
            second: "all", or pairs of input names such as [("x", "x"), ("x", "t")]; () for none.
            threads: points are shared out over so many threads.
        """
        points = as_points(x, self.inputs)
        return self._jet(points, pair_indices(second, self.inputs), threads)

    def residual(
        self, x: ArrayLike, data: ArrayLike | None = None, *, threads: int = 1
    ) -> NDArray[np.float64]:
        """Residual of the equations that the file carries, (n, equations), at `x` (n, d).

        `data` (n, columns) holds the source terms at the points, if the equations use any. The
        jets are computed in the arithmetic of `x`, the sums of products in float64.
        """
        if not self.file.equations:
            raise ValueError("This model's file carries no equation: it has no residual.")
        points = as_points(x, self.inputs)
        table = None if data is None else np.ascontiguousarray(data, np.float64)
        columns = (
            0
            if self.file.baseline is None or self.file.baseline.data is None
            else (self.file.baseline.data.shape[1])
        )
        if columns and (table is None or table.shape != (len(points), columns)):
            got = "none" if table is None else table.shape
            raise ValueError(
                f"The equations use {columns} tabulated source terms: `data` must have the shape "
                f"({len(points)}, {columns}), got {got}."
            )
        jets = self._jet(points, self.pairs, threads).channels.astype(np.float64, copy=False)
        out = np.empty((len(points), len(self.file.equations)))
        self._engine.residual(points.astype(np.float64, copy=False), jets, table, out)
        return out

    def selftest(self, dtype: DTypeLike = np.float32) -> dict[str, Any]:
        """The core's own replay of the file's baseline, as a device without Python runs it.

        In the arithmetic of `dtype`, float32 or float64. `verify` says more and in words. Returns
        "passed", "points", "expected", "reference", "teacher" and "residual", which are
        (measured, limit, passed), or None where the file does not carry them, and "equation", the
        index of the one whose residual is largest relative to its limit; that ratio is "residual".
        """
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise ValueError(f"`dtype` must be float32 or float64, got {np.dtype(dtype)}.")
        return self._engine.selftest(np.dtype(dtype) == np.float32)

    def bind(self, x: Array, out: Array) -> Callable[[], None]:
        """A call without arguments that evaluates `x` (n, d) into `out` (n, m), for control loops.

        Both are checked once, here: C-contiguous arrays of one type, float32 or float64, which the
        call keeps alive and reads and writes in place. Use one such call per thread.
        """
        self._check_bound("bind", "x", x, x, len(self.inputs))
        self._check_bound("bind", "out", out, x, len(self.outputs))
        if not out.flags.writeable:
            raise ValueError("`bind` writes to `out`, which is read-only: pass a writeable array.")
        step: Callable[[], None] = self._engine.bind(x, out, self._reporter(x)).step
        return step

    def bind_jet(
        self, x: Array, second: Literal["all"] | Sequence[Sequence[str]] = "all"
    ) -> tuple[Callable[[], None], Jet]:
        """A call without arguments, and the jet at `x` (n, d) that it fills anew every time.

        `x` is checked once, here: a C-contiguous array, float32 or float64, which the call keeps
        alive and reads in place. `second` as for `jet`. Use one such call per thread.

            step, jet = model.bind_jet(x, [("x", "x")])
            step()
            jet["u_xx"]
        """
        self._check_bound("bind_jet", "x", x, x, len(self.inputs))
        jet = self._empty_jet(x, pair_indices(second, self.inputs))
        bound = self._engine.bind_jet(x, list(jet.pairs), jet.channels, self._reporter(x))
        step: Callable[[], None] = bound.step
        return step, jet

    def _check_bound(self, call: str, name: str, array: Array, x: Array, columns: int) -> None:
        rows = x.shape[0] if isinstance(x, np.ndarray) and x.ndim == 2 else "n"
        fits = (
            isinstance(array, np.ndarray)
            and array.shape == (rows, columns)
            and array.dtype in (np.float32, np.float64)
            and array.dtype == x.dtype
            and array.flags.c_contiguous
            and array.flags.aligned
        )
        if not fits:
            alike = " alike for x and out" if call == "bind" else ""
            raise ValueError(
                f"`{call}` needs `{name}` as a C-contiguous array of shape ({rows}, {columns}), "
                f"float32 or float64{alike}; got {_describe(array)}."
            )

    def _reporter(self, x: Array) -> Callable[[int, int], None]:
        def report(outside: int, bad_row: int) -> None:
            self._report(x, outside, bad_row)

        return report

    def at(self, **coordinates: ArrayLike) -> dict[str, Array]:
        """Named outputs at named coordinates, which broadcast: `model.at(x=0.3, t=times)["u"]`."""
        points, shape = columns_of(coordinates, self.inputs)
        out = self(points)
        return {variable.name: out[:, k].reshape(shape) for k, variable in enumerate(self.outputs)}

    def to_xarray(self, *, dtype: DTypeLike = np.float64, **coordinates: ArrayLike) -> Any:
        """The outputs over the product of the coordinates, as an `xarray.Dataset` (CF attributes).

        `model.to_xarray(x=np.linspace(-1, 1, 201), t=[0.0, 0.5], nu=0.01)`: arrays (n,) become
        dimensions, numbers scalar coordinates. Evaluated in `dtype`. For fields larger than memory
        see `kdpinn eval`. Raises ImportError without xarray, ValueError for other shapes or names.
        """
        from ._xarray import dataset

        return dataset(self, coordinates, dtype)

    def _jet(self, points: Array, pairs: tuple[tuple[int, int], ...], threads: int) -> Jet:
        jet = self._empty_jet(points, pairs)
        self._report(points, *self._engine.jet(points, True, list(pairs), jet.channels, threads))
        return jet

    def _empty_jet(self, points: Array, pairs: tuple[tuple[int, int], ...]) -> Jet:
        channels = 1 + len(self.inputs) + len(pairs)
        out = np.empty((channels, len(points), len(self.outputs)), points.dtype)
        inputs = tuple(variable.name for variable in self.inputs)
        outputs = tuple(variable.name for variable in self.outputs)
        return Jet(channels=out, pairs=pairs, inputs=inputs, outputs=outputs)

    def _report(self, points: Array, outside: int, bad_row: int) -> None:
        """Counts, warns or refuses what the core saw in a call."""
        if bad_row >= 0:
            values = ", ".join(
                f"{v.name}={a}" for v, a in zip(self.inputs, points[bad_row], strict=True)
            )
            raise ValueError(f"Row {bad_row} of the points is not finite ({values}).")
        if not outside:
            return
        self.outside_count += outside
        if self._outside == "refuse":
            raise OutsideDomainError(self._outside_text(points, outside))
        if self._outside == "warn" and not self._warned:
            self._warned = True
            warnings.warn(
                self._outside_text(points, outside)
                + " Later ones are only counted (`outside_count`).",
                OutsideDomainWarning,
                stacklevel=3,
            )

    def _outside_text(self, points: Array, outside: int) -> str:
        lower, upper = self.domain.T
        excess = np.maximum(lower - points, points - upper) / (upper - lower)
        row = int(np.argmax(excess.max(axis=1)))
        variable = self.inputs[int(np.argmax(excess[row]))]
        value = points[row, int(np.argmax(excess[row]))]
        return (
            f"{outside} of {len(points)} points lie outside the domain; the farthest is row {row}: "
            f"{variable.name} = {value:g} {variable.unit}".rstrip()
            + f", known on [{variable.lower:g}, {variable.upper:g}]."
        )


def load(
    source: str | os.PathLike[str] | bytes, *, outside: Outside = "warn", isa: str | None = None
) -> Model:
    """Loads a model file, checking every byte.

    Args:
        source: a path, or the bytes of a file.
        outside: what to do about points outside the domain: "warn" once and count, only "count",
            or "refuse" the call.
        isa: instruction set to use: "avx512", "avx2", "neon" or "scalar"; by default the best.
    Raises:
        FormatError: the file is damaged or not a model; `.code` says why.
        ValueError: this processor does not have the instruction set.
        OSError: the file cannot be read.
    """
    if isinstance(source, bytes):
        return Model(source, outside=outside, isa=isa)
    data = read_bytes(source)
    try:
        return Model(data, outside=outside, isa=isa)
    except FormatError as error:
        raise in_file(error, source) from error


def _describe(array: object) -> str:
    if not isinstance(array, np.ndarray):
        return type(array).__name__
    order = "contiguous" if array.flags.c_contiguous else "not contiguous"
    if not array.flags.aligned:
        order += ", not aligned"
    return f"{array.dtype} {array.shape}, {order}"
