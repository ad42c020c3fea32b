"""Model files as the runtime evaluates them, for what has no trainable form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from kdpinn.geometry import FloatArray
from kdpinn.jets import JetSpec
from kdpinn_runtime import Model


@dataclass(frozen=True)
class RuntimeModel:
    """A loaded model file, values and derivatives by the native core in float64."""

    model: Model

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return tuple(v.name for v in self.model.inputs)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the fields."""
        return tuple(v.name for v in self.model.outputs)

    def values(self, x: FloatArray) -> FloatArray:
        """Fields (N, m) at x (N, d)."""
        return np.asarray(self.model(np.ascontiguousarray(x, dtype=np.float64)), dtype=np.float64)

    def jets(self, x: Tensor, spec: JetSpec) -> Tensor:
        """Channels (K, N, m) at x (N, d)."""
        pairs = tuple((self.inputs[i], self.inputs[j]) for i, j in spec.pairs)
        jet = self.model.jet(np.ascontiguousarray(x.numpy()), second=pairs)
        channels = jet.channels if spec.order > 0 else jet.channels[:1]
        return torch.tensor(np.asarray(channels, dtype=np.float64))
