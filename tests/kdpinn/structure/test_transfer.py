"""Structures on other problems: what fits is carried over with its signs, the rest refused."""

from __future__ import annotations

import numpy as np
import pytest
from structure_groups import SWAP, signs
from typer.testing import CliRunner

from kdpinn.cli import app
from kdpinn.geometry import Box
from kdpinn.problems import dirichlet, load_problem
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.relation import Finding, Structure
from kdpinn.structure.relation_file import write_relation
from kdpinn.structure.transfer import transferred


def structure(domain: Box, outputs: tuple[str, ...], *maps: InputMap) -> Structure:
    none = (0.0,) * len(outputs)
    return Structure(
        group=Group.generated_by(maps),
        domain=domain,
        outputs=outputs,
        findings=tuple(Finding(g, none, (1.0,), (0.0,), True) for g in maps),
        student=None,
        problem="",
        statement="",
        teacher_seed=None,
        student_seeds=(),
    )


SQUARE = Box(x=(-1, 1), y=(-1, 1))
LAPLACE = structure(SQUARE, ("u",), signs(1, -1), signs(-1, 1, u=(-1,)))
EVEN = structure(SQUARE, ("u",), signs(1, -1))
BURGERS = structure(Box(x=(-1, 1), t=(0, 1)), ("u",), signs(-1, 1, u=(-1,)))


def said(group: Group, name: str) -> list[str]:
    problem = load_problem(name)
    return [g.describe(problem.coordinates, problem.fields) for g in group.generators]


@pytest.mark.parametrize(
    ("found", "name", "expected"),
    [
        (LAPLACE, "laplace", ["y -> -y, u -> u", "x -> -x, u -> -u"]),
        (BURGERS, "burgers", ["x -> -x, u -> -u"]),
        (BURGERS, "burgers_inverse_samples", ["x -> -x, u -> -u"]),
        (EVEN, "cylinder_flow", ["y -> -y, p -> p, u -> u, v -> -v"]),
        (
            structure(SQUARE, ("w",), SWAP, signs(-1, -1)),
            "poisson",
            ["x -> y, y -> x, u -> u", "x -> 1 - x, y -> 1 - y, u -> u"],
        ),
    ],
)
def test_maps_are_carried_over_with_the_signs_that_the_equation_wants(
    found: Structure, name: str, expected: list[str]
) -> None:
    assert said(transferred(found, load_problem(name)), name) == expected


@pytest.mark.parametrize(
    ("found", "name", "words"),
    [
        (LAPLACE, "cylinder_flow", "x -> -x.*the hole with"),
        (LAPLACE, "burgers", "moves 'y', which the problem does not have"),
        (LAPLACE, "allen_cahn", "moves 'y'"),
        (structure(SQUARE, ("u",), SWAP), "laplace", "differs at a point and its image"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_reason(
    found: Structure, name: str, words: str
) -> None:
    with pytest.raises(ValueError, match=rf"does not fit problem '{name}'.*{words}"):
        transferred(found, load_problem(name))


def test_a_part_may_be_kept_if_it_is_asked_for() -> None:
    problem = load_problem("cylinder_flow")
    group = transferred(LAPLACE, problem, partly=True)
    assert said(group, "cylinder_flow") == ["y -> -y, p -> p, u -> u, v -> -v"]
    with pytest.raises(ValueError, match="--partly keeps"):
        transferred(LAPLACE, problem)
    with pytest.raises(ValueError, match="does not fit"):
        transferred(LAPLACE, load_problem("burgers"), partly=False)


def test_a_condition_that_holds_on_one_side_is_a_reason() -> None:
    left = load_problem("laplace").replace(
        conditions=(dirichlet("left", on=[{"x": -1}], u=0.0),), reference=None
    )
    with pytest.raises(ValueError, match=r"x -> -x.*condition 'left' holds at a place, but not"):
        transferred(LAPLACE, left)


def test_the_wrong_sign_is_not_taken_from_the_source() -> None:
    """Burgers' equation with an even initial value has no symmetry in x."""
    burgers = load_problem("burgers")
    even = burgers.replace(
        conditions=(dirichlet("initial", on=[{"t": 0}], u=lambda x: np.cos(np.pi * x)),),
        reference=None,
    )
    with pytest.raises(ValueError, match=r"'initial' differs|the equation differs"):
        transferred(BURGERS, even)


def test_train_refuses_a_structure_before_anything_is_made(tmp_path) -> None:
    relation, out = tmp_path / "relation.json", tmp_path / "out"
    write_relation(relation, LAPLACE)
    words = ["train", "cylinder_flow", "--structure", str(relation), "--out", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "it takes the hole with" in result.output
    assert "Traceback" not in result.output
    assert not out.exists()
