"""Limited-memory BFGS, for networks too large for a dense inverse Hessian."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kdpinn.optimizers.line_search import LineSearch, Trial
from kdpinn.optimizers.optimizer import Objective


@dataclass(kw_only=True)
class LBFGSState:
    """steps, changes: (k, P) with k <= history, the oldest pair (s, y) first."""

    theta: Tensor
    steps: Tensor
    changes: Tensor
    gradient: Tensor | None = None
    value: float = math.nan
    iteration: int = 0
    evaluations: int = 0
    stuck: str = ""


@dataclass(frozen=True, kw_only=True)
class LBFGS:
    """L-BFGS with a strong Wolfe line search: Liu & Nocedal, Math. Program. 45 (1989) 503.

    DOI 10.1007/BF01589116. Own two-loop recursion rather than torch's: its state is two tensors,
    which a checkpoint can hold exactly.

    Attributes:
        history: pairs (s, y) kept.
        c1, c2, budget: see `LineSearch`.
    """

    history: int = 50
    c1: float = 1e-4
    c2: float = 0.9
    budget: int = 20

    def start(self, theta: Tensor) -> LBFGSState:
        """State at theta (P,) without curvature."""
        empty = theta.new_zeros(0, theta.numel())
        return LBFGSState(theta=theta.clone(), steps=empty, changes=empty.clone())

    def renew(self, state: LBFGSState) -> LBFGSState:
        """Keep the pairs, forget value and gradient."""
        return replace(state, gradient=None, value=math.nan, stuck="")

    def step(self, objective: Objective, state: LBFGSState) -> LBFGSState:
        """One line search along the two-loop direction."""
        value, gradient = state.value, state.gradient
        if gradient is None:
            value, gradient = objective.value_and_gradient(state.theta)
            state = replace(
                state, value=value, gradient=gradient, evaluations=state.evaluations + 1
            )
        if not math.isfinite(value):
            return replace(state, stuck=f"the objective is {value}")
        direction = -two_loop(gradient, state.steps, state.changes)
        start = Trial(0.0, state.value, float(gradient @ direction), gradient)
        search = LineSearch(
            objective, state.theta, direction, start, c1=self.c1, c2=self.c2, budget=self.budget
        )
        first = 1.0 if len(state.steps) else min(1.0, 1.0 / max(float(gradient.norm()), 1e-300))
        trial = (search.run(first) or search.lowest()) if start.slope < 0 else None
        state = replace(state, evaluations=state.evaluations + len(search.trials))
        if trial is None:
            return _restart(state)
        return self._advance(state, search, trial)

    def _advance(self, state: LBFGSState, search: LineSearch, trial: Trial) -> LBFGSState:
        s = trial.step * search.direction
        y = trial.gradient - search.start.gradient
        steps, changes = state.steps, state.changes
        if float(y @ s) > 0:
            keep = slice(max(0, len(steps) + 1 - self.history), None)
            steps = torch.cat([steps[keep], s[None]])
            changes = torch.cat([changes[keep], y[None]])
        return replace(
            state,
            theta=state.theta + s,
            value=trial.value,
            gradient=trial.gradient,
            steps=steps,
            changes=changes,
            iteration=state.iteration + 1,
        )


def _restart(state: LBFGSState) -> LBFGSState:
    if not len(state.steps):
        return replace(state, stuck="the line search found no lower value")
    return replace(state, steps=state.steps[:0], changes=state.changes[:0])


def two_loop(gradient: Tensor, steps: Tensor, changes: Tensor) -> Tensor:
    """H g for the H that the pairs imply (Nocedal & Wright 2006, algorithm 7.4).

    Args:
        gradient: (P,).
        steps, changes: (k, P), pairs (s, y) with y^T s > 0, the oldest first.
    """
    result = gradient.clone()
    inner = (steps * changes).sum(1).tolist()
    weights: list[float] = []
    for s, y, ys in zip(reversed(steps), reversed(changes), reversed(inner), strict=True):
        weights.append(float(s @ result) / ys)
        result.sub_(y, alpha=weights[-1])
    if inner:
        result *= inner[-1] / float(changes[-1] @ changes[-1])
    for s, y, ys, weight in zip(steps, changes, inner, reversed(weights), strict=True):
        result.add_(s, alpha=weight - float(y @ result) / ys)
    return result
