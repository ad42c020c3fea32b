"""Weighted sums of squared residuals over points, as objectives of a network's parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol, TypeAlias

import torch
from torch import Tensor

from kdpinn import native_jets
from kdpinn.field import Field
from kdpinn.frame import Frame
from kdpinn.jets import Backend, JetSpec, jets_jacobian, network_jets
from kdpinn.native_squares import NativeSquares, PointSet, in_raw_jets
from kdpinn.optimizers.optimizer import SumOfSquares
from kdpinn.polynomial import Polynomial, joined

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
        polynomial: the same residual as a sum of products, where it is one and that is known.
    """

    name: str
    points: Tensor
    spec: JetSpec
    residual: Residual
    weight: float = 1.0
    importance: Tensor | None = None
    part: Callable[[Tensor], Residual] | None = None
    polynomial: Polynomial | None = None

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
            polynomial=self.polynomial and self.polynomial.take(rows),
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

    def value_and_gradient(self, theta: Tensor, backend: Backend = "auto") -> tuple[float, Tensor]:
        """f and df/dtheta (P + q,). Values that are not finite are returned as they are.

        Args:
            backend: "auto" has the native kernels square all residuals that are polynomials; with
                "torch" everything is torch's, with "native" all residuals must be polynomials.
        Raises:
            ValueError: "native" where it does not apply.
        """
        theta = theta.detach()
        why_not = native_jets.unavailable(theta, self._batches[0].frame.inputs)
        torch_only = backend == "torch" or bool(why_not)
        native, rest = (None, self._batches) if torch_only else self._split
        if backend == "native" and rest:
            reason = why_not or f"no polynomial is known of term '{rest[0].parts[0].term.name}'."
            raise ValueError(
                f"Native squares do not apply: {reason} Use backend 'auto' or 'torch'."
            )
        parts = [] if native is None else [self._by_kernels(theta, native)]
        parts += [self._by_autograd(theta, rest, backend)] if rest else []
        if len(parts) == 1:
            return parts[0]
        return parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]

    def _by_kernels(self, theta: Tensor, native: NativeSquares) -> tuple[float, Tensor]:
        weights, unknown = self.field.split(theta)
        value, gradient, by_unknown = native.value_and_gradient(weights, unknown)
        if self.field.unknown:
            # The values are start * exp(s): d/ds is the value times d/d(value).
            gradient = torch.cat([gradient, by_unknown * unknown])
        return value, gradient

    def _by_autograd(
        self, theta: Tensor, batches: tuple[_Batch, ...], backend: Backend
    ) -> tuple[float, Tensor]:
        theta = theta.requires_grad_()
        scaled = self._scaled(theta, batches, backend)
        total = sum((r.square().sum() for _, r in scaled), theta.new_zeros(()))
        (gradient,) = torch.autograd.grad(total, theta)
        return float(total.detach()), gradient

    @cached_property
    def _split(self) -> tuple[NativeSquares | None, tuple[_Batch, ...]]:
        """What the native kernels square, and the batches of the other terms.

        Made when the first gradient is wanted: many objectives only judge.
        """
        sets: list[PointSet] = []
        rest: list[_Batch] = []
        for batch in self._batches:
            others: list[_Part] = []
            frames = batch.frame.split(batch.lengths)
            for number, frame in enumerate(frames):
                here = [part for part in batch.parts if part.points == number]
                found = [_polynomial(self.field, frame, part) for part in here]
                others += [part for part, known in zip(here, found, strict=True) if known is None]
                known = [p for p in found if p is not None]
                if known:
                    polynomial, factors = zip(*known, strict=True)
                    sets.append(PointSet(frame, joined(polynomial), torch.cat(factors)))
            if others:
                rest.append(replace(batch, parts=tuple(others)))
        return NativeSquares(self.field, sets) if sets else None, tuple(rest)

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

    def pointwise(self, theta: Tensor) -> dict[str, Tensor]:
        """Each point's share of f, (N,) for each term by name."""
        with torch.no_grad():
            return {term.name: r.square().sum(1) for term, r in self._scaled(theta)}

    def term_values(self, theta: Tensor) -> dict[str, float]:
        """Each term's share of f, by name."""
        return {name: float(share.sum()) for name, share in self.pointwise(theta).items()}

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

    def _scaled(
        self, theta: Tensor, batches: tuple[_Batch, ...] | None = None, backend: Backend = "auto"
    ) -> list[tuple[Term, Tensor]]:
        """Each term with its scaled residuals (N, equations); of all batches if not told which."""
        field = self.field
        weights, unknown = field.split(theta)
        result: list[tuple[Term, Tensor]] = []
        for batch in self._batches if batches is None else batches:
            frame = batch.frame
            call = (field.network, weights, frame.inputs, frame.spec, field.input_scale)
            jets = network_jets(*call, backend)
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


def _polynomial(field: Field, frame: Frame, part: _Part) -> tuple[Polynomial, Tensor] | None:
    """The part's equations in the network's raw jets, and their factors (equations, N)."""
    term = part.term
    found = None if term.polynomial is None else in_raw_jets(field, frame, term.polynomial)
    if found is None:
        return None
    factor = part.factor.T.expand(len(found.equations), len(term.points))
    return found, factor
