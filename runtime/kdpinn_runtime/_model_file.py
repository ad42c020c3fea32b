"""A whole model file in memory: the network, its physics, its card, its baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._baseline import Array, Baseline
from ._card import card_bytes, parse_card
from ._coordinates import CoordinateMap
from ._layer import Layer
from ._limits import (
    MAX_EQUATIONS,
    MAX_FEATURES,
    MAX_INPUTS,
    MAX_LAYERS,
    MAX_OUTPUTS,
    MAX_PAIRS,
    MAX_PARAMETERS,
    MAX_TARGETS,
    MAX_TERMS,
)
from ._parts import (
    DEFAULT_TARGETS,
    Equation,
    Factor,
    Parameter,
    Target,
    Variable,
    check_name,
    check_unit,
    frozen_array,
    is_finite,
)
from ._refusals import FormatError, Problems
from ._symmetry import Symmetry


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFile:
    """Everything a .kdp file holds; d inputs, m outputs.

    z = (x - input_shift) * input_scale, through the layers to y, u = y * output_scale +
    output_shift; the shifts and scales are float64, (d,) and (m,). `pairs` are the second
    derivatives (i, j), i <= j, that the equations use. `card` is any JSON object.

    `features`: F functions of the inputs that the network takes instead of the inputs, z =
    (features(x) - input_shift) * input_scale, with shifts and scales (F,); for periodicity,
    Fourier features and the like. `exact`: 2 m functions, base_1 .. base_m, factor_1 .. factor_m;
    the outputs are then base(x) + factor(x) * u, which conditions can be built into. Derivatives
    are by the d inputs all the same.
    With a `symmetry` the layers are tied: they stand here in full, the file has their free part.
    Raises FormatError with all problems at once.
    """

    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    input_shift: Array
    input_scale: Array
    output_shift: Array
    output_scale: Array
    layers: tuple[Layer, ...]
    pairs: tuple[tuple[int, int], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    equations: tuple[Equation, ...] = ()
    targets: tuple[Target, ...] = DEFAULT_TARGETS
    card: dict[str, Any] = field(default_factory=dict)
    baseline: Baseline | None = None
    features: CoordinateMap | None = None
    exact: CoordinateMap | None = None
    symmetry: Symmetry | None = None

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs", "layers", "equations", "targets"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "pairs", tuple((int(i), int(j)) for i, j in self.pairs))
        object.__setattr__(self, "parameters", tuple(Parameter(*p) for p in self.parameters))
        problems = Problems()
        _check_counts(self, problems)
        problems.raise_if_any()
        _check_names(self, problems)
        _check_ranges(self, problems)
        _check_maps(self, problems)
        self._check_affine(problems)
        _check_layers(self, problems)
        if self.symmetry is not None:
            _check_symmetry(self, self.symmetry, problems)
        _check_pairs(self, problems)
        _check_equations(self, problems)
        if self.baseline is not None:
            _check_baseline(self, self.baseline, problems)
        try:
            object.__setattr__(self, "card", parse_card(card_bytes(self.card)))
        except FormatError as error:
            problems.extend(error)
        problems.raise_if_any()

    def _check_affine(self, problems: Problems) -> None:
        for side, names in (("input", self._fed), ("output", [v.name for v in self.outputs])):
            for what in ("shift", "scale"):
                array = frozen_array(getattr(self, f"{side}_{what}"), np.float64)
                object.__setattr__(self, f"{side}_{what}", array)
                if array.shape != (len(names),):
                    per = "feature" if side == "input" and self.features else side
                    problems.add(
                        "RECORD",
                        f"{side}_{what} has shape {array.shape}, expected ({len(names)},): "
                        f"one number per {per}",
                    )
                    continue
                for name, number in zip(names, array, strict=True):
                    problems.require(
                        bool(np.isfinite(number)) and (what == "shift" or number != 0.0),
                        "VALUE",
                        f"{side}_{what} of {name!r} is {number}, expected a finite "
                        + ("number" if what == "shift" else "number other than 0"),
                    )

    @property
    def _fed(self) -> list[str]:
        """Names of what the first layer takes."""
        if self.features is None:
            return [v.name for v in self.inputs]
        return [f"feature {k}" for k in range(len(self.features.results))]

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type of the weights as they are evaluated, float32 or float64."""
        return self.layers[0].weight.dtype

    @property
    def domain(self) -> dict[str, tuple[float, float]]:
        """Input name -> (lower, upper), in the unit of the input."""
        return {v.name: (v.lower, v.upper) for v in self.inputs}

    @property
    def weight_count(self) -> int:
        """Number of weights and biases, tied ones counted once."""
        return sum(layer.weight.size + layer.bias.size for layer in self.stored_layers)

    @property
    def weight_bytes(self) -> int:
        """Bytes of the weights, their scales and the biases in the file, without padding."""
        return sum(layer.stored_bytes for layer in self.stored_layers)

    @property
    def precisions(self) -> tuple[str, ...]:
        """The number type that each layer's weight is stored in: "f32", "i8", ..."""
        return tuple(layer.precision for layer in self.layers)

    @property
    def stored_layers(self) -> tuple[Layer, ...]:
        """What the file has of the layers: of tied ones the free part."""
        return self.layers if self.symmetry is None else self.symmetry.free(self.layers)


