"""A trained function from named coordinates to named fields: network, parameters, normalization."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdpinn.atomic import write_bytes
from kdpinn.frame import Frame, map_channels
from kdpinn.jets import Backend, JetSpec, network_jets, product
from kdpinn.networks import MLP
from kdpinn.structure import walsh
from kdpinn.structure.group import Group, InputMap
from kdpinn_runtime.format import CoordinateMap, Operation

CHUNK = 8192
"""Points of one pass in `values`: the channels of a wide layer still fit the cache."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """u = output_shift + output_scale * network(theta, (x - input_shift) * input_scale).

    With `features`, the network sees those functions of the coordinates in place of x; with
    `exact`, u becomes base(x) + factor(x) u, which meets conditions whatever the parameters are.

    Attributes:
        network: d inputs (or as many as there are features), m outputs.
        theta: (P + q,), float64: the network's parameters, then one number s for each unknown.
        inputs, outputs: names of the d coordinates and of the m fields.
        input_shift, input_scale: one per network input; they take the domain to [-1, 1].
        output_shift, output_scale: (m,).
        problem: name of the problem it belongs to, or "".
        features: functions of the coordinates that the network sees; None for x itself.
        exact: the 2 m functions base_1..base_m, factor_1..factor_m; None for none.
        unknown: names of the q parameters of the equation that are trained with the network.
        start: (q,), their first values, not 0; the value is start * exp(s).
    """

    network: MLP
    theta: Tensor
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    input_shift: Tensor
    input_scale: Tensor
    output_shift: Tensor
    output_scale: Tensor
    problem: str = ""
    features: CoordinateMap | None = None
    exact: CoordinateMap | None = None
    unknown: tuple[str, ...] = ()
    start: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.float64))

    def __post_init__(self) -> None:
        d, m, q = self.network.sizes[0], self.network.sizes[-1], len(self.unknown)
        expected = {"theta": self.network.parameters + q, "input_shift": d, "input_scale": d}
        expected |= {"output_shift": m, "output_scale": m, "start": q}
        for name, length in expected.items():
            shape = tuple(getattr(self, name).shape)
            if shape != (length,):
                raise ValueError(f"`Field.{name}` has shape ({length},), got {shape}.")
        inputs = len(self.inputs) if self.features is None else len(self.features.results)
        if (inputs, len(self.outputs)) != (d, m):
            raise ValueError(
                f"`Field` with a network {self.network.sizes} needs {d} inputs (coordinates, or "
                f"features) and {m} output names, got {inputs} and {self.outputs}."
            )
        if self.exact is not None and len(self.exact.results) != 2 * m:
            raise ValueError(
                f"`Field.exact` has a base and a factor for each of {m} outputs, got "
                f"{len(self.exact.results)} functions."
            )

    @classmethod
    def create(
        cls,
        *,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        lower: NDArray[np.float64],
        upper: NDArray[np.float64],
        hidden: tuple[int, ...],
        activation: str = "tanh",
        generator: torch.Generator,
        problem: str = "",
        features: CoordinateMap | None = None,
        exact: CoordinateMap | None = None,
        unknown: Mapping[str, float] | None = None,
    ) -> Field:
        """New field with a freshly initialized network.

        Args:
            lower, upper: one per network input, the box that is taken to [-1, 1]: bounds of the
                domain, or of the features in it.
            hidden: widths of the hidden layers.
            generator: the only source of randomness.
            unknown: name -> first value.
        """
        network = MLP((len(lower), *hidden, len(outputs)), activation)
        ones = torch.ones(len(outputs), dtype=torch.float64)
        start = torch.tensor(list((unknown or {}).values()), dtype=torch.float64)
        return cls(
            network=network,
            theta=torch.cat([network.init(generator), torch.zeros_like(start)]),
            inputs=inputs,
            outputs=outputs,
            input_shift=torch.from_numpy((lower + upper) / 2),
            input_scale=torch.from_numpy(2 / (upper - lower)),
            output_shift=torch.zeros_like(ones),
            output_scale=ones,
            problem=problem,
            features=features,
            exact=exact,
            unknown=tuple(unknown or {}),
            start=start,
        )

    def with_theta(self, theta: Tensor) -> Field:
        """The same function with other parameters (P + q,)."""
        return replace(self, theta=theta)

    def like(self, hidden: tuple[int, ...], generator: torch.Generator) -> Field:
        """New network of other hidden widths, the same names and normalization, no unknowns."""
        sizes = (self.network.sizes[0], *hidden, self.network.sizes[-1])
        network = MLP(sizes, self.network.activation)
        theta = network.init(generator)
        return replace(self, network=network, theta=theta, unknown=(), start=self.start[:0])

    @property
    def weights(self) -> Tensor:
        """(P,), the network's own parameters."""
        return self.split(self.theta)[0]

    @property
    def found(self) -> dict[str, float]:
        """The unknown parameters of the equation as they are now, name -> value."""
        return dict(zip(self.unknown, self.split(self.theta)[1].tolist(), strict=True))

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """theta (P + q,) as the network's parameters (P,) and the unknowns' values (q,)."""
        if not self.unknown:
            return theta, self.start
        weights, s = torch.split(theta, [self.network.parameters, len(self.unknown)])
        return weights, self.start * torch.exp(s)

    def __call__(self, x: Tensor) -> Tensor:
        """Fields (N, m) at physical coordinates x (N, d)."""
        return self.jets(x, JetSpec(len(self.inputs), 0))[0]

    def jets(self, x: Tensor, spec: JetSpec, backend: Backend = "auto") -> Tensor:
        """Channels (K, N, m) of `spec` at physical x (N, d); differentiable by `theta`."""
        frame = self.frame(x, spec)
        raw = network_jets(
            self.network, self.weights, frame.inputs, spec, self.input_scale, backend
        )
        return self.from_network(frame, raw)

    def frame(self, x: Tensor, spec: JetSpec) -> Frame:
        """Physical points (N, d) made ready for `spec`."""
        base = factor = None
        if self.exact is not None:
            base, factor = map_channels(self.exact, x, spec).chunk(2, 2)
        return Frame(spec, self._inputs(x, spec), base, factor)

    def _inputs(self, x: Tensor, spec: JetSpec) -> Tensor:
        if self.features is None:
            return ((x - self.input_shift) * self.input_scale).contiguous()
        channels = map_channels(self.features, x, spec)
        channels[0] -= self.input_shift
        return channels * self.input_scale

    def from_network(self, frame: Frame, channels: Tensor) -> Tensor:
        """Channels (K, N, m) of the network's raw outputs to those of the fields."""
        if not self.plain_outputs:
            channels = channels * self.output_scale
            channels = torch.cat([channels[:1] + self.output_shift, channels[1:]])
        if frame.base is None or frame.factor is None:
            return channels
        return frame.base + product(frame.factor, channels, frame.spec)

    @property
    def plain_outputs(self) -> bool:
        """Whether the fields are the network's raw outputs, exact conditions apart."""
        return not bool(self.output_shift.any()) and bool((self.output_scale == 1).all())

    def values(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fields (N, m) at physical x (N, d), both numpy float64, without gradients."""
        with torch.no_grad():
            parts = [self._values(part) for part in torch.split(torch.as_tensor(x), CHUNK)]
        result: NDArray[np.float64] = torch.cat(parts).numpy()
        return result

    def _values(self, x: Tensor) -> Tensor:
        """As `__call__`; a tied network in the basis that keeps its symmetry exact."""
        if not walsh.applies(self.network.symmetry):
            return self(x)
        frame = self.frame(x, JetSpec(len(self.inputs), 0))
        inputs = frame.inputs.view(-1, self.network.sizes[0])
        raw = walsh.symmetric_values(self.network, self.weights, inputs)
        return self.from_network(frame, raw[None])[0]

    def save(self, path: Path) -> None:
        """Write to a safetensors file, atomically."""
        tensors = {name: getattr(self, name).contiguous() for name in _TENSORS}
        about = {
            "sizes": self.network.sizes,
            "activation": self.network.activation,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "problem": self.problem,
            "unknown": self.unknown,
            "features": self.features and asdict(self.features),
            "exact": self.exact and asdict(self.exact),
            "symmetry": _stored_group(self.network.symmetry),
        }
        write_bytes(path, safetensors.torch.save(tensors, {"field": json.dumps(about)}))

    @classmethod
    def load(cls, path: Path) -> Field:
        """Read a file of `save`.

        Raises:
            ValueError: the file is no field, naming it.
        """
        try:
            with safetensors.safe_open(path, framework="pt") as file:
                about = json.loads(file.metadata()["field"])
                tensors = {name: file.get_tensor(name) for name in _TENSORS}
        except (safetensors.SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is no field saved by `Field.save`: {error}") from error
        return cls(
            network=MLP(
                tuple(about["sizes"]), about["activation"], _group_of(about.get("symmetry"))
            ),
            inputs=tuple(about["inputs"]),
            outputs=tuple(about["outputs"]),
            problem=about["problem"],
            unknown=tuple(about["unknown"]),
            features=_map_of(about["features"]),
            exact=_map_of(about["exact"]),
            **tensors,
        )


def _map_of(stored: dict[str, Any] | None) -> CoordinateMap | None:
    if stored is None:
        return None
    operations = tuple(Operation(**operation) for operation in stored["operations"])
    return CoordinateMap(operations, tuple(stored["results"]))


def _stored_group(group: Group | None) -> list[dict[str, Any]] | None:
    """Generators on the network's own inputs; their offsets are 0."""
    if group is None:
        return None
    return [
        {"matrix": g.matrix.tolist(), "characters": g.characters.tolist()} for g in group.generators
    ]


def _group_of(stored: list[dict[str, Any]] | None) -> Group | None:
    if stored is None:
        return None
    return Group.generated_by(
        [InputMap(g["matrix"], np.zeros(len(g["matrix"])), g["characters"]) for g in stored]
    )


_TENSORS = ("theta", "input_shift", "input_scale", "output_shift", "output_scale", "start")
