"""Torch-TensorRT: the network as a torch program with TensorRT inside, for users of torch.

Values only: derivatives come from the target tensorrt, whose graph has them as operators.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kdpinn_runtime import Check
from kdpinn_runtime.format import ModelFile

from ..answers import known_answers
from ..target import Precision, Request
from .tensorrt import BATCHES, gpu_missing, stamp

FUNCTIONS = {
    "identity": "Identity",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "silu": "SiLU",
    "relu": "ReLU",
    "gelu": "GELU",
}


@dataclass(frozen=True)
class TorchTensorRt:
    """`NAME.ep`, to be loaded by torch.export.load after importing torch_tensorrt."""

    name: str = "torch-tensorrt"
    summary: str = "a torch program with TensorRT inside, for this machine's NVIDIA GPU"
    precisions: tuple[Precision, ...] = ("f32",)
    derivatives: bool = False

    def missing(self) -> str:
        """The package, and a GPU that torch sees."""
        return gpu_missing("torch_tensorrt")

    def tools(self) -> dict[str, str]:
        """What the program depends on."""
        import torch
        import torch_tensorrt

        versions = {"torch": torch.__version__, "torch_tensorrt": torch_tensorrt.__version__}
        return stamp() | versions

    def build(self, request: Request) -> dict[str, bytes]:
        """Compile for this GPU; TF32 off, as everywhere."""
        import torch
        import torch_tensorrt

        network = torch_network(request.model).eval().cuda()
        few, usual, many = ((count, len(request.model.inputs)) for count in BATCHES)
        inputs = [
            torch_tensorrt.Input(
                min_shape=few, opt_shape=usual, max_shape=many, dtype=torch.float32
            )
        ]
        compiled = torch_tensorrt.compile(
            network, ir="dynamo", inputs=inputs, disable_tf32=True, truncate_double=False
        )
        example = [torch.zeros(usual, device="cuda")]
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "program.ep"
            torch_tensorrt.save(
                compiled, str(path), output_format="exported_program", arg_inputs=example
            )
            program = path.read_bytes()
        answers = known_answers(request.model, copies=1)
        return {
            f"{request.name}.ep": program,
            "answers.json": answers.to_json(model=request.digest, engine=self.name),
        }

    def check(self, request: Request, folder: Path) -> list[Check]:
        """Load it as a user would, and replay the known answers."""
        import torch

        program = torch.export.load(folder / f"{request.name}.ep").module()
        answers = known_answers(request.model, copies=1)
        points = torch.as_tensor(answers.points, dtype=torch.float32, device="cuda")
        return [answers.compared(np.asarray(program(points).cpu()), self.name)]


def torch_network(model: ModelFile) -> Any:
    """The network as torch modules, physical inputs (n, d) to physical outputs (n, m), float32.

    Raises ValueError for what it has no module of.
    """
    import torch

    if model.features is not None or model.exact is not None:
        raise ValueError("torch-tensorrt takes no functions of the coordinates: export to tensorrt")
    # Shift, then scale: x scale - shift scale would cancel where the shift is large.
    nothing = np.zeros_like(model.input_shift)
    parts: list[Any] = [_affine(nothing + 1, -model.input_shift)]
    parts.append(_affine(model.input_scale, nothing))
    for index, layer in enumerate(model.layers):
        if layer.activation not in FUNCTIONS:
            raise ValueError(f"layer {index}: torch-tensorrt has no {layer.activation}")
        parts.append(_linear(layer.weight, layer.bias))
        parts.append(getattr(torch.nn, FUNCTIONS[layer.activation])())
    parts.append(_affine(model.output_scale, model.output_shift))
    return torch.nn.Sequential(*parts)


def _affine(scale: Any, shift: Any) -> Any:
    """x * scale + shift, column by column."""
    return _linear(np.diag(scale), shift)


def _linear(weight: Any, bias: Any) -> Any:
    import torch

    module = torch.nn.Linear(weight.shape[1], weight.shape[0])
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weight))
        module.bias.copy_(torch.tensor(bias))
    return module


TARGET = TorchTensorRt()
