"""The bench of narrow weights: what is measured, and the verdicts."""

from functools import partial

import pytest
from kdp_samples import sample

from kdpinn.quantization import RefitSettings
from kdpinn_bench import narrow_speed, quantization
from kdpinn_bench.quantization import GOALS, measure, verdicts
from kdpinn_export.relayered import relayered
from kdpinn_runtime import read, write


@pytest.fixture
def student(tmp_path):
    file = sample(sizes=(2, 5, 1))
    path = tmp_path / "student.kdp"
    write(path, relayered(file, file.layers, {"problem": "laplace", "preset": "tiny"}))
    return path


def test_every_row_is_measured_once(student, monkeypatch):
    quick = RefitSettings(between=2, rounds=2)
    for name in ("tried_choices", "quantize"):
        slow = getattr(quantization, name)
        monkeypatch.setattr(quantization, name, partial(slow, settings=quick))
    monkeypatch.setattr(quantization, "GOALS", {"i8": 1.0, "i6": 1.0})
    plain = list(measure(student, (), [], keep=True))
    assert [(r["precision"], r["method"]) for r in plain] == [
        ("f32", "none"),
        ("i8", "post-training"),
        ("i8", "refit"),
    ]
    assert read(student.with_name("student-i8.kdp")).precisions == ("i8", "i8")
    rows = [*plain, *measure(student, ("laplace",), plain)]
    named = [(r["precision"], r["method"]) for r in rows]
    assert len(set(named)) == len(named)
    assert {("mixed as i6", "refit"), ("i6", "refit"), ("i8", "straight-through")} <= set(named)
    assert list(measure(student, ("laplace",), rows)) == []
    for uniform in ("i6", "i8"):
        same, mixed = (
            next(r for r in rows if (r["precision"], r["method"]) == (name, "refit"))
            for name in (uniform, f"mixed as {uniform}")
        )
        assert mixed["weight_bytes"] <= same["weight_bytes"]
        assert mixed["from_float"] <= same["from_float"]


def row(precision, method="refit", *, distance=1.0, size=100, problem="heat"):
    about = {"problem": problem, "preset": "quick", "precision": precision, "method": method}
    return about | {"from_float": distance, "rmse": distance, "weight_bytes": size}


@pytest.mark.parametrize(
    ("distance", "size", "reached"), [(0.5, 100, True), (0.5, 101, False), (1.0, 90, False)]
)
def test_mixed_has_to_be_closer_in_no_more_bytes(distance, size, reached):
    rows = [row("i8"), row("mixed as i8", distance=distance, size=size)]
    assert [v[3] for v in verdicts(rows)] == [reached]


def test_goals_of_burgers_hold_for_its_accurate_student_alone():
    rows = [row(p, distance=1.1 * limit, problem="burgers") for p, limit in GOALS.items()]
    good = [row("f64", "none", distance=1e-6, problem="burgers"), *rows]
    assert [v[3] for v in verdicts(good)] == [False] * len(GOALS)
    assert verdicts([row("f64", "none", distance=1e-4, problem="burgers"), *rows]) == []
    closer = [row("i8", "post-training", distance=19.9), row("i8")]
    assert [v[3] for v in verdicts(closer)] == [False]


@pytest.mark.parametrize(("times", "code"), [(1.2, 0), (1.4, 1)])
def test_slow_narrow_weights_fail(times, code, tmp_path, monkeypatch, capsys):
    found = narrow_speed.Row(
        network="2-3-1",
        isa="avx2",
        computes="jets",
        points=7,
        precision="i8",
        times=times,
        noise=0.1,
    )
    monkeypatch.setattr(narrow_speed, "rows", lambda schedule: [found])
    monkeypatch.setattr("sys.argv", ["narrow_speed", "--store", "--baselines", str(tmp_path)])
    assert narrow_speed.main() == code
    assert ("MISSED" if code else "reached") in capsys.readouterr().out
    assert (tmp_path / "narrow_speed.json").exists()
