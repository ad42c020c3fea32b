"""The last word on a structure: is the equation solved as well with it as without?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdpinn.field import Field
from kdpinn.held_out import held_out
from kdpinn.problems.problem import Problem
from kdpinn.recipe import Training
from kdpinn.structure.group import Group
from kdpinn.structure.symmetrized import symmetrized

ALLOWANCE = 3.0
"""How often the plain network's loss that of its mean over the group may be.

Losses of one network differ by about this much from seed to seed; a symmetry that the solution does
not have adds what it breaks, which no training lowers (bench/baselines/structure.json).
"""

GATE_SEED = 900_007
"""Points that neither trained nor chose the best state of any network."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """Verdict on a structure.

    The plain network is made symmetric by its mean over the group, and must solve equation and
    conditions as well as before. The tied network's own loss would mix two things: what the
    symmetry costs, and what its fewer free parameters cost.

    Attributes:
        passed: whether the mean's loss is at most `ALLOWANCE` times the plain network's.
        mean, tied, plain: weighted mean square of equation and conditions on fresh points, of the
            plain network's mean over the group, of the tied network, and of the plain one.
        mean_terms, tied_terms, plain_terms: the same, term by term.
        reason: the verdict in a sentence.
    """

    passed: bool
    mean: float
    tied: float
    plain: float
    mean_terms: Mapping[str, float]
    tied_terms: Mapping[str, float]
    plain_terms: Mapping[str, float]
    reason: str


def judge_structure(
    problem: Problem, group: Group, tied: Field, plain: Field, training: Training, seed: int
) -> Gate:
    """Compare trained networks of the same widths on the same fresh points.

    Each is judged with the unknown parameters that it found.
    """
    mean = symmetrized(plain, group, problem.domain)
    terms = [_losses(problem, field, training, seed) for field in (mean, tied, plain)]
    loss_mean, loss_tied, loss_plain = (sum(each.values()) for each in terms)
    passed = loss_mean <= ALLOWANCE * loss_plain
    return Gate(
        passed=passed,
        mean=loss_mean,
        tied=loss_tied,
        plain=loss_plain,
        mean_terms=terms[0],
        tied_terms=terms[1],
        plain_terms=terms[2],
        reason=verdict(passed, "equation and conditions", loss_mean, loss_plain)
        + f" The tied network: {loss_tied:.2e}.",
    )


def verdict(passed: bool, what: str, mean: float, plain: float) -> str:
    """The sentence of a gate."""
    ratio = mean / plain if plain > 0 else float("inf")
    return (
        f"The structure is {'kept' if passed else 'rejected'}: {what} {plain:.2e} of the plain "
        f"network, {mean:.2e} of its mean over the group, {ratio:.3g} times (at most "
        f"{ALLOWANCE:g})."
    )


def _losses(problem: Problem, field: Field, training: Training, seed: int) -> dict[str, float]:
    judgment = held_out(problem, field, training, seed + GATE_SEED)
    return judgment.objective.term_values(field.theta)
