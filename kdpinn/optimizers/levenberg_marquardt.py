"""Levenberg-Marquardt: for very small networks, and as a last polish."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kdpinn.optimizers.optimizer import SumOfSquares


@dataclass(kw_only=True)
class LevenbergMarquardtState:
    """damping: lambda of the next iteration."""

    theta: Tensor
    damping: float
    value: float = math.nan
    iteration: int = 0
    evaluations: int = 0
    stuck: str = ""


@dataclass(frozen=True, kw_only=True)
class LevenbergMarquardt:
    """(J^T J + lambda I) d = -J^T r by Cholesky, with Nielsen's damping.

    rho is the achieved over the predicted decrease of f = r . r. Accepted: lambda is multiplied by
    max(1/5, 1 - (2 rho - 1)^3); rejected: by 2, 4, 8, ... with the same J^T J. Nielsen, report
    IMM-REP-1999-05 (1999), eq. 2.21, with 1/5 for his 1/3. Marquardt's diagonal scaling gained
    nothing on PINNs.

    Attributes:
        damping: lambda of the first iteration.
        least: lambda never falls below this.
        attempts: rejected steps of one iteration at most.
    """

    damping: float = 0.1
    least: float = 1e-14
    attempts: int = 15

    def start(self, theta: Tensor) -> LevenbergMarquardtState:
        """State at theta (P,)."""
        return LevenbergMarquardtState(theta=theta.clone(), damping=self.damping)

    def renew(self, state: LevenbergMarquardtState) -> LevenbergMarquardtState:
        """Keep the damping."""
        return replace(state, value=math.nan, stuck="")

    def step(
        self, objective: SumOfSquares, state: LevenbergMarquardtState
    ) -> LevenbergMarquardtState:
        """One Jacobian, and as many damped steps as one that lowers f needs."""
        value, slope, normal = objective.products(state.theta)
        state = replace(state, value=value, evaluations=state.evaluations + 1)
        if not math.isfinite(value):
            return replace(state, stuck=f"the objective is {value}")
        damping, growth = state.damping, 2.0
        for attempt in range(self.attempts):
            step = _damped_step(normal, slope, damping)
            if step is not None:
                lower = objective.value(state.theta + step)
                if lower < value:
                    ratio = (value - lower) / _predicted(normal, slope, step)
                    shrink = max(1 / 5, 1 - (2 * ratio - 1) ** 3)
                    return replace(
                        state,
                        theta=state.theta + step,
                        value=lower,
                        damping=max(damping * shrink, self.least),
                        iteration=state.iteration + 1,
                        evaluations=state.evaluations + attempt + 1,
                    )
            damping, growth = damping * growth, growth * 2
        return replace(
            state,
            damping=damping,
            stuck=f"no step lowers the value up to damping {damping:.3g}",
            evaluations=state.evaluations + self.attempts,
        )


def _damped_step(normal: Tensor, slope: Tensor, damping: float) -> Tensor | None:
    """Solution of (normal + damping I) d = -slope, None if rounding made it indefinite."""
    matrix = normal.clone()
    matrix.diagonal().add_(damping)
    factor, info = torch.linalg.cholesky_ex(matrix)
    if int(info):
        return None
    return -torch.cholesky_solve(slope[:, None], factor)[:, 0]


def _predicted(normal: Tensor, slope: Tensor, step: Tensor) -> float:
    """Decrease of r . r that the linear model promises, > 0."""
    promise = -2 * float(slope @ step) - float(step @ (normal @ step))
    return max(promise, 1e-300)
