"""From a teacher of any kind to a verified file, by the command line."""

from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import teacher_module
from typer.testing import CliRunner, Result

import kdpinn_runtime
from kdpinn import course, plan
from kdpinn.cli import app
from kdpinn.distill import distill
from kdpinn.geometry import Box
from kdpinn.recipe import Distillation, Recipe
from kdpinn.sampling import interior
from kdpinn.starts import new_student
from kdpinn.teachers.lesson import lesson_of
from kdpinn.teachers.request import Request
from kdpinn.train import Interrupted

HERE = Path(__file__).parent
MODULE = HERE / "teacher_module.py"
DECAY = f"{HERE / 'tiny_problem.py'}:Decay"
BOX = Box(x=(-1, 1), t=(0, 2))
DOMAIN = ["--domain", "x=-1:1,t=0:2"]
SHORT = Recipe(
    students=((4,),), distillation=Distillation(points=200, iterations=150, check_every=25)
)


def kdpinn(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def distilled(out: Path, *words: object) -> dict:
    result = kdpinn("distill", "--out", out, *words)
    assert result.exit_code == 0, result.output
    assert result.stdout.split() == [str(out / "student.kdp"), str(out / "report.html")]
    return json.loads((out / "metrics.json").read_text())


def refused(result: Result, *facts: str) -> None:
    assert result.exit_code == 2, result.output
    for fact in facts:
        assert fact in result.stderr
    assert "Traceback" not in result.output


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setitem(plan.DEFAULT_RECIPES, "quick", SHORT)


def samples(path: Path, noise: float, n: int = 600) -> Path:
    x = interior(BOX, n, seed=0).numpy()
    u = np.sin(2 * x[:, 0]) * np.exp(-x[:, 1])
    u += noise * np.random.default_rng(0).normal(size=n)
    np.savez(path, x=x[:, 0], t=x[:, 1], u=u)
    return path


def test_a_student_that_can_be_its_teacher_becomes_it():
    """The teacher is one tanh of a plane, the student one neuron: the least error is rounding.

    1e-8 is the square root of float64's rounding, where a sum of squares no longer tells
    improvement from rounding; a student without the right normalization of its outputs, or with
    points or weights of another teacher, stops far above.
    """
    lesson = lesson_of(Request((f"{MODULE}:bump",), "x=-1:1,t=0:2"))
    recipe = replace(SHORT, distillation=replace(SHORT.distillation, iterations=400))
    student = distill(lesson.problem, recipe, lesson.teacher, (1,), seed=0)
    x = BOX.grid((21, 21))
    error = student.field.values(x) - lesson.teacher.values(x)
    assert np.linalg.norm(error) < 1e-8 * np.linalg.norm(lesson.teacher.values(x))
    assert student.before.error == pytest.approx(student.matched.history.rel_l2[-1], rel=1e-6)
    assert "no equation" in student.decision


def test_a_new_student_is_in_units_of_its_teacher():
    lesson = lesson_of(Request((f"{MODULE}:pair",), "x=0:100,t=0:2", "u,v"))
    student = new_student(lesson.problem, SHORT, lesson.teacher, (4,), seed=0)
    # The second output is x itself, uniform on [0, 100]; the points lean to where u is steep.
    assert student.output_shift[1].item() == pytest.approx(50, abs=25)
    assert student.output_scale[1].item() == pytest.approx(100 / 12**0.5, rel=0.3)
    assert student.input_scale.tolist() == [0.02, 1.0]


def test_a_function_becomes_a_file(tmp_path):
    found = distilled(tmp_path, "--teacher", f"{MODULE}:bump", *DOMAIN)
    assert {p.name for p in tmp_path.iterdir()} == {
        "student.kdp",
        "student.onnx",
        "student_derivatives.onnx",
        "metrics.json",
        "report.html",
        "run",
    }
    assert found["student"]["rel_l2"] < 0.05
    assert "teacher" not in found
    model = kdpinn_runtime.load(tmp_path / "student.kdp")
    assert model.card["teachers"][0]["name"] == "teacher_module.py:bump"
    x = BOX.grid((11, 11))
    error = np.asarray(model(x))[:, 0] - teacher_module.bump(x)
    assert np.linalg.norm(error) < 0.05 * np.linalg.norm(teacher_module.bump(x))
    assert kdpinn("verify", tmp_path / "student.kdp", "--no-latency").exit_code == 0
    page = (tmp_path / "report.html").read_text()
    assert "Taught by teacher_module.py:bump" in page
    (tmp_path / "report.html").unlink()
    assert kdpinn("report", tmp_path).exit_code == 0
    again = (tmp_path / "report.html").read_text()
    assert again.split("Provenance")[0] == page.split("Provenance")[0]


def test_resuming_wants_the_same_teacher(tmp_path):
    out = tmp_path / "out"
    words = ["distill", *DOMAIN, "--out", out, "--teacher"]
    assert kdpinn(*words, f"{MODULE}:bump").exit_code == 0
    refused(kdpinn(*words, f"{MODULE}:shifted", "--resume"), "another plan", "teachers")
    refused(kdpinn(*words, f"{MODULE}:bump@weight=2", "--resume"), "teachers")
    assert kdpinn(*words, f"{MODULE}:bump", "--resume").exit_code == 0


def test_noisy_samples_choose_a_student_and_tell_their_noise(tmp_path):
    path = samples(tmp_path / "s.npz", noise=0.05)
    out = tmp_path / "out"
    found = distilled(out, "--teacher", path, "--fields", "u", "--students", "1;6,6;2")
    text = " ".join(found["notes"])
    assert "480 samples teach, 120 judge; noise about 0.04" in text
    assert "Student 6-6 was chosen" in text  # neither the smallest nor the last
    sizes = {1: 5, 2: 9}
    assert found["student"]["parameters"] == 3 * 6 + 7 * 6 + 7
    assert {f"student-{n}.kdp" for n in sizes.values()} <= {p.name for p in out.iterdir()}
    # 120 held-out samples: their mean square is noise^2 within 1 +- 4 sqrt(2 / 120), and what
    # the student's own error, not more than the noise, adds to it.
    assert 0.05 * 0.7 < found["student"]["rmse"] < 0.05 * 1.8
    x = BOX.grid((21, 21))
    truth = np.sin(2 * x[:, 0]) * np.exp(-x[:, 1])
    error = np.asarray(kdpinn_runtime.load(out / "student.kdp")(x))[:, 0] - truth
    assert np.sqrt(np.mean(error**2)) < 0.05 / 2  # the noise is averaged out, not learnt
    assert kdpinn("verify", out / "student.kdp", "--no-latency").exit_code == 0
    assert kdpinn("report", out).exit_code == 0


def test_a_parameter_becomes_an_input_of_the_file(tmp_path):
    teachers = [w for n in ("0.5", "1", "2") for w in ("--teacher", f"{MODULE}:bump@nu={n}")]
    distilled(tmp_path, *teachers, *DOMAIN)
    model = kdpinn_runtime.load(tmp_path / "student.kdp")
    assert [v.name for v in model.inputs] == ["x", "t", "nu"]
    assert (model.inputs[2].lower, model.inputs[2].upper) == (0.5, 2.0)
    assert kdpinn("verify", tmp_path / "student.kdp", "--no-latency").exit_code == 0


def test_a_stated_problem_adds_its_physics(tmp_path):
    found = distilled(tmp_path, DECAY, "--teacher", f"{MODULE}:factory", "--students", "5")
    assert any("Fine-tuning on the physics was" in note for note in found["notes"])
    model = kdpinn_runtime.load(tmp_path / "student.kdp")
    assert model.file.equations
    assert model.file.baseline.teacher is not None
    assert found["student"]["residual"] > 0


def test_samples_of_a_stated_problem(tmp_path):
    x = interior(Box(x=(0, 1), t=(0, 1)), 200, seed=0).numpy()
    np.savez(
        tmp_path / "s.npz", x=x[:, 0], t=x[:, 1], u=np.sin(np.pi * x[:, 0]) * np.exp(-x[:, 1] / 2)
    )
    found = distilled(tmp_path / "out", DECAY, "--teacher", tmp_path / "s.npz")
    assert any("160 samples teach, 40 judge" in note for note in found["notes"])
    assert found["student"]["rel_l2"] < 0.05


def test_an_interrupted_run_says_how_to_go_on(tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise Interrupted("asked to")

    monkeypatch.setattr(course, "distill", interrupted)
    source = f"{MODULE}:bump@weight=2"
    result = kdpinn("distill", "--teacher", source, *DOMAIN, "--students", "3;4", "--out", tmp_path)
    assert result.exit_code == 130
    words = shlex.split(result.stderr.split("Go on with: ")[1])
    assert words[:2] == ["kdpinn", "distill"]
    monkeypatch.undo()
    monkeypatch.setitem(plan.DEFAULT_RECIPES, "quick", SHORT)
    assert kdpinn(*words[1:]).exit_code == 0
    assert (tmp_path / "student-13.kdp").exists()


def test_wrong_use(tmp_path):
    out = tmp_path / "out"
    teacher = ["--teacher", f"{MODULE}:bump"]
    refused(kdpinn("distill", "--out", out), "Name a PROBLEM, or a --teacher")
    refused(kdpinn("distill", DECAY, *DOMAIN, "--out", out), "--domain and --fields", "name one")
    refused(kdpinn("distill", *teacher, "--out", out), "does not know its coordinates", "--domain")
    refused(kdpinn("distill", *teacher, *DOMAIN, "--out", out, "--students", "a"), "--students")
    refused(
        kdpinn("distill", "--teacher", "t.onnx", *DOMAIN, "--out", out), "t.onnx does not exist"
    )
    assert not out.exists()
