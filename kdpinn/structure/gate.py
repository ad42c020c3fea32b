"""The last word on a structure: is the equation solved as well with it as without?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdpinn.field import Field
from kdpinn.losses import LeastSquares
from kdpinn.physics import held_out
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Training

ALLOWANCE = 3.0
"""How often the plain network's loss the tied one's may be.

Losses of one network differ by about this much from seed to seed; a symmetry that the solution does
not have leaves a floor that more training does not lower (bench/baselines/structure.json).
"""

GATE_SEED = 900_007
"""Points that neither trained nor chose the best state of either network."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Verdict on a structure.

    Attributes:
        passed: whether the tied network's loss is at most `ALLOWANCE` times the plain one's.
        tied, plain: weighted mean square of equation and conditions on fresh points.
        tied_terms, plain_terms: the same, term by term.
        reason: the verdict in a sentence.
    """

    passed: bool
    tied: float
    plain: float
    tied_terms: Mapping[str, float]
    plain_terms: Mapping[str, float]
    reason: str


def judge_structure(
    problem: Problem, tied: Field, plain: Field, training: Training, seed: int
) -> Gate:
    """Compare trained networks of the same widths on the same fresh points.

    Each is judged with the unknown parameters that it found.
    """
    terms = [_losses(problem, field, training, seed) for field in (tied, plain)]
    loss_tied, loss_plain = (sum(each.values()) for each in terms)
    passed = loss_tied <= ALLOWANCE * loss_plain
    ratio = loss_tied / loss_plain if loss_plain > 0 else float("inf")
    verdict = "kept" if passed else "rejected"
    return Gate(
        passed=passed,
        tied=loss_tied,
        plain=loss_plain,
        tied_terms=terms[0],
        plain_terms=terms[1],
        reason=f"The structure is {verdict}: equation and conditions {loss_tied:.2e} with it, "
        f"{loss_plain:.2e} without, {ratio:.3g} times (at most {ALLOWANCE:g}).",
    )


def _losses(problem: Problem, field: Field, training: Training, seed: int) -> dict[str, float]:
    objective: LeastSquares = held_out(
        problem,
        field,
        training.held_out_points,
        training.condition_points,
        training.residual_weight,
        seed + GATE_SEED,
    )
    return objective.term_values(field.theta)
