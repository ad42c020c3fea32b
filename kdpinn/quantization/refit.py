"""Weights put on their grids one after the other, the others refitted each time.

Coarse grids come first: the numbers on finer ones make up for them, and cost little afterwards.

Incremental freezing (Zhou et al., ICLR 2017, arXiv:1702.03044) with second-order compensation
(Hassibi & Stork, NeurIPS 5 (1993) 164-171; for rounding, Frantar et al., NeurIPS 2022,
arXiv:2208.11580) and a Levenberg-Marquardt refit after each stage. What is then left, the scales
and biases, is fitted too, and single codes are moved as long as the fit gains.
docs/quantization.md has the method in words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdpinn.losses import LeastSquares
from kdpinn.optimizers import LevenbergMarquardt
from kdpinn.quantization.coding import Array, Coding

Order = Literal["largest", "cheapest"]
Progress = Callable[[str, float], None]

DAMPINGS = (1e-9, 1e-5, 1e-2)
"""Of what follows the moves of codes, relative to its mean curvature; the first that gains."""
RELATIVE_DAMPING = 1e-9
"""Of the mean curvature: what keeps the Hessian invertible where the points say nothing."""


@dataclass(frozen=True, kw_only=True)
class RefitSettings:
    """How the weights are frozen and refitted.

    Attributes:
        fractions: of the weights that are frozen after each stage, ascending to 1.
        iterations: of Levenberg-Marquardt at the end, at most.
        between: the same after each stage before; what follows undoes a closer fit.
        orders: of freezing; each is tried and the best result taken. "largest" |w| / scale first,
            or first the weight whose rounding costs least.
        rounds: of moving single codes, each with a new linearization; 0 for none.
    """

    fractions: tuple[float, ...] = (0.5, 0.75, 0.875, 0.95, 1.0)
    iterations: int = 12
    between: int = 12
    orders: tuple[Order, ...] = ("largest",)
    rounds: int = 12

    def __post_init__(self) -> None:
        if (
            not self.fractions
            or self.fractions[-1] != 1.0
            or list(self.fractions) != sorted(self.fractions)
        ):
            raise ValueError(f"`RefitSettings.fractions` ascend to 1, got {self.fractions}.")
        if not self.orders:
            raise ValueError("`RefitSettings.orders` needs at least one order.")


@dataclass(frozen=True, kw_only=True, eq=False)
class Refitted:
    """values (F,) on the grids of scales (rows,), and the value of the objective there."""

    values: Array
    scales: Array
    objective: float


def refit(
    coding: Coding,
    objective: LeastSquares,
    settings: RefitSettings | None = None,
    progress: Progress | None = None,
) -> Refitted:
    """The numbers of `coding` on their grids, fitted to `objective`, a sum of squares of theta.

    Incremental freezing: the numbers go onto their grids a part at a time, those of the coarsest
    grids first, and the rest, still free, makes up for what that costs (docs/quantization.md).

    Args:
        objective: of the free parameters theta (F,), in the order of `coding.values`.
        progress: called with a text and the objective.
    """
    settings = settings or RefitSettings()
    tell = progress or (lambda text, value: None)
    at = Refitted(values=coding.values, scales=coding.scales(), objective=np.inf)
    frozen = np.zeros(len(at.values), bool)
    for part in coding.coarsest_first():
        at = _on_grids(_Fit(part, objective), at, frozen, settings, tell)
        frozen = part.narrow
    return at


def _on_grids(
    fit: _Fit, at: Refitted, frozen: NDArray[np.bool_], settings: RefitSettings, tell: Progress
) -> Refitted:
    """The numbers of `fit.coding` on their grids, of which those `frozen` (F,) are."""
    new = fit.coding.row[fit.coding.narrow & ~frozen]
    scales = at.scales.copy()
    scales[new[new >= 0]] = fit.coding.scales(at.values)[new[new >= 0]]
    at = replace(at, scales=scales)
    found = [_frozen(fit, at, frozen, settings, order, tell) for order in settings.orders]
    best = min(found, key=lambda result: result.objective)
    best = _continuous(fit, best, settings.iterations)
    tell("scales and biases", best.objective)
    for number in range(settings.rounds):
        moved = _moved(fit, best, settings.iterations)
        if moved is None:
            break
        gained, best = best.objective - moved.objective, moved
        tell(f"codes moved, round {number + 1}", best.objective)
        if gained < 1e-3 * best.objective:
            break
    return best


class _Fit:
    """The objective as a function of the independent numbers."""

    def __init__(self, coding: Coding, objective: LeastSquares) -> None:
        self.coding, self._objective = coding, objective
        self._place = torch.from_numpy(coding.place)
        self._sign = torch.from_numpy(coding.sign)
        self.free = ~coding.pinned

    def value(self, values: Array) -> float:
        return self._objective.value(torch.from_numpy(self.coding.theta(values)))

    def jacobian(self, values: Array) -> tuple[Tensor, Tensor]:
        """Residuals (N,) and d residual / d values as (F, N)."""
        theta = torch.from_numpy(self.coding.theta(values))
        residuals, whole = self._objective.residuals_and_jacobian(theta)
        if len(self._place) == len(values):  # nothing is tied
            return residuals, whole
        rows = torch.zeros(len(values), whole.shape[1], dtype=whole.dtype)
        return residuals, rows.index_add_(0, self._place, whole * self._sign[:, None])


class _Among:
    """The objective as a function of some of the numbers, and of scales, for an optimizer."""

    def __init__(
        self, fit: _Fit, values: Array, chosen: NDArray[np.bool_], scales: Array | None
    ) -> None:
        self._fit, self._values, self._scales = fit, values, scales
        self._chosen = np.flatnonzero(chosen)
        coding = fit.coding
        self._scaled = np.flatnonzero(coding.row >= 0) if scales is not None else np.zeros(0, int)
        codes = coding.codes(values, scales) if scales is not None else np.zeros(len(values))
        self._codes = codes[self._scaled]
        self._rows = coding.row[self._scaled]

    def start(self) -> Tensor:
        scales = self._scales if self._scales is not None else np.zeros(0)
        return torch.from_numpy(np.concatenate([self._values[self._chosen], scales]))

    def split(self, z: Tensor) -> tuple[Array, Array | None]:
        """All numbers, and the scales."""
        values, known = self._values.copy(), len(self._chosen)
        values[self._chosen] = z[:known].numpy()
        if self._scales is None:
            return values, None
        scales = z[known:].numpy()
        values[self._scaled] = self._codes * scales[self._rows]
        return values, scales

    def value(self, z: Tensor) -> float:
        return self._fit.value(self.split(z)[0])

    def value_and_gradient(self, z: Tensor) -> tuple[float, Tensor]:
        value, slope, _ = self.products(z)
        return value, 2 * slope

    def products(self, z: Tensor) -> tuple[float, Tensor, Tensor]:
        residuals, whole = self._fit.jacobian(self.split(z)[0])
        rows = self.rows(whole)
        return float(residuals @ residuals), rows @ residuals, rows @ rows.T

    def rows(self, whole: Tensor) -> Tensor:
        """The Jacobian by z from that by all numbers (F, N)."""
        rows = whole[torch.from_numpy(self._chosen)]
        if self._scales is None:
            return rows
        share = whole[torch.from_numpy(self._scaled)] * torch.from_numpy(self._codes)[:, None]
        scales = torch.zeros(len(self._scales), whole.shape[1], dtype=whole.dtype)
        return torch.cat([rows, scales.index_add_(0, torch.from_numpy(self._rows), share)])


def _minimized(among: _Among, iterations: int) -> tuple[Tensor, float]:
    optimizer = LevenbergMarquardt(damping=1e-6)
    state = optimizer.start(among.start())
    previous = among.value(state.theta)
    for _ in range(iterations):
        state = optimizer.step(among, state)
        if state.stuck or state.value > (1 - 1e-4) * previous:
            break
        previous = state.value
    return state.theta, among.value(state.theta)


def _frozen(
    fit: _Fit,
    at: Refitted,
    frozen: NDArray[np.bool_],
    settings: RefitSettings,
    order: Order,
    tell: Progress,
) -> Refitted:
    """All weights on their grids, stage by stage."""
    coding = fit.coding
    values, scales = at.values, at.scales
    open_ = coding.narrow & ~frozen
    count, value = int(open_.sum()), 0.0
    for fraction in settings.fractions:
        wanted = round(fraction * count) - (count - int(open_.sum()))
        values = _compensated(fit, values, scales, open_, wanted, order)
        free = fit.free & (open_ | ~coding.narrow)
        among = _Among(fit, values, free, None)
        most = settings.iterations if fraction == 1.0 else settings.between
        z, value = _minimized(among, most)
        values = among.split(z)[0]
        tell(f"{100 * fraction:g} % frozen, {order} first", value)
    return Refitted(values=values, scales=scales, objective=value)


def _compensated(
    fit: _Fit, values: Array, scales: Array, open_: NDArray[np.bool_], wanted: int, order: Order
) -> Array:
    """Freezes `wanted` of the open weights, one by one; the free ones make up for each.

    In the quadratic model of the objective the rounding error e of number q is made up for by
    -e H^-1[:, q] / H^-1[q, q], with H of the free numbers; then q leaves H.
    """
    coding = fit.coding
    free = np.flatnonzero(fit.free & (open_ | ~coding.narrow))
    inverse, newton = _quadratic(fit, values, free)
    values = values.copy()
    values[free] += newton
    left = np.isin(free, np.flatnonzero(open_))
    for _ in range(wanted):
        at = np.flatnonzero(left)
        step = coding.steps(values, scales)
        target = coding.nearest(values, scales)
        numbers = free[at]
        if order == "largest":
            pick = at[np.argmax(np.abs(values[numbers]) / step[numbers])]
        else:
            cost = np.square(values[numbers] - target[numbers]) / inverse[at, at]
            pick = at[np.argmin(cost)]
        number = free[pick]
        column = inverse[:, pick] / inverse[pick, pick]
        values[free] -= (values[number] - target[number]) * column
        values[number] = target[number]
        inverse -= np.outer(column, inverse[pick])
        inverse[pick, :] = inverse[:, pick] = 0.0
        inverse[pick, pick] = 1.0
        left[pick] = False
        open_[number] = False
    return values


def _quadratic(fit: _Fit, values: Array, free: NDArray[np.int64]) -> tuple[Array, Array]:
    """Inverse Hessian of the free numbers and the step to the minimum of the quadratic model."""
    residuals, whole = fit.jacobian(values)
    rows = whole[torch.from_numpy(free)]
    hessian = rows @ rows.T
    hessian.diagonal().add_(RELATIVE_DAMPING * hessian.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    newton = -(inverse @ (rows @ residuals))
    moved = values.copy()
    moved[free] += newton.numpy()
    gains = fit.value(moved) < float(residuals @ residuals)
    return inverse.numpy(), newton.numpy() if gains else np.zeros(len(free))


def _continuous(fit: _Fit, at: Refitted, iterations: int) -> Refitted:
    """Scales, biases and float weights fitted, codes as they are."""
    among = _Among(fit, at.values, fit.free & ~fit.coding.narrow, at.scales)
    z, value = _minimized(among, iterations)
    values, scales = among.split(z)
    if scales is None or not value < at.objective or (scales <= 0).any():
        return at
    return Refitted(values=values, scales=scales.copy(), objective=value)


def _moved(fit: _Fit, at: Refitted, iterations: int) -> Refitted | None:
    """Single codes moved by one where the linearized fit gains; None if none does.

    What is continuous follows each move: it is eliminated from the quadratic model, with a damping
    where the fit is far from linear in it. Moves that together do not gain are too many.
    """
    for damping in DAMPINGS:
        moves = _moves(fit, at, damping)
        while moves:
            values = at.values.copy()
            step = fit.coding.steps(values, at.scales)
            for number, direction in moves:
                values[number] += direction * step[number]
            tried = replace(at, values=fit.coding.nearest(values, at.scales), objective=np.inf)
            tried = _continuous(fit, tried, iterations)
            if tried.objective < at.objective:
                return tried
            moves = moves[: len(moves) // 2]
    return None


def _moves(fit: _Fit, at: Refitted, damping: float, most: int = 200) -> list[tuple[int, int]]:
    """(number, direction) one after the other, each the best in the quadratic model."""
    coding = fit.coding
    among = _Among(fit, at.values, fit.free & ~coding.narrow, at.scales)
    residuals, whole = fit.jacobian(at.values)
    numbers = np.flatnonzero(coding.narrow)
    step = coding.steps(at.values, at.scales)[numbers]
    rows = whole[torch.from_numpy(numbers)] * torch.from_numpy(step)[:, None]
    basis = among.rows(whole)
    gram = basis @ basis.T
    gram.diagonal().add_(damping * gram.diagonal().mean())
    follow = torch.cholesky_solve(basis @ rows.T, torch.linalg.cholesky(gram))
    slope = (rows @ residuals - follow.T @ (basis @ residuals)).numpy()
    curvature = (rows @ rows.T - (rows @ basis.T) @ follow).numpy()
    diagonal = curvature.diagonal()
    codes = coding.codes(at.values, at.scales)[numbers]
    moves: list[tuple[int, int]] = []
    for _ in range(most):
        outward = np.abs(codes - np.sign(slope)) > coding.most[numbers]
        gain = np.where(outward, np.inf, diagonal - 2 * np.abs(slope))
        pick = int(np.argmin(gain))
        if gain[pick] >= 0:
            break
        direction = -int(np.sign(slope[pick]))
        moves.append((int(numbers[pick]), direction))
        slope = slope + direction * curvature[:, pick]
        codes[pick] += direction
    return moves
