"""A model file's network in torch, float32, for inference only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from kdpinn_bench.engine import Points, Prepared, chunks
from kdpinn_runtime.format import ModelFile

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "sigmoid": torch.sigmoid,
    "silu": torch.nn.functional.silu,
}


class TorchModel(torch.nn.Module):
    """(n, inputs) -> (n, outputs) in physical units; shifts and scales of 0 and 1 are left out."""

    def __init__(self, model: ModelFile) -> None:
        super().__init__()
        self.weights = [_tensor(layer.weight) for layer in model.layers]
        self.biases = [_tensor(layer.bias) for layer in model.layers]
        self.bends = [ACTIVATIONS.get(layer.activation) for layer in model.layers]
        self.before = _affine(model.input_shift, model.input_scale, shift_first=True)
        self.after = _affine(model.output_shift, model.output_scale, shift_first=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values at the points x."""
        h = self.before(x)
        for weight, bias, bend in zip(self.weights, self.biases, self.bends, strict=True):
            h = torch.nn.functional.linear(h, weight, bias)
            h = h if bend is None else bend(h)
        return self.after(h)


def torch_call(model: ModelFile, x: Points, size: int, *, compiled: bool) -> Prepared:
    """The model bound to x, `size` points at a time."""
    network: Callable[[torch.Tensor], torch.Tensor] = TorchModel(model).eval()
    if compiled:
        torch.compiler.reset()  # shapes of an earlier model would count as recompilations
        network = torch.compile(network, dynamic=False, fullgraph=True, options={"freezing": True})
    whole = torch.from_numpy(x)
    parts = [whole[part] for part in chunks(len(x), size)]

    def call() -> list[torch.Tensor]:
        with torch.no_grad():  # freezing does not work with inference tensors
            return [network(part) for part in parts]

    def output() -> NDArray[np.float32]:
        values: NDArray[np.float32] = torch.cat(call()).numpy()
        return values

    return Prepared(call, output)


def _tensor(array: NDArray[np.floating]) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32))


def _affine(
    shift: NDArray[np.float64], scale: NDArray[np.float64], *, shift_first: bool
) -> Callable[[torch.Tensor], torch.Tensor]:
    """(x - shift) * scale, or y * scale + shift."""
    if np.all(shift == 0) and np.all(scale == 1):
        return lambda x: x
    offset, factor = _tensor(shift), _tensor(scale)
    if shift_first:
        return lambda x: (x - offset) * factor
    return lambda y: y * factor + offset
