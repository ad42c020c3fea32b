"""Weighted sums of squared residuals over points, as objectives of a network's parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.frame import Frame
from kdpinn.jets import JetSpec, jets_jacobian, network_jets
from kdpinn.optimizers.optimizer import SumOfSquares

Residual: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Channels (K, N, m), unknown values (q,) -> (N,) or (N, equations)."""


class TrainingDiverged(RuntimeError):
    """The loss is no longer a finite number; the message names iteration and term."""


@dataclass(frozen=True, kw_only=True)
class Term:
    """One mean square: weight / N * sum over n of importance_n * |r(x_n)|^2.

    Attributes:
        name: as in logs and messages.
        points: (N, d), physical coordinates.
        spec: derivatives that the residual reads.
        residual: channels (K, N, m) of the fields, and the field's unknown values (q,) -> (N,) or
            (N, equations). Data at the points (targets, sources) are bound inside.
        weight: >= 0.
        importance: (N,) with mean about 1, or None: density wanted over density of the points.
        part: rows (k,) -> the residual at these points alone; None if it cannot be split.
    """

    name: str
    points: Tensor
    spec: JetSpec
    residual: Residual
    weight: float = 1.0
    importance: Tensor | None = None
    part: Callable[[Tensor], Residual] | None = None

    def __post_init__(self) -> None:
        if self.points.dim() != 2 or self.points.shape[0] == 0:
            raise ValueError(
                f"Term '{self.name}' needs points (N, d), N >= 1, got {tuple(self.points.shape)}."
            )
        if not 0 <= self.weight < math.inf:
            raise ValueError(f"Term '{self.name}' needs a weight >= 0, got {self.weight}.")

    def take(self, rows: Tensor) -> Term:
        """The share of these points (k,) in the term; shares over a partition add up to the term.

        Raises:
            ValueError: the term cannot be split.
        """
        if self.part is None:
            raise ValueError(f"Term '{self.name}' cannot be split: it has no `part`.")
        return replace(
            self,
            points=self.points[rows],
            residual=self.part(rows),
            weight=self.weight * len(rows) / len(self.points),
            importance=None if self.importance is None else self.importance[rows],
            part=None,
        )

    def factor(self) -> Tensor:
        """Factor on the residual, (N, 1) or (1, 1): sqrt(weight * importance / N)."""
        mean = torch.tensor(self.weight / len(self.points), dtype=self.points.dtype)
        if self.importance is None:
            return mean.to(self.points.device).sqrt().view(1, 1)
        return (mean * self.importance).sqrt()[:, None]


class TrainingObjective(SumOfSquares, Protocol):
    """What the training loop asks of an objective."""

    def term_values(self, theta: Tensor) -> dict[str, float]:
        """Each term's share of f, by name."""
        ...


class Products(NamedTuple):
    """What Gauss-Newton steps need of r and J = dr/dtheta: r . r, J^T r (P,), J^T J (P, P)."""

    value: float
    slope: Tensor
    normal: Tensor


class _Part(NamedTuple):
    """A term, the number of its point set in the batch, and the factor on its residuals."""

    points: int
    term: Term
    factor: Tensor


@dataclass(frozen=True)
class _Batch:
    """Terms of one spec, evaluated in one pass.

    lengths: of the point sets that follow each other in the frame.
    """

    frame: Frame
    lengths: list[int]
    parts: tuple[_Part, ...]


