"""Problems: how to state one, and those that are shipped."""

from __future__ import annotations

from kdpinn.problems.condition import Condition, dirichlet
from kdpinn.problems.field_jet import FieldJet
from kdpinn.problems.load import available, load_problem
from kdpinn.problems.point_jet import PointJet
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
