"""Train physics-informed networks, distil them to small students, and ship them."""

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.problems import Condition, Problem, dirichlet, load_problem

__version__ = "0.1.0"

__all__ = ["Box", "Condition", "Field", "Problem", "__version__", "dirichlet", "load_problem"]
