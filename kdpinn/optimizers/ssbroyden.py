"""Self-scaled Broyden: the optimizer for networks of up to a few thousand parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from torch import Tensor

from kdpinn.optimizers.inverse_hessian import InverseHessian, scaled_identity
from kdpinn.optimizers.line_search import LineSearch, Trial
from kdpinn.optimizers.optimizer import Objective


@dataclass(kw_only=True)
class SSBroydenState:
    """Everything the next iteration needs.

    Attributes:
        gradient: (P,) at theta; None when the objective has changed.
        inverse: H, the approximation of the inverse Hessian.
        product: H g, (P,); None when unknown.
        decrease: of the value in the last iteration; NaN when unknown.
        fresh: H is the identity, not yet scaled to the objective.
    """

    theta: Tensor
    inverse: InverseHessian
    gradient: Tensor | None = None
    product: Tensor | None = None
    value: float = math.nan
    decrease: float = math.nan
    fresh: bool = True
    iteration: int = 0
    evaluations: int = 0
    stuck: str = ""


class Coefficients(NamedTuple):
    """H <- (H - H y y^T H / (y^T H y) + phi v v^T) / tau + s s^T / (y^T s)."""

    tau: float
    phi: float


@dataclass(frozen=True, kw_only=True)
class SSBroyden:
    """Quasi-Newton method of the self-scaled Broyden family with a dense inverse Hessian.

    Urbán, Stefanou & Pons, J. Comput. Phys. 523 (2025) 113656, DOI 10.1016/j.jcp.2024.113656,
    after Al-Baali, J. Optim. Theory Appl. 96 (1998) 533-553, DOI 10.1023/A:1022608410710.
    Derivation of the update and of its cost: docs/derivations/self_scaled_broyden.md.

    Attributes:
        c1, c2: constants of the strong Wolfe conditions.
        budget: evaluations of one line search at most.
    """

    c1: float = 1e-4
    c2: float = 0.9
    budget: int = 20

    def start(self, theta: Tensor) -> SSBroydenState:
        """State at theta (P,) with H = I."""
        return SSBroydenState(theta=theta.clone(), inverse=scaled_identity(theta))

    def renew(self, state: SSBroydenState) -> SSBroydenState:
        """Keep H: on new collocation points the curvature is nearly the same."""
        unknown = math.nan
        return replace(
            state, gradient=None, product=None, value=unknown, decrease=unknown, stuck=""
        )

    def step(self, objective: Objective, state: SSBroydenState) -> SSBroydenState:
        """One line search along -H g and one update of H."""
        value, gradient = state.value, state.gradient
        if gradient is None:
            value, gradient = objective.value_and_gradient(state.theta)
            state = replace(
                state, value=value, gradient=gradient, evaluations=state.evaluations + 1
            )
        if not math.isfinite(value):
            return replace(state, stuck=f"the objective is {value}")
        product = state.product if state.product is not None else state.inverse.apply(gradient)
        slope = -float(gradient @ product)
        if not slope < 0:
            return self._restart(state, "H g is no direction of descent")
        start = Trial(0.0, value, slope, gradient)
        search = LineSearch(
            objective, state.theta, -product, start, c1=self.c1, c2=self.c2, budget=self.budget
        )
        trial = search.run(_first_step(state, start)) or search.lowest()
        state = replace(state, evaluations=state.evaluations + len(search.trials))
        if trial is None:
            return self._restart(state, "the line search found no lower value")
        return _advance(state, search, trial, product)

    def _restart(self, state: SSBroydenState, reason: str) -> SSBroydenState:
        """Forget H once; if the steepest descent fails as well, this objective is done."""
        if state.fresh:
            return replace(state, stuck=reason)
        inverse = scaled_identity(state.theta)
        return replace(state, inverse=inverse, product=None, decrease=math.nan, fresh=True)


def _first_step(state: SSBroydenState, start: Trial) -> float:
    """The step to try first: what would repeat the last decrease, at most 1.

    Nocedal & Wright 2006, eq. 3.60. The self-scaled H is rather too large than too small: with 1
    for the first step, as usual in quasi-Newton methods, an iteration took 1.65 evaluations on
    Burgers instead of 1.03, and the same loss a tenth more of them.
    """
    if state.fresh:
        return min(1.0, 1.0 / max(float(start.gradient.norm()), 1e-300))
    if not state.decrease > 0:
        return 1.0
    return min(1.0, 1.01 * 2 * state.decrease / -start.slope)


def _advance(
    state: SSBroydenState, search: LineSearch, trial: Trial, product: Tensor
) -> SSBroydenState:
    """Move to the trial and update H with s = a d, y = g(trial) - g.

    H g is known, so H y = H g(trial) - H g costs one product, and the next H g none.
    """
    inverse, before = state.inverse, search.start.gradient
    s = trial.step * search.direction
    y = trial.gradient - before
    ys = float(y @ s)
    following = None
    fresh = state.fresh
    if ys > 0:
        if fresh:
            # Shanno & Phua's first scaling, Math. Program. 14 (1978) 149, DOI 10.1007/BF01588962.
            shrink = ys / float(y @ y)
            inverse.scale(shrink)
            product, fresh = product * shrink, False
            # s^T B s for the scaled H: the step was taken with H = I.
            sbs = float(s @ s) / shrink
        else:
            sbs = -trial.step * float(s @ before)
        ahead = inverse.apply(trial.gradient)
        hy = ahead - product
        if float(y @ hy) > 0:
            following = update(inverse, s, y, hy, sbs, trial.gradient, ahead)
        else:  # rounding has cost H its positive definiteness: begin anew
            inverse, fresh = scaled_identity(s), True
    return replace(
        state,
        theta=state.theta + s,
        value=trial.value,
        decrease=state.value - trial.value,
        gradient=trial.gradient,
        inverse=inverse,
        product=following,
        fresh=fresh,
        iteration=state.iteration + 1,
    )


def update(
    inverse: InverseHessian,
    s: Tensor,
    y: Tensor,
    hy: Tensor,
    sbs: float,
    gradient: Tensor,
    ahead: Tensor,
) -> Tensor:
    """Update H in place and return the new H g, without a product with the new H.

    Args:
        inverse: H.
        s, y: (P,), step and change of the gradient, y^T s > 0.
        hy: H y, (P,).
        sbs: s^T H^-1 s.
        gradient, ahead: (P,), the gradient g after the step, and H g with the H before the update.
    """
    ys, yhy = float(y @ s), float(y @ hy)
    tau, phi = coefficients(sbs / ys, yhy / ys, s.numel())
    v = math.sqrt(yhy) * (s / ys - hy / yhy)
    weights = (-1 / (tau * yhy), phi / tau, 1 / ys)
    inverse.scale(1 / tau)
    inverse.add((hy, v, s), weights)
    following = ahead / tau
    for column, weight in zip((hy, v, s), weights, strict=True):
        following.add_(column, alpha=weight * float(column @ gradient))
    return following


def coefficients(b: float, h: float, n: int) -> Coefficients:
    """Scaling tau and member phi of Broyden's family for this step.

    Args:
        b: s^T B s / y^T s with B = H^-1.
        h: y^T H y / y^T s; b h >= 1 by the inequality of Cauchy and Schwarz.
        n: number of parameters.
    Source: Urbán, Stefanou & Pons 2025; Al-Baali 1998; docs/derivations/self_scaled_broyden.md.
    """
    a = max(b * h - 1, 1e-14)
    # 1 - sqrt(a / (1 + a)) would be 0 for a > 1e16, and sigma with it; sigma >= rho holds exactly.
    rho = min(1.0, h / ((1 + a) * (1 + math.sqrt(a / (1 + a)))))
    theta = max((rho - 1) / a, min(1 / rho, (1 - b) / b))
    sigma = max(1 + a * theta, rho)
    volume = abs(sigma) ** (-1 / max(n - 1, 1))
    outer = min(1.0, 1 / b)
    tau = min(outer * volume, sigma) if theta <= 0 else outer * min(volume, 1 / theta)
    return Coefficients(tau, (1 - theta) / sigma)
