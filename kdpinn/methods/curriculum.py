"""Neighboring parameters first: a hard case is reached through easier ones.

Each entry of `Training.curriculum` names parameters, such as a larger viscosity. The network is
trained for them in turn, and goes on from one to the next and to the problem's own with its
parameters and its curvature; errors and the best state are always those of the problem itself.

Continuation in a parameter is old (Allgower & Georg, Numerical Continuation Methods, 1990,
DOI 10.1007/978-3-642-61257-2); for networks, Krishnapriyan et al., NeurIPS 34 (2021),
arXiv:2109.01050 (curriculum regularization).
"""

from __future__ import annotations

from collections.abc import Mapping

from kdpinn.problems.problem import Problem


def problem_at(problem: Problem, parameters: Mapping[str, float]) -> Problem:
    """The problem at these parameters; itself for none.

    Raises:
        ValueError: a parameter that the problem does not have, or that is to be found.
    """
    if not parameters:
        return problem
    unknown = [name for name in parameters if name in problem.unknown]
    if unknown:
        raise ValueError(
            f"{problem.owner}: `Training.curriculum` sets '{unknown[0]}', which is to be found."
        )
    return problem.replace(parameters=parameters)
