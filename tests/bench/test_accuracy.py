"""The goals are judged by the worst seed, on the networks that they are about."""

import json

import pytest

from kdpinn_bench import accuracy, baselines
from kdpinn_bench.accuracy import figures
from kdpinn_bench.accuracy_goals import GOALS, Goal


def metrics(seed, teacher=2e-6, small=4e-5, large=1e-6, seconds=10.0):
    """What a run leaves, as far as the goals look at it."""
    sizes = {109: 1e-3, 177: 2e-4, 261: small, 477: 4e-6, 921: large}
    students = [{"parameters": n, "rmse": error} for n, error in sizes.items()]
    return {
        "seed": seed,
        "seconds": seconds,
        "teacher": {"parameters": 1341, "rel_l2": teacher, "rmse": large / 1.005},
        "latency_ms": {"kdpinn-runtime": {"10000": 0.2}},
        "teacher_latency_ms": {"torch eager": {"10000": 8.0}},
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
    assert small.reached_by(run) == 4e-5
    large = Goal(problem="p", preset="best", figure="rmse", limit=1, parameters=1000)
    assert large.reached_by(run) == 1e-6
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
    assert (missed["median"], missed["worst"], missed["reached"]) == (4e-5, 7e-5, False)
    assert sum(not row["reached"] for row in rows.values()) == 1


def test_fields_rise_and_speedup_are_judged():
    run = {
        "fields": ["p", "u"],
        "teacher": {"parameters": 9, "rmse": 2e-3, "rel_l2_fields": [1e-3, 2e-3]},
        "students": [{"parameters": 5, "rmse": 2.5e-3}],
        "latency_ms": {"kdpinn-runtime": {"10000": 0.5}},
        "teacher_latency_ms": {"torch eager": {"10000": 10.0}},
    }  # fmt: skip

    def goal(figure, teacher=True):
        return Goal(
            problem="p", preset="best", figure=figure, limit=25, parameters=10, teacher=teacher
        )

    assert goal("rel_l2 of u").reached_by(run) == 2e-3
    assert goal("rise", teacher=False).reached_by(run) == pytest.approx(25)
    faster = goal("speed-up")
    assert faster.reached_by(run) == 20
    assert not faster.met_by(20)
    assert faster.met_by(25)
    assert goal("rmse").met_by(25)


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
