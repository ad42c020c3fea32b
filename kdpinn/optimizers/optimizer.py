"""What the training loop asks of an optimizer, and an optimizer of its objective."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor


class Objective(Protocol):
    """A function of theta (P,) to be minimized."""

    def value_and_gradient(self, theta: Tensor) -> tuple[float, Tensor]:
        """f(theta) and its gradient (P,), detached."""
        ...


class SumOfSquares(Objective, Protocol):
    """An objective f = r . r that also knows the products of its Jacobian J = dr/dtheta."""

    def value(self, theta: Tensor) -> float:
        """f(theta)."""
        ...

    def products(self, theta: Tensor) -> tuple[float, Tensor, Tensor]:
        """f, J^T r (P,) and J^T J (P, P), detached."""
        ...


class State(Protocol):
    """Where an optimizer stands: a dataclass of tensors, numbers, texts and such dataclasses.

    `kdpinn.checkpoint` stores exactly these fields; a restored state continues bit by bit.
    `value` is f at the last point visited, NaN before the first step. `stuck` says why no further
    step is possible on this objective, and is empty while there is one.
    """

    theta: Tensor
    value: float
    iteration: int
    evaluations: int
    stuck: str


S = TypeVar("S", bound=State)
O_contra = TypeVar("O_contra", bound=Objective, contravariant=True)


class Optimizer(Protocol[S, O_contra]):
    """A frozen dataclass of settings; everything that changes is in the state."""

    def start(self, theta: Tensor) -> S:
        """State before the first step, at theta (P,)."""
        ...

    def renew(self, state: S) -> S:
        """The state for a changed objective: curvature is kept, values and gradients are not."""
        ...

    def step(self, objective: O_contra, state: S) -> S:
        """The state after one iteration. The state given is used up: its memory may be reused."""
        ...
