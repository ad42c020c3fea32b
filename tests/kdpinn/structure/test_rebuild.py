"""Rebuilt networks: trained on the equation, judged beside plain ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from structure_groups import signs

from kdpinn.geometry import Box
from kdpinn.problems import Problem, dirichlet
from kdpinn.recipe import Recipe, Training
from kdpinn.structure.gate import ALLOWANCE, judge_structure
from kdpinn.structure.group import Group
from kdpinn.structure.rebuild import equal_widths, fitted_widths, new_tied_field, rebuild
from kdpinn.structure.tied import symmetry_error

GROUP = Group.generated_by([signs(1, -1), signs(-1, 1, u=(-1,))])
RECIPE = Recipe(
    training=Training(points=300, condition_points=40, iterations=400, last_iterations=100)
)


def plate(slope: float = 0.0) -> Problem:
    """Laplace's equation with the solution x^3 - 3 x y^2 + slope y, even in y only without it."""

    def solution(x, y):
        return x**3 - 3 * x * y**2 + slope * y

    sides = [{"x": -1}, {"x": 1}, {"y": -1}, {"y": 1}]
    return Problem(
        name="plate",
        domain=Box(x=(-1, 1), y=(-1, 1)),
        fields=("u",),
        residual=lambda j: j.u.xx + j.u.yy,
        conditions=(dirichlet("rim", on=sides, u=solution),),
        reference=solution,
    )


def test_a_true_structure_is_kept_and_exact_before_and_after_training() -> None:
    rebuilt = rebuild(plate(), GROUP, (8, 8), RECIPE, equal=True)
    figures = rebuilt.figures()
    assert rebuilt.gate.passed, rebuilt.gate.reason
    assert rebuilt.field is rebuilt.tied.field
    assert figures["symmetry_error_start"] <= 1e-12
    assert figures["symmetry_error"] <= 1e-12
    assert figures["plain"]["symmetry_error"] > 1e-6  # and so the measurement sees something
    assert (figures["free_parameters"], figures["dense_parameters"]) == (26, 105)
    assert 26 <= figures["equal"]["parameters"] <= 32
    assert figures["rel_l2"] < 1e-2
    assert figures["plain"]["sizes"] == [2, 8, 8, 1]
    # The solution is judged, by the plain network's mean, not how well the tied one was trained.
    fresh = new_tied_field(plate(), GROUP, (8, 8), RECIPE, 1)
    plain = rebuilt.plain.field
    gate = judge_structure(plate(), GROUP, fresh, plain, RECIPE.training, 0)
    assert gate.passed
    assert gate.tied > ALLOWANCE * gate.plain


def test_a_symmetry_broken_by_one_percent_is_rejected() -> None:
    rebuilt = rebuild(plate(slope=0.01), GROUP, (8, 8), RECIPE)
    assert not rebuilt.gate.passed
    assert rebuilt.gate.mean > 3 * ALLOWANCE * rebuilt.gate.plain  # not by a hair
    assert "rejected" in rebuilt.gate.reason
    assert rebuilt.field is rebuilt.plain.field
    # The floor: the solution's odd part on the rim, 0.01 y, mean square 1e-4 (1 + 1/3) / 2, times
    # the condition's weight 100.
    floor = 100 * 1e-4 * (1 + 1 / 3) / 2
    for terms in (rebuilt.gate.tied_terms, rebuilt.gate.mean_terms):
        assert terms["rim"] == pytest.approx(floor, rel=0.25)


def test_widths_are_rounded_up_to_the_order() -> None:
    assert fitted_widths((8, 9, 1), 4) == (8, 12, 4)


def test_rivals_have_as_many_parameters() -> None:
    field = new_tied_field(plate(), GROUP, (16, 16, 16), RECIPE, 0)
    assert field.network.parameters == 152
    widths = equal_widths(field, 3)
    sizes = (2, *widths, 1)
    parameters = sum((a + 1) * b for a, b in zip(sizes, sizes[1:], strict=False))
    assert 152 <= parameters <= 170
    assert max(widths) - min(widths) <= 1


def test_a_group_that_moves_the_domain_is_refused_before_any_training() -> None:
    problem = plate().replace(domain=Box(x=(-1, 1), y=(-1, 1.5)), conditions=(), reference=None)
    with pytest.raises(ValueError, match=r"does not preserve the domain.*y = 0.25, to -0.25"):
        rebuild(problem, GROUP, (8, 8), RECIPE)


def test_fresh_networks_differ_by_seed_and_have_the_symmetry() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (50, 2))
    first, second = (new_tied_field(plate(), GROUP, (8,), RECIPE, seed) for seed in (0, 1))
    assert not np.allclose(first.values(x), second.values(x))
    assert symmetry_error(first, GROUP, x) < 1e-14
    deeper = replace(RECIPE, activation="sin")
    assert symmetry_error(new_tied_field(plate(), GROUP, (8, 12), deeper, 0), GROUP, x) < 1e-13