class LeastSquares:
    """f(theta) = r . r over all terms; the residual vector r is in the order of the terms' batches.

    Args:
        field: network and normalization; its theta is not used.
        terms: distinct names; those of equal `spec` share one pass through the network.
    """

    def __init__(self, field: Field, terms: Sequence[Term]) -> None:
        names = [term.name for term in terms]
        if not terms or len(set(names)) != len(names):
            raise ValueError(f"`LeastSquares` needs terms of distinct names, got {names}.")
        self.field = field
        self.terms = tuple(terms)
        self._batches = tuple(
            _batch(field, spec, [term for term in terms if term.spec == spec])
            for spec in dict.fromkeys(term.spec for term in terms)
        )

    def value_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """f and df/dtheta (P,). Values that are not finite are returned as they are."""
        theta = theta.detach().requires_grad_()
        total = sum((r.square().sum() for _, r in self._scaled(theta)), theta.new_zeros(()))
        (gradient,) = torch.autograd.grad(total, theta)
        return float(total.detach()), gradient

    def value(self, theta: Tensor) -> float:
        """f."""
        residuals = self.residuals(theta)
        return float(residuals @ residuals)

    def products(self, theta: Tensor) -> Products:
        """f, and its derivatives in the approximation of Gauss and Newton, halved."""
        residuals, jacobian = self.residuals_and_jacobian(theta)
        value = float(residuals @ residuals)
        return Products(value, jacobian @ residuals, jacobian @ jacobian.T)

    def residuals(self, theta: Tensor) -> Tensor:
        """r(theta), (rows,)."""
        with torch.no_grad():
            return torch.cat([r.reshape(-1) for _, r in self._scaled(theta)])

    def term_values(self, theta: Tensor) -> dict[str, float]:
        """Each term's share of f, by name."""
        with torch.no_grad():
            return {term.name: float(r.square().sum()) for term, r in self._scaled(theta)}

    def residuals_and_jacobian(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """r (rows,) and d r_n / d theta_p as (P, rows)."""
        pairs = [
            self._term_jacobian(theta.detach(), batch, part)
            for batch in self._batches
            for part in batch.parts
        ]
        return torch.cat([r for r, _ in pairs]), torch.cat([j for _, j in pairs], 1)

    def _term_jacobian(self, theta: Tensor, batch: _Batch, part: _Part) -> tuple[Tensor, Tensor]:
        """One term's rows (N * equations,), equation by equation, and (P + q, N * equations)."""
        field = self.field
        weights, unknown = field.split(theta)
        frame = batch.frame.split(batch.lengths)[part.points]
        call = (field.network, weights, frame.inputs, frame.spec, field.input_scale)
        leaf = network_jets(*call).requires_grad_()

        def rows(values: Tensor) -> Tensor:
            return _scaled(part, field.from_network(frame, leaf), values)

        residual = rows(unknown)
        columns = []
        for component in residual.unbind(1):
            # Row n depends on the channels of point n alone: one reverse pass seeds them all.
            (seed,) = torch.autograd.grad(component.sum(), leaf, retain_graph=True)
            columns.append(jets_jacobian(*call, seed))
        jacobian = torch.cat(columns, 1)
        residual = residual.detach()
        if len(unknown):
            # The values are start * exp(s): d/ds is the value times d/d(value).
            by_value = torch.func.jacfwd(rows)(unknown).detach() * unknown
            jacobian = torch.cat([jacobian, by_value.permute(2, 1, 0).flatten(1)])
        return residual.T.reshape(-1), jacobian

    def _scaled(self, theta: Tensor) -> list[tuple[Term, Tensor]]:
        """Each term with its scaled residuals (N, equations)."""
        field = self.field
        weights, unknown = field.split(theta)
        result: list[tuple[Term, Tensor]] = []
        for batch in self._batches:
            frame = batch.frame
            jets = network_jets(field.network, weights, frame.inputs, frame.spec, field.input_scale)
            # One split: a slice per term would have its own reverse pass over all points.
            channels = torch.split(field.from_network(frame, jets), batch.lengths, 1)
            result += [
                (part.term, _scaled(part, channels[part.points], unknown)) for part in batch.parts
            ]
        return result


def check_finite(values: Mapping[str, float], iteration: int) -> None:
    """Raise `TrainingDiverged` naming the terms whose values are not finite, if any."""
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise TrainingDiverged(
            f"The loss is not finite at iteration {iteration}: term {', '.join(bad)}. The last "
            "good state is kept. Lower the learning rate, or look for a division by zero or "
            "a root of a negative number in that term."
        )


def _batch(field: Field, spec: JetSpec, terms: list[Term]) -> _Batch:
    """Terms on the very same tensor of points share its rows."""
    sets = {id(term.points): term.points for term in terms}
    order = list(sets)
    parts = tuple(_Part(order.index(id(term.points)), term, term.factor()) for term in terms)
    frame = field.frame(torch.cat(list(sets.values())), spec)
    return _Batch(frame, list(map(len, sets.values())), parts)


def _scaled(part: _Part, channels: Tensor, unknown: Tensor) -> Tensor:
    """sqrt(weight / N) r, (N, equations)."""
    residual = part.term.residual(channels, unknown)
    n = channels.shape[1]
    if residual.shape[:1] != (n,) or residual.dim() > 2:
        raise ValueError(
            f"The residual of term '{part.term.name}' has shape ({n},) or ({n}, equations) at "
            f"{n} points, got {tuple(residual.shape)}."
        )
    return (residual if residual.dim() == 2 else residual[:, None]) * part.factor