def _check_counts(file: ModelFile, problems: Problems) -> None:
    terms = [term for equation in file.equations for term in equation.terms]
    for name, count, cap in (
        ("inputs", len(file.inputs), MAX_INPUTS),
        ("outputs", len(file.outputs), MAX_OUTPUTS),
        ("layers", len(file.layers), MAX_LAYERS),
        ("pairs", len(file.pairs), MAX_PAIRS),
        ("parameters", len(file.parameters), MAX_PARAMETERS),
        ("equations", len(file.equations), MAX_EQUATIONS),
        ("terms", len(terms), MAX_TERMS),
        ("targets", len(file.targets), MAX_TARGETS),
    ):
        problems.require(count <= cap, "RECORD", f"{count} {name}, the cap is {cap}")
        if name in ("inputs", "outputs", "layers"):
            problems.require(count > 0, "RECORD", f"no {name}: a model needs at least one")


def _check_names(file: ModelFile, problems: Problems) -> None:
    for parameter in file.parameters:
        check_name(problems, parameter.name, "a parameter")
        check_unit(problems, parameter.unit, f"parameter {parameter.name!r}")
        problems.require(
            is_finite(parameter.value),
            "VALUE",
            f"parameter {parameter.name!r} is {parameter.value!r}, expected a finite number",
        )
    names = [variable.name for variable in (*file.inputs, *file.outputs)]
    names += [parameter.name for parameter in file.parameters]
    for name, count in Counter(names).items():
        problems.require(
            count == 1,
            "NAME",
            f"name {name!r} is used {count} times among inputs, outputs and parameters",
        )


def _check_ranges(file: ModelFile, problems: Problems) -> None:
    for variable in file.inputs:
        problems.require(
            variable.lower < variable.upper,
            "VALUE",
            f"input {variable.name!r} has the empty range [{variable.lower}, {variable.upper}]",
        )


def _check_maps(file: ModelFile, problems: Problems) -> None:
    d, m = len(file.inputs), len(file.outputs)
    for name, program in (("features", file.features), ("exact", file.exact)):
        if program is not None:
            problems.require(
                program.columns <= d,
                "MAP",
                f"{name} reads coordinate {program.columns - 1}, the model has {d}",
            )
    if file.features is not None:
        problems.require(
            len(file.features.results) <= MAX_FEATURES,
            "RECORD",
            f"{len(file.features.results)} features, the cap is {MAX_FEATURES}",
        )
    if file.exact is not None:
        problems.require(
            len(file.exact.results) == 2 * m,
            "MAP",
            f"exact has {len(file.exact.results)} results, expected {2 * m}: a base for each "
            "output, then a factor for each",
        )


