"""Search for a student's width and depth: error, latency and bytes against each other."""

from kdpinn.search.front import pareto
from kdpinn.search.search import Searched, SearchOrder, search
from kdpinn.search.space import Space
from kdpinn.search.trial import Architecture, Found, Job, evaluate

__all__ = [
    "Architecture",
    "Found",
    "Job",
    "SearchOrder",
    "Searched",
    "Space",
    "evaluate",
    "pareto",
    "search",
]
