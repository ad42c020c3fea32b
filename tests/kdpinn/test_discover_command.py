"""`kdpinn discover`: what it leaves, what it prints, and that doubt leaves no structure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_cli import SPEC, kdpinn, refused

import kdpinn_runtime
from kdpinn.structure.relation_file import read_relation

TEACHERS = """
import numpy as np

def constant():
    return lambda x: np.full(len(x), 3.0)
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("found") / "out"
    result = kdpinn("discover", SPEC, "--out", out, "--students", 1, "--hidden", "4,4", "--json")
    return out, result


def test_a_problem_gives_its_structure_and_a_network_that_has_it(found):
    out, result = found
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert facts["group_order"] == 2
    assert [g["map"] for g in facts["generators"]] == ["x -> 1 - x, u -> u"]
    assert facts["generators"][0]["ratio"] <= facts["allowed_ratio"]
    assert facts["free_parameters"] < facts["dense_parameters"] == facts["plain"]["parameters"]
    assert facts["rel_l2"] > 0
    assert facts["plain"]["rel_l2"] > 0
    assert facts["gate"]["passed"] is True
    assert facts["symmetry_error"] <= 1e-12
    assert json.loads((out / "discovery.json").read_text()) == facts


def test_the_files_have_the_structure(found):
    out, _ = found
    structure = read_relation(out / "relation.json")
    assert structure.group.order == 2
    assert structure.problem == "decay"
    assert structure.teacher_seed == 0
    model = kdpinn_runtime.load(out / "psi.kdp")
    x = structure.domain.from_unit(np.random.default_rng(0).uniform(size=(64, 2)))
    g = structure.group.generators[0]
    u = model(x)
    # A file in float32, evaluated in float64: to the rounding of twenty sums of size one.
    assert np.abs(model(g(x)) - u).max() <= 1e-6 * np.abs(u).max()


def test_the_report_has_both_methods(found):
    out, result = found
    facts = json.loads(result.stdout)
    assert {"report.html", "figures/weights.svg", "figures/symmetry.svg"} <= set(facts["files"])
    assert all((out / name).exists() for name in facts["files"])
    html = (out / "report.html").read_text()
    assert "Group of order 2" in html
    assert "Rebuilt network" in html
    assert "fixed at 0.1" in html
    assert set(facts["seconds"]) == {"teacher", "discovery", "rebuilding", "report"}
    assert set(facts["clusters"]) == {"fixed", "gap", "silhouette"}


def test_an_earlier_search_is_not_overwritten_unasked(found):
    out, _ = found
    refused(kdpinn("discover", SPEC, "--out", out), "--resume", "--overwrite")


def test_a_constant_teacher_leaves_no_structure(tmp_path: Path):
    (tmp_path / "teachers.py").write_text(TEACHERS)
    out = tmp_path / "out"
    teacher = f"{tmp_path / 'teachers.py'}:constant"
    result = kdpinn(
        "discover", "--teacher", teacher, "--domain", "x=-1:1,y=0:1", "--out", out, "--json"
    )
    assert result.exit_code == 1, result.output
    facts = json.loads(result.stdout)
    assert facts["generators"] == []
    assert facts["group_order"] == 1
    assert "constant over the domain" in facts["statement"]
    assert sorted(p.name for p in out.iterdir()) == ["discovery.json", "report.html", "run"]
    assert "constant over the domain" in (out / "report.html").read_text()


def test_samples_that_are_noise_leave_no_structure(tmp_path: Path):
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.uniform(-1, 1, (120, 2)), rng.normal(size=120)])
    np.savetxt(tmp_path / "s.csv", rows, delimiter=",", header="x,y,u", comments="")
    result = kdpinn(
        "discover", "--teacher", tmp_path / "s.csv", "--domain", "x=-1:1,y=-1:1",
        "--out", tmp_path / "out", "--students", 1,
    )  # fmt: skip
    assert result.exit_code == 1, result.output
    assert "relative error" in result.stdout
    assert not (tmp_path / "out" / "relation.json").exists()


def test_the_published_method_stands_beside(tmp_path: Path):
    result = kdpinn("discover", SPEC, "--out", tmp_path / "out", "--method", "hac", "--json")
    assert result.exit_code == 0, result.stderr
    facts = json.loads(result.stdout)
    assert set(facts["rules"]) == {"fixed", "gap", "silhouette"}
    for rule in facts["rules"].values():
        assert rule["misfit_retrained"] <= rule["misfit_replaced"] * (1 + 1e-9)
        assert 0 < rule["free_parameters"] < facts["dense_parameters"]
    assert not (tmp_path / "out" / "psi.kdp").exists()
    assert "Clusters of single weights" in (tmp_path / "out" / "report.html").read_text()


def test_wrong_use_is_told(tmp_path: Path):
    refused(kdpinn("discover", "--out", tmp_path / "a"), "PROBLEM", "--teacher")
    refused(kdpinn("discover", SPEC, "--out", tmp_path / "b", "--error", "0.1"), "--teacher")
    refused(kdpinn("discover", SPEC, "--out", tmp_path / "c", "--hidden", "8,x"), "--hidden")
    refused(kdpinn("discover", SPEC, "--out", tmp_path / "e", "--method", "x"), "group or hac")
    refused(kdpinn("discover", "laplac", "--out", tmp_path / "d"), "laplace")