def _check_layers(file: ModelFile, problems: Problems) -> None:
    width, previous = len(file._fed), "the features give" if file.features else "the inputs give"
    for index, layer in enumerate(file.layers):
        n_out, n_in = layer.weight.shape
        problems.require(
            n_in == width, "LAYER", f"layer {index} takes {n_in} values, {previous} {width}"
        )
        problems.require(
            layer.weight.dtype == file.dtype,
            "LAYER",
            f"layer {index} is {layer.weight.dtype}, layer 0 is {file.dtype}: expected one type",
        )
        width, previous = n_out, f"layer {index} gives"
    problems.require(
        width == len(file.outputs),
        "LAYER",
        f"the last layer gives {width} values, the model has {len(file.outputs)} outputs",
    )
    problems.require(
        file.layers[-1].activation == "identity",
        "LAYER",
        f"the last layer has the activation {file.layers[-1].activation!r}, expected 'identity'",
    )


def _check_symmetry(file: ModelFile, symmetry: Symmetry, problems: Problems) -> None:
    d, m = len(file.input_shift), len(file.outputs)
    if (symmetry.inputs, symmetry.outputs) != (d, m) or d > MAX_INPUTS:
        problems.add(
            "SYMMETRY",
            f"the symmetry is one of {symmetry.inputs} inputs and {symmetry.outputs} outputs, "
            f"the network has {d} and {m}, a symmetry has {MAX_INPUTS} at most",
        )
        return
    for number, generator in enumerate(symmetry.generators):
        order = list(generator.order)
        for name in ("input_shift", "input_scale"):
            values = getattr(file, name)
            problems.require(
                np.array_equal(values, values[order]),
                "SYMMETRY",
                f"generator {number} changes the places of inputs whose {name} differ",
            )
        for j in np.flatnonzero((np.array(generator.outputs) < 0) & (file.output_shift != 0)):
            problems.add(
                "SYMMETRY",
                f"generator {number} changes the sign of {file.outputs[j].name!r}, whose "
                f"output_shift is {file.output_shift[j]}, expected 0",
            )
    for problem in symmetry.untied(file.layers):
        problems.add("SYMMETRY", problem)


def _check_pairs(file: ModelFile, problems: Problems) -> None:
    d = len(file.inputs)
    for index, (i, j) in enumerate(file.pairs):
        problems.require(
            0 <= i <= j < d,
            "RESIDUAL",
            f"second derivative {index} is by inputs ({i}, {j}), expected i <= j < {d}",
        )
        problems.require(
            (i, j) not in file.pairs[:index],
            "RESIDUAL",
            f"second derivative {index} by inputs ({i}, {j}) is listed twice",
        )


def _check_equations(file: ModelFile, problems: Problems) -> None:
    d, m = len(file.inputs), len(file.outputs)
    data = file.baseline.data if file.baseline is not None else None
    columns = data.shape[1] if data is not None and data.ndim == 2 else 0
    caps: dict[str, tuple[int, int]] = {
        "coordinate": (d, 1),
        "value": (m, 1),
        "first": (m, d),
        "second": (m, len(file.pairs)),
        "parameter": (len(file.parameters), 1),
        "data": (columns, 1),
    }
    for equation in file.equations:
        for number, term in enumerate(equation.terms):
            for factor in term.factors:
                _check_factor(problems, factor, caps, f"term {number} of {equation.name!r}")


def _check_factor(
    problems: Problems, factor: Factor, caps: Mapping[str, tuple[int, int]], where: str
) -> None:
    for name, index, cap in zip("ab", (factor.a, factor.b), caps[factor.kind], strict=True):
        problems.require(
            index < cap,
            "RESIDUAL",
            f"{where}: index {name} of a {factor.kind} factor is {index}, the model has {cap}",
        )


def _check_baseline(file: ModelFile, baseline: Baseline, problems: Problems) -> None:
    d, m = len(file.inputs), len(file.outputs)
    for role, table in baseline.tables().items():
        columns = {"points": d, "data": table.shape[1]}.get(role, m)
        problems.require(
            table.shape[1] == columns,
            "BASELINE",
            f"baseline table {role} has {table.shape[1]} columns, the model has {columns}",
        )
