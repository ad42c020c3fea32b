"""The goals are judged by the worst seed, on the networks that they are about."""

import json

import pytest

from kdpinn_bench import accuracy, baselines
from kdpinn_bench.accuracy import GOALS, Goal, figures


def metrics(seed, teacher=2e-6, small=5e-5, large=2e-6, seconds=10.0):
    """What a run leaves, as far as the goals look at it."""
    students = [{"parameters": 261, "rmse": small}, {"parameters": 921, "rmse": large}]
    return {
        "seed": seed,
        "seconds": seconds,
        "teacher": {"parameters": 1341, "rel_l2": teacher},
        "student": students[-1],
        "students": students,
        "verify": {"passed": True},
        "recipe": {},
        "machine": {"cpu": "test"},
        "versions": {},
    }


def goals(preset):
    return [goal for goal in GOALS if (goal.problem, goal.preset) == ("burgers", preset)]


def test_a_goal_looks_at_networks_of_its_size():
    run = metrics(0)
    small = Goal(problem="p", preset="best", figure="rmse", limit=1, parameters=300)
    assert small.reached_by(run) == 5e-5
    large = Goal(problem="p", preset="best", figure="rmse", limit=1, parameters=1000)
    assert large.reached_by(run) == 2e-6
    none = Goal(problem="p", preset="best", figure="rmse", limit=1, parameters=100)
    assert none.reached_by(run) == float("inf")
    teacher = Goal(
        problem="p", preset="best", figure="rel_l2", limit=1, parameters=1400, teacher=True
    )
    assert teacher.reached_by(run) == 2e-6


def test_the_worst_seed_decides():
    good, bad = metrics(0), metrics(1, small=7e-5)
    assert all(row["reached"] for row in figures([good, good], goals("best"))["goals"])
    rows = {row["goal"]: row for row in figures([good, good, bad], goals("best"))["goals"]}
    missed = rows["student of at most 261 parameters, rmse"]
    assert (missed["median"], missed["worst"], missed["reached"]) == (5e-5, 7e-5, False)
    assert sum(not row["reached"] for row in rows.values()) == 1


def test_finished_runs_are_stored_and_presets_kept(tmp_path, monkeypatch, capsys):
    for seed in (0, 1):
        folder = tmp_path / "runs" / f"burgers-quick-{seed}"
        folder.mkdir(parents=True)
        (folder / "report.html").touch()
        (folder / "metrics.json").write_text(json.dumps(metrics(seed, small=2e-4)))
    baselines.write("burgers", {"best": {"kept": True}}, tmp_path / "stored")
    arguments = ["accuracy", "burgers", "--seeds", "0", "1"]
    arguments += ["--out", str(tmp_path / "runs"), "--baselines", str(tmp_path / "stored")]
    monkeypatch.setattr("sys.argv", arguments)
    assert accuracy.main() == 0
    stored = baselines.read("burgers", tmp_path / "stored")
    assert stored["best"] == {"kept": True}
    assert [run["seed"] for run in stored["quick"]["runs"]] == [0, 1]
    assert "missed" not in capsys.readouterr().out


def test_a_failing_run_is_named(tmp_path):
    with pytest.raises(RuntimeError, match="run nowhere --preset quick.* ended with code 2"):
        accuracy.run("nowhere", "quick", 0, tmp_path)
