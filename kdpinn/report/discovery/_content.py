"""What the page of a search is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kdpinn.report.discovery._cost import Cost
from kdpinn.structure.asymmetry import Asymmetry
from kdpinn.structure.fits import Array
from kdpinn.structure.hac import ClusteredStudent
from kdpinn.structure.portrait import Portrait


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """The published method on one student, each rule for the threshold.

    Attributes:
        outcomes: one for each rule.
        portrait: the network of the published rule.
        symmetry: of each outcome, the largest symmetry error of all maps; None without any.
    """

    outcomes: Sequence[ClusteredStudent]
    portrait: Portrait
    symmetry: Sequence[float | None]

    @property
    def best(self) -> ClusteredStudent:
        """That whose retrained misfit is least."""
        return min(self.outcomes, key=lambda outcome: outcome.retrained)


@dataclass(frozen=True, kw_only=True)
class SearchPage:
    """A search, told.

    Attributes:
        title: of the problem.
        facts: as they stand in discovery.json.
        inputs, outputs: names; bounds: (d, 2), lower and upper of each input.
        trained: the penalized student before anything was merged.
        student: after merging, colored by what the generators tie; None without a group.
        misalignment: how far the student's weights are from those ties, relative; the largest of
            all generators and layers.
        rebuilt: the tied network; None if none was trained.
        symmetry: where functions break each generator, or the nearest map if there is none.
        costs: networks by parameters and error.
        clusters: what the published method found; None if it was not asked or had no student.
    """

    title: str
    facts: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    bounds: Array
    trained: Portrait | None = None
    student: Portrait | None = None
    misalignment: float = 0.0
    rebuilt: Portrait | None = None
    symmetry: tuple[Asymmetry, ...] = ()
    costs: tuple[Cost, ...] = ()
    clusters: Clusters | None = None
