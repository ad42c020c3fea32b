"""A model file's network in torch, for inference only; float32 unless asked otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from kdpinn_bench.engine import Prepared, chunks
from kdpinn_bench.truth import FloatArray, Points
from kdpinn_runtime.format import CoordinateMap, ModelFile

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "tanh": torch.tanh,
    "sin": torch.sin,
    "sigmoid": torch.sigmoid,
    "silu": torch.nn.functional.silu,
    "relu": torch.relu,
    "gelu": torch.nn.functional.gelu,
}

OPERATIONS: dict[str, Callable[..., torch.Tensor]] = {
    "add": torch.add,
    "multiply": torch.mul,
    "reciprocal": torch.reciprocal,
    "sin": torch.sin,
    "exp": torch.exp,
    "tanh": torch.tanh,
}


class TorchModel(torch.nn.Module):
    """(n, inputs) -> (n, outputs) in physical units; shifts and scales of 0 and 1 are left out."""

    def __init__(self, model: ModelFile, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.weights = [_tensor(layer.weight, dtype) for layer in model.layers]
        self.biases = [_tensor(layer.bias, dtype) for layer in model.layers]
        self.bends = [ACTIVATIONS.get(layer.activation) for layer in model.layers]
        self.before = _affine(model.input_shift, model.input_scale, dtype, shift_first=True)
        self.after = _affine(model.output_shift, model.output_scale, dtype, shift_first=False)
        self.features, self.exact = model.features, model.exact

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Values at the points x."""
        h = self.before(x if self.features is None else functions_of(self.features, x))
        for weight, bias, bend in zip(self.weights, self.biases, self.bends, strict=True):
            h = torch.nn.functional.linear(h, weight, bias)
            h = h if bend is None else bend(h)
        if self.exact is None:
            return self.after(h)
        base, factor = functions_of(self.exact, x).chunk(2, 1)
        return base + factor * self.after(h)


def functions_of(functions: CoordinateMap, x: torch.Tensor) -> torch.Tensor:
    """The functions of the coordinates at x (n, d), (n, r)."""
    values: list[torch.Tensor] = []
    for operation in functions.operations:
        if operation.kind == "coordinate":
            value = x[:, operation.a]
        elif operation.kind == "constant":
            value = torch.full_like(x[:, 0], operation.value)
        else:
            operands = [values[i] for i in (operation.a, operation.b)[: operation.operands]]
            value = OPERATIONS[operation.kind](*operands)
        values.append(value)
    return torch.stack([values[k] for k in functions.results], 1)


def torch_call(
    model: ModelFile,
    x: FloatArray,
    size: int,
    *,
    compile_options: Mapping[str, bool] | None = None,
) -> Prepared:
    """The model bound to x, `size` points at a time; compiled if there are options for that.

    It computes in the width of x.
    """
    whole = torch.from_numpy(x)
    network: Callable[[torch.Tensor], torch.Tensor] = TorchModel(model, whole.dtype).eval()
    if compile_options is not None:
        torch.compiler.reset()  # shapes of an earlier model would count as recompilations
        network = torch.compile(
            network, dynamic=False, fullgraph=True, options=dict(compile_options)
        )
    parts = [whole[part] for part in chunks(len(x), size)]

    def call() -> list[torch.Tensor]:
        with torch.no_grad():  # freezing does not work with inference tensors
            return [network(part) for part in parts]

    def output() -> FloatArray:
        values: FloatArray = torch.cat(call()).numpy()
        return values

    return Prepared(call, output)


def nested_call(model: ModelFile, x: Points, size: int) -> Prepared:
    """Values, all first and the model's second derivatives by nested differentiation."""
    network = TorchModel(model).eval()
    whole = torch.from_numpy(x)
    parts = [whole[part] for part in chunks(len(x), size)]

    def call() -> list[torch.Tensor]:
        return [_nested(network, part, model.pairs) for part in parts]

    def output() -> NDArray[np.float32]:
        values: NDArray[np.float32] = torch.cat(call()).numpy()
        return values

    return Prepared(call, output)


def _nested(
    network: TorchModel, part: torch.Tensor, pairs: tuple[tuple[int, int], ...]
) -> torch.Tensor:
    """(n, channels * outputs): values, first derivatives by each input, second derivatives."""
    x = part.detach().requires_grad_(True)
    values = network(x)
    first, second = [], []
    for value in values.unbind(1):
        (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        first.append(gradient)
        by_x = {
            i: torch.autograd.grad(gradient[:, i].sum(), x, retain_graph=True)[0]
            for i in {i for i, _ in pairs}
        }
        second.append(torch.stack([by_x[i][:, j] for i, j in pairs], 1))
    channels = [values, torch.stack(first, 2).flatten(1), torch.stack(second, 2).flatten(1)]
    return torch.cat(channels, 1).detach()


def _tensor(array: NDArray[np.floating], dtype: torch.dtype) -> torch.Tensor:
    return torch.from_numpy(np.array(array)).to(dtype)


def _affine(
    shift: NDArray[np.float64],
    scale: NDArray[np.float64],
    dtype: torch.dtype,
    *,
    shift_first: bool,
) -> Callable[[torch.Tensor], torch.Tensor]:
    """(x - shift) * scale, or y * scale + shift."""
    if np.all(shift == 0) and np.all(scale == 1):
        return lambda x: x
    offset, factor = _tensor(shift, dtype), _tensor(scale, dtype)
    if shift_first:
        return lambda x: (x - offset) * factor
    return lambda y: y * factor + offset
