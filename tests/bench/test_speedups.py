"""Speed-ups are taken over both widths of the teacher, for every student, answers checked."""

import json

import numpy as np
import pytest

import kdpinn_runtime
from kdpinn.problems import load_problem
from kdpinn.shipping import model_file
from kdpinn.teacher import new_field
from kdpinn_bench import speedups
from kdpinn_bench.timing import Schedule
from kdpinn_bench.torch_model import torch_call
from kdpinn_runtime import pack, write

BRIEF = Schedule(rounds=6, min_rounds=6, budget_s=0.0, min_batch_s=1e-6)


@pytest.fixture
def run(tmp_path):
    """A folder as a finished run leaves it: a teacher and two students of different errors."""
    problem = load_problem("laplace")
    teacher = new_field(problem, (8, 8, 16), "tanh", 0)
    write(tmp_path / "teacher.kdp", model_file(problem, teacher, points=16))
    students = []
    for width, error in ((6, 1.5e-6), (8, 9e-7)):
        field = new_field(problem, (width, width, width), "tanh", 1)
        name = f"student-{field.network.parameters}.kdp"
        write(tmp_path / name, model_file(problem, field, points=16))
        students.append({"parameters": field.network.parameters, "rel_l2": error, "file": name})
    metrics = {
        "problem": "laplace",
        "preset": "best",
        "seed": 0,
        "teacher": {"parameters": teacher.network.parameters},
        "students": students,
    }
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    return tmp_path


def test_every_student_is_compared_with_both_widths_of_its_teacher(run):
    found = speedups.measure(run, BRIEF)
    assert [s["parameters"] for s in found["students"]] == [109, 177]
    assert [s["meets_its_bar"] for s in found["students"]] == [False, True]  # 1e-6
    for student in found["students"]:
        for width in ("over_float64", "over_float32"):
            interval = student[width]
            assert 0 < interval["low"] <= interval["median"] <= interval["high"]
    assert len(list(speedups.rows([found]))) == 2


def test_a_student_that_computes_something_else_is_not_timed(run, monkeypatch):
    other = model_file(load_problem("laplace"), new_field(load_problem("laplace"), (6,), "tanh", 2))
    monkeypatch.setattr(
        speedups.Native, "prepare", lambda self, model, x: torch_call(other, x, len(x))
    )
    with pytest.raises(ValueError, match="student, 109: .* times the bound"):
        speedups.measure(run, BRIEF)


def test_torch_computes_in_the_width_of_its_points():
    problem = load_problem("burgers_family")
    file = model_file(problem, new_field(problem, (7, 5), "tanh", 0), points=16)
    x = problem.domain.from_unit(np.random.default_rng(0).random((50, 3)))
    exact = kdpinn_runtime.load(pack(file))(x)
    double = torch_call(file, x, 50).output()
    assert double.dtype == np.float64
    # A few dozen roundings of terms of at most the size of the largest value.
    assert np.abs(double - exact).max() <= 64 * 2.0**-53
    assert torch_call(file, x.astype(np.float32), 50).output().dtype == np.float32
