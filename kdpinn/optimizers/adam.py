"""Adam, the warm start and the baseline."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kdpinn.optimizers.optimizer import Objective


@dataclass(kw_only=True)
class AdamState:
    """mean, square: (P,), running means of the gradient and of its square."""

    theta: Tensor
    mean: Tensor
    square: Tensor
    value: float = math.nan
    iteration: int = 0
    evaluations: int = 0
    stuck: str = ""


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam with bias correction: Kingma & Ba, ICLR 2015, algorithm 1, arXiv:1412.6980.

    Attributes:
        rate: learning rate of the first step.
        decay: factor on the rate from each step to the next.
    """

    rate: float = 5e-3
    decay: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        if not (self.rate > 0 and 0 < self.decay <= 1):
            raise ValueError(
                f"`Adam` needs rate > 0 and decay in (0, 1], got {self.rate} and {self.decay}."
            )

    def start(self, theta: Tensor) -> AdamState:
        """State at theta with empty means."""
        zero = torch.zeros_like(theta)
        return AdamState(theta=theta.clone(), mean=zero, square=zero.clone())

    def renew(self, state: AdamState) -> AdamState:
        """Nothing in the state belongs to one objective but the value."""
        return replace(state, value=math.nan, stuck="")

    def step(self, objective: Objective, state: AdamState) -> AdamState:
        """One gradient, one update; `value` is taken before the update."""
        value, gradient = objective.value_and_gradient(state.theta)
        if not math.isfinite(value):
            return replace(state, value=value, stuck=f"the objective is {value}")
        k = state.iteration + 1
        mean = state.mean.lerp(gradient, 1 - self.beta1)
        square = state.square.lerp(gradient * gradient, 1 - self.beta2)
        rate = self.rate * self.decay**state.iteration / (1 - self.beta1**k)
        size = (square / (1 - self.beta2**k)).sqrt_().add_(self.epsilon)
        return replace(
            state,
            theta=torch.addcdiv(state.theta, mean, size, value=-rate),
            mean=mean,
            square=square,
            value=value,
            iteration=k,
            evaluations=state.evaluations + 1,
        )
