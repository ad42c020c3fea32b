"""A trained function from named coordinates to named fields: network, parameters, normalization."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdpinn.atomic import write_bytes
from kdpinn.jets import Backend, JetSpec, network_jets
from kdpinn.networks import MLP

CHUNK = 8192
"""Points of one pass in `values`: the channels of a wide layer still fit the cache."""


@dataclass(frozen=True, kw_only=True)
class Field:
    """u = output_shift + output_scale * network(theta, (x - input_shift) * input_scale).

    Attributes:
        network: d inputs, m outputs.
        theta: (P,), float64.
        inputs, outputs: names of the d coordinates and of the m fields.
        input_shift, input_scale: (d,); they take the domain to [-1, 1].
        output_shift, output_scale: (m,).
        problem: name of the problem it belongs to, or "".
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

    def __post_init__(self) -> None:
        d, m = self.network.sizes[0], self.network.sizes[-1]
        expected = {"theta": self.network.parameters, "input_shift": d, "input_scale": d}
        expected |= {"output_shift": m, "output_scale": m}
        for name, length in expected.items():
            shape = tuple(getattr(self, name).shape)
            if shape != (length,):
                raise ValueError(f"`Field.{name}` has shape ({length},), got {shape}.")
        if (len(self.inputs), len(self.outputs)) != (d, m):
            raise ValueError(
                f"`Field` with a network {self.network.sizes} needs {d} input and {m} output "
                f"names, got {self.inputs} and {self.outputs}."
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
    ) -> Field:
        """New field with a freshly initialized network.

        Args:
            lower, upper: (d,), the domain box that is taken to [-1, 1]^d.
            hidden: widths of the hidden layers.
            generator: the only source of randomness.
        """
        network = MLP((len(inputs), *hidden, len(outputs)), activation)
        ones = torch.ones(len(outputs), dtype=torch.float64)
        return cls(
            network=network,
            theta=network.init(generator),
            inputs=inputs,
            outputs=outputs,
            input_shift=torch.from_numpy((lower + upper) / 2),
            input_scale=torch.from_numpy(2 / (upper - lower)),
            output_shift=torch.zeros_like(ones),
            output_scale=ones,
            problem=problem,
        )

    def with_theta(self, theta: Tensor) -> Field:
        """The same function with other parameters (P,)."""
        return replace(self, theta=theta)

    def like(self, hidden: tuple[int, ...], generator: torch.Generator) -> Field:
        """New network of other hidden widths, the same names and normalization."""
        sizes = (self.network.sizes[0], *hidden, self.network.sizes[-1])
        network = MLP(sizes, self.network.activation)
        return replace(self, network=network, theta=network.init(generator))

    def __call__(self, x: Tensor) -> Tensor:
        """Fields (N, m) at physical coordinates x (N, d)."""
        return self.jets(x, JetSpec(self.network.sizes[0], 0))[0]

    def jets(self, x: Tensor, spec: JetSpec, backend: Backend = "auto") -> Tensor:
        """Channels (K, N, m) of `spec` at physical x (N, d); differentiable by `theta`."""
        z = self.normalize(x)
        channels = network_jets(self.network, self.theta, z, spec, self.input_scale, backend)
        return self.denormalize(channels)

    def normalize(self, x: Tensor) -> Tensor:
        """(N, d) physical to (N, d) in about [-1, 1]."""
        return (x - self.input_shift) * self.input_scale

    def denormalize(self, channels: Tensor) -> Tensor:
        """Channels (K, N, m) of the raw outputs to those of the fields."""
        if self.plain_outputs:
            return channels
        channels = channels * self.output_scale
        return torch.cat([channels[:1] + self.output_shift, channels[1:]])

    @property
    def plain_outputs(self) -> bool:
        """Whether the fields are the network's raw outputs."""
        return not bool(self.output_shift.any()) and bool((self.output_scale == 1).all())

    def values(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Fields (N, m) at physical x (N, d), both numpy float64, without gradients."""
        with torch.no_grad():
            parts = [self(part) for part in torch.split(torch.as_tensor(x), CHUNK)]
        result: NDArray[np.float64] = torch.cat(parts).numpy()
        return result

    def save(self, path: Path) -> None:
        """Write to a safetensors file, atomically."""
        tensors = {name: getattr(self, name).contiguous() for name in _TENSORS}
        about = {
            "sizes": self.network.sizes,
            "activation": self.network.activation,
            "inputs": self.inputs,
            "outputs": self.outputs,
            "problem": self.problem,
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
            network=MLP(tuple(about["sizes"]), about["activation"]),
            inputs=tuple(about["inputs"]),
            outputs=tuple(about["outputs"]),
            problem=about["problem"],
            **tensors,
        )


_TENSORS = ("theta", "input_shift", "input_scale", "output_shift", "output_scale")
