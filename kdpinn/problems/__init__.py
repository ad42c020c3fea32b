"""Problems: how to state one, and those that are shipped."""

from __future__ import annotations

from kdpinn.problems import load as _load
from kdpinn.problems.burgers import BURGERS
from kdpinn.problems.condition import Condition, dirichlet
from kdpinn.problems.field_jet import FieldJet
from kdpinn.problems.laplace import LAPLACE
from kdpinn.problems.point_jet import PointJet
from kdpinn.problems.poisson import POISSON
from kdpinn.problems.problem import Problem
from kdpinn.problems.samples import Samples
from kdpinn.problems.trace import SumOfProducts, trace

__all__ = [
    "Condition",
    "FieldJet",
    "PointJet",
    "Problem",
    "Samples",
    "SumOfProducts",
    "available",
    "dirichlet",
    "load_problem",
    "trace",
]


def available() -> tuple[Problem, ...]:
    """The shipped problems, sorted by name."""
    return (BURGERS, LAPLACE, POISSON)


def load_problem(spec: str) -> Problem:
    """A shipped problem by name, or a user's: `my_problem.py:Wave`.

    Raises:
        ValueError: there is none; the message lists what exists.
    """
    return _load.load_problem(spec, available())
