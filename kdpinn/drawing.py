"""What a stage of a training minimizes: points, weights and conditions by the recipe's methods."""

from __future__ import annotations

from torch import Tensor

from kdpinn.field import Field
from kdpinn.losses import LeastSquares, Term
from kdpinn.methods.balancing import balanced
from kdpinn.methods.causality import causal_weights
from kdpinn.methods.curriculum import problem_at
from kdpinn.methods.horizon import check_time, until
from kdpinn.methods.multipliers import Multipliers
from kdpinn.physics import adaptive_points, collocation, condition_terms, equation_term
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Training
from kdpinn.stages import Stage

# Offsets that keep the random numbers of different uses of one seed apart.
CONDITION_SEED = 300_007
DRAW_SEED = 100_003
CAUSAL_SEED = 50_021


class Drawing:
    """Fixed condition points, and collocation points drawn anew where the residual is large.

    Everything that changes at a draw follows from the field, the stage, the number of the draw and
    the memory: a training that is resumed finds the same objective.

    Attributes:
        memory: what passes from one draw to the next; None for nothing.

    Raises:
        ValueError: a method that the problem does not allow.
    """

    def __init__(self, problem: Problem, training: Training, seed: int) -> None:
        self._problem, self._training, self._seed = problem, training, seed
        self._known: dict[str, list[Term]] = {}
        for method, wanted in (("causal", training.causal > 0), ("windows", training.windows > 1)):
            if wanted:
                check_time(problem, method)
        for parameters in training.curriculum:
            problem_at(problem, parameters)
        self.memory = Multipliers(self.conditions) if training.multipliers else None

    def __call__(self, field: Field, stage: Stage, draw: int) -> LeastSquares:
        """The objective of this draw."""
        training = self._training
        problem = problem_at(self._problem, stage.parameters)
        points, importance = self._points(problem, field, stage, draw)
        equation = equation_term(problem, points, training.residual_weight, importance)
        terms = [equation, *self.conditions(stage)]
        if training.balance:
            terms = balanced(field, terms)
        if self.memory is not None:
            terms = [terms[0], *self.memory.shifted(field, terms[1:])]
        return LeastSquares(field, terms)

    def conditions(self, stage: Stage) -> list[Term]:
        """The condition terms of a stage, always the same."""
        key = f"{stage.horizon} {stage.parameters}"
        if key not in self._known:
            problem = problem_at(self._problem, stage.parameters)
            self._known[key] = condition_terms(
                problem,
                self._training.condition_points,
                self._seed + CONDITION_SEED,
                until(problem.domain, stage.horizon),
            )
        return self._known[key]

    def _points(
        self, problem: Problem, field: Field, stage: Stage, draw: int
    ) -> tuple[Tensor, Tensor | None]:
        """Collocation points (N, d) and their weights (N,), None for equal ones."""
        training, seed = self._training, self._seed + DRAW_SEED * draw
        box = until(problem.domain, stage.horizon)
        if training.adaptive:
            points = adaptive_points(problem, field, stage.points, seed, box)
        else:
            points = collocation(problem, stage.points, seed, box)
        if not training.causal or not stage.resample_every:
            return points, None
        seed += CAUSAL_SEED
        return points, causal_weights(problem, field, box, points, training.causal, seed)
