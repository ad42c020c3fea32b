"""From plain arrays to the contents of a model file: `to_kdp`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from kdpinn_runtime.format import (
    DEFAULT_TARGETS,
    Baseline,
    CoordinateMap,
    Equation,
    Layer,
    ModelFile,
    Parameter,
    Symmetry,
    Target,
    Term,
    Variable,
)

from . import limits
from .arithmetic import Array, FloatArray
from .maps import Jets
from .residuals import terms_of
from .taylor import evaluate

DTYPES: dict[str, type[np.float32] | type[np.float64]] = {"f32": np.float32, "f64": np.float64}


@dataclass(frozen=True, kw_only=True, eq=False)
class NetworkArrays:
    """A plain network: z = (x - input_shift) * input_scale, dense layers, u = y * scale + shift.

    Shifts and scales are float64, (d,) on the input side and (m,) on the output side. `features`
    and `exact` are functions of the inputs, as in `ModelFile`.
    """

    layers: tuple[Layer, ...]
    input_shift: Array
    input_scale: Array
    output_shift: Array
    output_scale: Array
    features: CoordinateMap | None = None
    exact: CoordinateMap | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class BaselineTables:
    """What is known at the baseline points besides the model itself.

    points (n, d), exact in float32 (see `baseline_points`); reference (n, m): the true solution;
    teacher (n, m): the teacher's outputs; data (n, c): columns that the equations use.
    """

    points: Array
    reference: Array | None = None
    teacher: Array | None = None
    data: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Physics:
    """The equations of the problem, as sums of products, and what they refer to.

    equations: name -> terms of the residual; pairs: the second derivatives (i, j), i <= j, by
    position of the inputs; parameters: physical constants, (name, unit, value).
    """

    equations: Mapping[str, Sequence[Term]] = field(default_factory=dict)
    pairs: tuple[tuple[int, int], ...] = ()
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(Parameter(*p) for p in self.parameters))


def plain_network(
    weights: Sequence[ArrayLike],
    biases: Sequence[ArrayLike],
    activation: str,
    *,
    input_shift: ArrayLike = 0.0,
    input_scale: ArrayLike = 1.0,
    output_shift: ArrayLike = 0.0,
    output_scale: ArrayLike = 1.0,
    dtype: Literal["f32", "f64"] = "f32",
    features: CoordinateMap | None = None,
    exact: CoordinateMap | None = None,
) -> NetworkArrays:
    """A network whose hidden layers share one activation; the last layer has none.

    weights[k] is (out, in), biases[k] (out,); they are rounded to `dtype`, the type that the file
    stores. Shifts and scales are numbers or one per input (output) of the network, which with
    `features` are these. `exact`: bases and factors of the outputs.
    Raises FormatError for shapes, values or an activation that a file cannot hold.
    """
    names = [activation] * (len(weights) - 1) + ["identity"]
    layers = tuple(
        Layer(weight=np.asarray(w, DTYPES[dtype]), bias=np.asarray(b, DTYPES[dtype]), activation=a)
        for w, b, a in zip(weights, biases, names, strict=True)
    )
    d, m = layers[0].weight.shape[1], layers[-1].weight.shape[0]
    return NetworkArrays(
        layers=layers,
        input_shift=_each(input_shift, d),
        input_scale=_each(input_scale, d),
        output_shift=_each(output_shift, m),
        output_scale=_each(output_scale, m),
        features=features,
        exact=exact,
    )


def to_kdp(
    network: NetworkArrays,
    *,
    inputs: Sequence[Variable],
    outputs: Sequence[tuple[str, str]],
    tables: BaselineTables,
    physics: Physics | None = None,
    targets: Sequence[Target] = DEFAULT_TARGETS,
    card: Mapping[str, Any] | None = None,
    symmetry: Symmetry | None = None,
) -> ModelFile:
    """The contents of a model file, with the expected outputs and all limits computed.

    inputs: name, unit and domain of each input; outputs: (name, unit) of each, their ranges are
    those over the baseline points; symmetry: by which the layers are tied, so that the file has
    their free part and the relation only. Expected outputs are those of the stored (rounded)
    weights in float64 arithmetic; limits are explained in `limits`.
    Raises FormatError (see `ModelFile`), and ValueError for a reference or teacher that is zero
    everywhere or for equations that use data which is not there.
    """
    physics = physics or Physics()
    wide = evaluate(network, tables.points, physics.pairs)
    narrow = evaluate(network, tables.points, physics.pairs, np.float32)
    ranges = zip(outputs, wide.value.min(axis=0), wide.value.max(axis=0), strict=True)
    return ModelFile(
        inputs=tuple(inputs),
        outputs=tuple(
            Variable(name=name, unit=unit, lower=float(low), upper=float(high))
            for (name, unit), low, high in ranges
        ),
        input_shift=network.input_shift,
        input_scale=network.input_scale,
        output_shift=network.output_shift,
        output_scale=network.output_scale,
        layers=network.layers,
        pairs=physics.pairs,
        parameters=physics.parameters,
        equations=_equations(physics, tables, wide, narrow),
        targets=tuple(targets),
        card=dict(card or {}),
        baseline=_baseline(tables, wide.value, narrow.value),
        features=network.features,
        exact=network.exact,
        symmetry=symmetry,
    )


def _each(value: ArrayLike, count: int) -> Array:
    return np.broadcast_to(np.asarray(value, np.float64), (count,)).copy()


def _equations(
    physics: Physics, tables: BaselineTables, wide: Jets[FloatArray], narrow: Jets[FloatArray]
) -> tuple[Equation, ...]:
    """The equations with the RMS that each may have on a device."""

    def terms(jets: Jets[FloatArray], of: Sequence[Term]) -> FloatArray:
        return terms_of(of, tables.points, jets, physics.parameters, tables.data)

    return tuple(
        Equation(
            name=name,
            terms=tuple(of),
            limit=limits.residual_limit(terms(wide, of), terms(narrow, of)),
        )
        for name, of in physics.equations.items()
    )


def _baseline(tables: BaselineTables, wide: FloatArray, narrow: FloatArray) -> Baseline:
    permitted = {"expected": limits.value_limit(wide, narrow)}
    for role, truth in (("reference", tables.reference), ("teacher", tables.teacher)):
        if truth is not None:
            permitted[role] = limits.distance_limit(wide, narrow, truth)
    return Baseline(
        points=tables.points,
        expected=wide.astype(np.float64),
        reference=tables.reference,
        teacher=tables.teacher,
        data=tables.data,
        limits=permitted,
    )
