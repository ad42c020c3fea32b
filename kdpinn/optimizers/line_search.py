"""Line search for the strong Wolfe conditions.

With phi(a) = f(theta + a d), a step a is accepted when
    phi(a) <= phi(0) + c1 a phi'(0)   and   |phi'(a)| <= c2 |phi'(0)|.
Bracketing and zoom follow Nocedal & Wright, Numerical Optimization, 2nd ed. 2006, algorithms 3.5
and 3.6, DOI 10.1007/978-0-387-40065-5. scipy's own is private, and torch's is tied to its L-BFGS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from kdpinn.optimizers.optimizer import Objective

EXTRAPOLATION = 4.0
"""A step outside the bracket grows by at most this factor."""
MARGIN = 0.1
"""An interpolated step keeps this share of the bracket's width from both its ends."""


@dataclass(frozen=True)
class Trial:
    """One point of the line: step a, phi(a), phi'(a) and the gradient (P,) there."""

    step: float
    value: float
    slope: float
    gradient: Tensor

    @property
    def finite(self) -> bool:
        """Whether value and slope are numbers: too long a step may overflow."""
        return math.isfinite(self.value) and math.isfinite(self.slope)


@dataclass
class LineSearch:
    """One search along direction d (P,) from theta (P,).

    Attributes:
        start: the trial at step 0; its slope must be negative.
        c1, c2: constants of the strong Wolfe conditions, 0 < c1 < c2 < 1.
        budget: evaluations at most.
        trials: what was evaluated, in order.
    """

    objective: Objective
    theta: Tensor
    direction: Tensor
    start: Trial
    c1: float = 1e-4
    c2: float = 0.9
    budget: int = 20
    trials: list[Trial] = field(default_factory=list)

    def run(self, first_step: float = 1.0) -> Trial | None:
        """A trial that fulfills both conditions, or None if the budget ends before."""
        previous, step = self.start, first_step
        while len(self.trials) < self.budget:
            trial = self._evaluate(step)
            if self._too_high(trial) or (self.trials[1:] and trial.value >= previous.value):
                return self._zoom(previous, trial)
            if self._flat(trial):
                return trial
            if trial.slope >= 0:
                return self._zoom(trial, previous)
            step = _extrapolate(previous, trial)
            previous = trial
        return None

    def lowest(self) -> Trial | None:
        """The trial of the least value below the start's, if there is one."""
        lower = [t for t in self.trials if t.finite and t.value < self.start.value]
        return min(lower, key=lambda t: t.value, default=None)

    def _evaluate(self, step: float) -> Trial:
        value, gradient = self.objective.value_and_gradient(self.theta + step * self.direction)
        trial = Trial(step, value, float(gradient @ self.direction), gradient)
        self.trials.append(trial)
        return trial

    def _too_high(self, trial: Trial) -> bool:
        limit = self.start.value + self.c1 * trial.step * self.start.slope
        return not trial.finite or trial.value > limit

    def _flat(self, trial: Trial) -> bool:
        return abs(trial.slope) <= -self.c2 * self.start.slope

    def _zoom(self, low: Trial, high: Trial) -> Trial | None:
        """Shrink the bracket; `low` is its end with the lower value, and descends into it."""
        while len(self.trials) < self.budget:
            step = _interpolate(low, high)
            if step in (low.step, high.step):
                return None
            trial = self._evaluate(step)
            if self._too_high(trial) or trial.value >= low.value:
                high = trial
                continue
            if self._flat(trial):
                return trial
            if trial.slope * (high.step - low.step) >= 0:
                high = low
            low = trial
        return None


def _cubic_minimum(one: Trial, two: Trial) -> float:
    """Minimizer of the cubic through both values and slopes (eq. 3.59); NaN if it has none."""
    width = two.step - one.step
    d1 = one.slope + two.slope - 3 * (two.value - one.value) / width
    root = d1 * d1 - one.slope * two.slope
    if root < 0:
        return math.nan
    d2 = math.copysign(math.sqrt(root), width)
    below = two.slope - one.slope + 2 * d2
    return two.step - width * (two.slope + d2 - d1) / below if below else math.nan


def _interpolate(low: Trial, high: Trial) -> float:
    """A step inside the bracket: the cubic's minimizer kept off the ends, else the middle."""
    step = _cubic_minimum(low, high) if high.finite else math.nan
    left, right = sorted((low.step, high.step))
    if math.isnan(step):
        return 0.5 * (left + right) if high.finite else low.step + MARGIN * (high.step - low.step)
    margin = MARGIN * (right - left)
    return min(max(step, left + margin), right - margin)


def _extrapolate(previous: Trial, trial: Trial) -> float:
    """A step beyond the trial: the cubic's minimizer, between 1.1 and `EXTRAPOLATION` times."""
    step = _cubic_minimum(previous, trial)
    longest = EXTRAPOLATION * trial.step
    if math.isnan(step) or step <= trial.step:
        return longest
    return min(max(step, 1.1 * trial.step), longest)
