"""Several teachers of the same fields on the same domain: their mean, and how far they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from kdpinn.geometry import FloatArray
from kdpinn.jets import JetSpec
from kdpinn.teachers.protocol import Smooth, Teacher


@dataclass(frozen=True)
class Ensemble:
    r"""Mean $\bar u = \sum w_k u_k$ and spread $\sqrt{\sum w_k (u_k - \bar u)^2}$, $\sum w_k = 1$.

    Attributes:
        members: of the same inputs and outputs.
        weights: > 0, one per member; their sum is divided out.
    """

    members: tuple[Teacher, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        check_alike(self.members)

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return self.members[0].inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the fields."""
        return self.members[0].outputs

    @property
    def shares(self) -> FloatArray:
        """Weights over their sum, (k,)."""
        weights = np.array(self.weights)
        return np.asarray(weights / weights.sum(), dtype=np.float64)

    def values(self, x: FloatArray) -> FloatArray:
        """The mean (N, m) at x (N, d)."""
        return np.asarray(np.tensordot(self.shares, self._all(x), 1), dtype=np.float64)

    def spread(self, x: FloatArray) -> FloatArray:
        """Standard deviation between the members, (N, m), at x (N, d)."""
        each = self._all(x)
        mean = np.tensordot(self.shares, each, 1)
        variance = np.tensordot(self.shares, (each - mean) ** 2, 1)
        return np.asarray(np.sqrt(variance), dtype=np.float64)

    def _all(self, x: FloatArray) -> FloatArray:
        return np.stack([member.values(x) for member in self.members])


@dataclass(frozen=True)
class SmoothEnsemble:
    """An ensemble whose members all know their derivatives; so does their mean."""

    plain: Ensemble

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the coordinates."""
        return self.plain.inputs

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the fields."""
        return self.plain.outputs

    def values(self, x: FloatArray) -> FloatArray:
        """The mean (N, m) at x (N, d)."""
        return self.plain.values(x)

    def spread(self, x: FloatArray) -> FloatArray:
        """Standard deviation between the members, (N, m), at x (N, d)."""
        return self.plain.spread(x)

    def jets(self, x: Tensor, spec: JetSpec) -> Tensor:
        """Channels (K, N, m) of the mean."""
        shares = torch.from_numpy(self.plain.shares)
        each = [cast(Smooth, member).jets(x, spec) for member in self.plain.members]
        mean: Tensor = torch.tensordot(shares, torch.stack(each), 1)
        return mean


def ensemble(members: Sequence[Teacher], weights: Sequence[float]) -> Teacher:
    """The teachers as one; a single one is returned as it is."""
    if len(members) == 1:
        return members[0]
    plain = Ensemble(tuple(members), tuple(weights))
    return SmoothEnsemble(plain) if all(isinstance(m, Smooth) for m in members) else plain


def check_alike(members: Sequence[Teacher]) -> None:
    """Raise ValueError unless all map the same coordinates to the same fields."""
    first = members[0]
    for other in members[1:]:
        if (other.inputs, other.outputs) != (first.inputs, first.outputs):
            raise ValueError(
                f"Teachers must agree: one maps {', '.join(first.inputs)} to "
                f"{', '.join(first.outputs)}, another {', '.join(other.inputs)} to "
                f"{', '.join(other.outputs)}."
            )
