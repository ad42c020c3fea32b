"""The controls have the groups that they are said to have, and the verdict counts rightly."""

from __future__ import annotations

import numpy as np
import pytest

from kdpinn.structure.candidates import signed_permutations
from kdpinn.structure.evidence import Unit, with_characters
from kdpinn.structure.subject import Subject
from kdpinn_bench.structure import cases, passed, table
from kdpinn_bench.structure_controls import CONTROLS


@pytest.mark.parametrize(
    "control", [c for c in CONTROLS if "penalty" not in c.name], ids=lambda c: c.name
)
def test_a_control_has_its_group_and_no_more(control):
    subject = Subject(domain=control.domain, fields=control.fields, values=control.values)
    unit = Unit(subject.unit_values, subject.inside, control.values(_points(subject)).std(0))
    has = {"identity"}
    for g in signed_permutations(control.domain.dim):
        evidence = with_characters(unit, g, subject.grid())
        assert evidence is not None
        if evidence.worst_asymmetry < 1e-12:
            for element in (evidence.map, evidence.map.inverse()):
                physical = subject.to_physical(element)
                has.add(physical.describe(control.domain.names, control.fields))
        else:
            # What is not a symmetry is far from one, but for the one that is broken by design.
            least = 5e-3 if "broken" in control.name else 0.1
            assert evidence.worst_asymmetry > least
    assert has == set(control.words)


def _points(subject):
    return subject.physical(subject.grid())


def test_the_controls_are_as_many_as_promised():
    exact = [c for c in CONTROLS if "penalty" not in c.name]
    assert len(exact) >= 8
    assert sum(not c.generators for c in exact) >= 2
    assert len({c.name for c in CONTROLS}) == len(CONTROLS)


def test_cases_cover_the_seeds():
    found = list(cases())
    kinds = [case.kind for case in found]
    assert (kinds.count("laplace"), kinds.count("burgers")) == (8, 5)
    assert {len(case.expected) for case in found if case.kind == "laplace"} == {4}
    assert {len(case.expected) for case in found if case.kind == "poisson"} == {4}


def row(kind="laplace", right=True, false=()):
    return {
        "kind": kind,
        "right": right,
        "false": list(false),
        "missed": [],
        "largest_true_ratio": 1.0,
        "least_false_ratio": None,
        "seconds": 1.0,
    }


def test_one_seed_of_eight_may_miss_a_map_but_none_may_add_one():
    rows = [row() for _ in range(8)]
    assert passed(rows)
    rows[0]["right"] = False
    assert passed(rows)
    rows[1]["right"] = False
    assert not passed(rows)
    rows[1] = row(false=["x -> -x, u -> u"])
    assert not passed(rows)
    assert not passed([row("control", right=False)])
    assert table(rows).row_count == 1


def test_grid_is_taken_to_itself_by_every_candidate():
    grid = Subject(domain=CONTROLS[0].domain, fields=("u",), values=CONTROLS[0].values).grid()
    here = {tuple(np.round(z, 9) + 0.0) for z in grid}
    for g in signed_permutations(2):
        assert {tuple(np.round(z, 9) + 0.0) for z in g(grid)} == here
