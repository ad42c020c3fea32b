"""Fingerprints of machines, and stored baselines."""

import json
import platform

import pytest

from kdpinn_bench import baselines, fingerprint, machine


def test_fingerprint_goes_into_json_and_names_the_machine_not_its_owner():
    facts = fingerprint()
    text = json.dumps(facts, allow_nan=False)
    assert facts["cpu"]
    assert facts["cores"] >= facts["cores_permitted"] >= 1
    assert facts["versions"]["torch"].startswith("2.")
    assert set(facts["flags"]) <= set(machine.FLAGS)
    host = platform.node()
    assert len(host) < 4 or host not in text


def test_a_missing_program_is_no_error():
    assert machine._first_line("no-such-program-of-kdpinn", "--version") is None


def test_baselines_come_back(tmp_path):
    assert baselines.read("burgers", tmp_path) is None
    figures = {"rel_l2": 1e-5, "machine": {"cpu": "Zen 5"}}
    path = baselines.write("burgers", figures, tmp_path / "new")
    assert path == tmp_path / "new" / "burgers.json"
    assert baselines.read("burgers", tmp_path / "new") == figures
    assert path.read_text().endswith("}\n")
    assert [p.name for p in path.parent.iterdir()] == ["burgers.json"]


def test_a_refused_baseline_leaves_the_old_one(tmp_path):
    baselines.write("burgers", {"rel_l2": 1.0}, tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        baselines.write("burgers", {"rel_l2": float("nan")}, tmp_path)
    assert baselines.read("burgers", tmp_path) == {"rel_l2": 1.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "expected .1, 'burgers'."),
        ('{"version": 2, "problem": "burgers", "figures": {}}', "'burgers'.*measure again"),
        ('{"version": 1, "problem": "laplace", "figures": {}}', "'laplace'.*expected"),
    ],
)
def test_damaged_baselines_are_refused(tmp_path, text, message):
    (tmp_path / "burgers.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        baselines.read("burgers", tmp_path)


@pytest.mark.parametrize("name", ["../burgers", "", "a/b", ".hidden"])
def test_names_are_file_names(name):
    with pytest.raises(ValueError, match="by the problem's name"):
        baselines.path_of(name)
