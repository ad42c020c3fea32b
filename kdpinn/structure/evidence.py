"""What speaks for a symmetry: how far the teacher breaks it, and what it costs a student."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kdpinn.structure.alignment import Alignment, align
from kdpinn.structure.fits import Array, PenalizedFit, Samples, TiedFit, flat, polished
from kdpinn.structure.group import InputMap
from kdpinn.structure.merging import network_of
from kdpinn.structure.students import Student
from kdpinn.structure.ties import Relation, tie

POLISH = 400
RATIO_LIMIT = 1.03
GAP_LIMIT = 1.25
GAP = 4.0
ASYMMETRY_LIMIT = 0.02
ROUNDING = 1e-5
"""Asymmetry that float32 arithmetic may leave in a teacher without any error."""
LEAST_OVERLAP = 0.25
SHOWN = 0.02
"""Alignment residual of a polished student whose weights have the symmetry: true ones measured
below 0.002, false ones above 0.3."""


@dataclass(frozen=True, eq=False)
class Unit:
    """A teacher on the unit cube: z (N, d) in [-1, 1]^d -> fields (N, m), in their own units.

    Attributes:
        call: the teacher; inside: whether points (N, d) of the cube belong to the domain.
        spread: (m,), standard deviation of each field over the domain; 1 for a constant one.
    """

    call: Callable[[Array], Array]
    inside: Callable[[Array], NDArray[np.bool_]]
    spread: Array


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that was measured of one candidate.

    Attributes:
        map: on the unit cube, with the characters that fit the teacher best.
        in_first_layer: whether the rows of a student's first layer show it, list apart.
        asymmetry: (m,), root mean square of u(g z) - chi u(z) over the standard deviation of u.
        overlap: share of the domain's points that the map leaves in it.
        ratios: J_tied / J_free of each student; empty where it was not measured.
        residuals: per student, the largest of its layers' alignment residuals.
    """

    map: InputMap
    in_first_layer: bool
    asymmetry: Array
    overlap: float
    ratios: tuple[float, ...] = ()
    residuals: tuple[float, ...] = ()

    @property
    def in_weights(self) -> bool:
        """Whether all layers of some student show it before anything is tied."""
        return min(self.residuals, default=np.inf) <= SHOWN

    @property
    def ratio(self) -> float:
        """The least over the students; NaN where none was measured."""
        return min(self.ratios, default=float("nan"))

    @property
    def worst_asymmetry(self) -> float:
        """Of the field that breaks it most."""
        return float(self.asymmetry.max())


def with_characters(unit: Unit, g: InputMap, points: Array) -> Evidence | None:
    """The map with the sign of each field that fits best, and the asymmetry that is left.

    Args:
        g: on the unit cube; its own characters are not read.
        points: (N, d) of the domain.
    Returns:
        None if the map leaves too few of the points in the domain to tell.
    """
    image = g(points)
    kept = (np.abs(image) <= 1 + 1e-9).all(axis=1)
    image = np.clip(image, -1, 1)
    kept &= unit.inside(image)
    overlap = float(kept.mean())
    if overlap < LEAST_OVERLAP:
        return None
    here, there = unit.call(points[kept]), unit.call(image[kept])
    characters = np.where((here * there).sum(0) < 0, -1.0, 1.0)
    size = unit.spread
    if overlap < 1 - 1e-9:  # what varies on the part that is compared
        size = np.minimum(size, np.where(here.std(0) > 0, here.std(0), size))
    left = np.sqrt(((there - characters * here) ** 2).mean(0)) / size
    return Evidence(InputMap(g.matrix, g.offset, characters), False, left, overlap)


@dataclass(frozen=True, eq=False)
class TiedStudent:
    """A student that has some symmetries exactly.

    Attributes:
        ratio: J_tied / J_free.
        maps: on the unit cube; alignments: how each acts on the layers of the free student.
        relation: what the maps tie together.
        student: the free one.
    """

    ratio: float
    maps: tuple[InputMap, ...]
    alignments: tuple[Alignment, ...]
    relation: Relation
    student: Student


def tied_student(
    student: Student,
    samples: Samples,
    penalty: float,
    maps: Sequence[InputMap],
    iterations: int = POLISH,
) -> TiedStudent:
    """What it costs the student to have the symmetries exactly.

    Both networks are polished on the same objective; the tied one starts from the signed means of
    the student's weights. True symmetries measured 0.999 to 1.01, false ones 30 and more.
    """
    alignments = tuple(align(student.layers, g) for g in maps)
    network = network_of(student.layers)
    relation = tie(network.sizes, list(zip(maps, alignments, strict=True)))
    fit = TiedFit(PenalizedFit(network, samples, penalty), relation.index, relation.sign)
    _, tied = polished(fit, fit.nearest(flat(student.layers)), iterations)
    ratio = tied / student.objective
    return TiedStudent(ratio, tuple(maps), alignments, relation, student)


def measured(
    evidence: Evidence, students: Sequence[Student], samples: Samples, penalties: Sequence[float]
) -> Evidence:
    """The same with the cost of its tie in each student."""
    ratios, residuals = [], []
    for student, penalty in zip(students, penalties, strict=True):
        tied = tied_student(student, samples, penalty, [evidence.map])
        ratios.append(tied.ratio)
        residuals.append(float(tied.alignments[0].residuals.max()))
    return replace(evidence, ratios=tuple(ratios), residuals=tuple(residuals))


def ratio_limit(ratios: Sequence[float], worst: float) -> float:
    """Where true ratios end: 1.03, or further up where a wide gap follows.

    A polish that has not converged leaves a true ratio somewhat above 1.03, far below the false
    ones: ratios up to 1.25 count as well if they lie below the widest gap (of their logarithms)
    and the next is at least four times as large.

    Args:
        ratios: of all candidates.
        worst: ratio of a network that says nothing, the upper end of the scale.
    """
    sorted_ratios = np.sort([*ratios, max(worst, *ratios)]) if len(ratios) else np.array([worst])
    if len(sorted_ratios) < 2:
        return RATIO_LIMIT
    steps = sorted_ratios[1:] / sorted_ratios[:-1]
    widest = int(steps.argmax())
    below = float(sorted_ratios[widest])
    if steps[widest] >= GAP and RATIO_LIMIT < below <= GAP_LIMIT:
        return below * (1 + 1e-12)
    return RATIO_LIMIT


def asymmetry_limit(teacher_error: Array | None, size_over_spread: Array) -> Array:
    """How far a teacher may break a symmetry that the truth has, (m,).

    A teacher u + e of relative error |e| / |u| breaks a symmetry of u by |e o g - chi e| <= 2 |e|
    at most, for a map that preserves the domain's measure. A quarter more is allowed for, as the
    error was measured on other points. Without a known error the limit is 0.02.

    Args:
        teacher_error: (m,), relative L2 errors of the fields; None if unknown.
        size_over_spread: (m,), root mean square over standard deviation of the fields.
    """
    if teacher_error is None:
        return np.full(len(size_over_spread), ASYMMETRY_LIMIT)
    bound = 2.5 * teacher_error * size_over_spread
    return np.asarray(np.clip(bound, ROUNDING, ASYMMETRY_LIMIT))
