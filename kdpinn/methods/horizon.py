"""Time marching by a growing horizon: the same network, first on early times, then on later ones.

The domain's time is cut into K windows. The k-th stretch of the training sees the first k of them
(collocation points, and conditions at those times), and starts from where the stretch before it
ended: network, parameters and curvature. Nothing is frozen and nothing is handed over at the
windows' borders, so the result is one smooth field over the whole time; unlike marching with a
network per window, what was learnt of early times is trained along to the end.

Sources: Wight & Zhao, Commun. Comput. Phys. 29 (2021) 930-954, DOI 10.4208/cicp.OA-2020-0086;
with a network per window, Krishnapriyan et al., NeurIPS 34 (2021), arXiv:2109.01050.
"""

from __future__ import annotations

from collections.abc import Sequence

from kdpinn.geometry import Box
from kdpinn.places import Place, Points
from kdpinn.problems.problem import Problem

TIME = "t"


def check_time(problem: Problem, method: str) -> None:
    """Raise ValueError unless the problem has a time."""
    if TIME not in problem.coordinates:
        raise ValueError(
            f"{problem.owner} has no coordinate '{TIME}', and `Training.{method}` needs one; it "
            f"has {', '.join(problem.coordinates)}."
        )


def until(box: Box, share: float) -> Box:
    """The box up to this share of its time; itself for 1."""
    if share == 1.0:
        return box
    bounds = {name: box.bounds(name) for name in box.names}
    start, end = bounds[TIME]
    bounds[TIME] = (start, start + share * (end - start))
    units = {name: box.unit(name) for name in box.names}
    return Box(units=units, holes=box.holes, logarithmic=box.logarithmic, **bounds)


def reached(places: Sequence[Place], box: Box) -> list[Place]:
    """The places of a condition that lie in the box; given points only if all of them do."""
    if TIME not in box.names:
        return list(places)
    end = box.bounds(TIME)[1]

    def there(place: Place) -> bool:
        if isinstance(place, Points):
            return bool((place.x[:, box.index(TIME)] <= end).all())
        return not isinstance(place, dict) or place.get(TIME, end) <= end

    return [place for place in places if there(place)]
