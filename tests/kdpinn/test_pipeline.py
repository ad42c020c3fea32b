"""The whole way on a small problem: what it leaves, and that a run can be taken up again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import kdpinn_runtime
from kdpinn import course, pipeline
from kdpinn.evaluation import on_grid
from kdpinn.pipeline import render_again
from kdpinn.plan import Order, recipe_of
from kdpinn.problems import load_problem
from kdpinn.run_folder import RunFolderError
from kdpinn.shipping import field_of, model_file
from kdpinn.teachers.request import Request
from kdpinn.train import Interrupted

FILE = Path(__file__).with_name("tiny_problem.py")
SPEC = f"{FILE}:Decay"


@pytest.fixture(autouse=True, scope="module")
def _hurried() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "LATENCY_SECONDS", {"quick": 0.02})
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    pipeline.run(Order(spec=SPEC), out)
    return out


@pytest.fixture
def _timed_before(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engines take seconds to prepare: once is enough."""
    known = json.loads((finished / "run" / "latency.json").read_text())["facts"]
    monkeypatch.setattr(pipeline, "measure", lambda *_, **__: known)


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def metrics(out: Path) -> dict[str, object]:
    return dict(json.loads((out / "metrics.json").read_text()))


def test_everything_is_there_and_nothing_else(finished: Path) -> None:
    names = {p.name for p in finished.iterdir()}
    students = {n for n in names if n.startswith("student-")}
    assert len(students) == 1
    assert names - students == {
        "teacher.kdp",
        "student.kdp",
        "student.onnx",
        "student_derivatives.onnx",
        "metrics.json",
        "report.html",
        "run",
    }
    assert not list(finished.rglob("*.part"))
    assert not list(finished.rglob("*.checkpoint"))


def test_metrics_have_what_is_promised(finished: Path) -> None:
    found = json.loads((finished / "metrics.json").read_text())
    assert found["problem"] == "decay"
    assert found["preset"] == "quick"
    assert found["seconds"] > 0
    for role in ("teacher", "student", "scratch"):
        assert {"parameters", "rel_l2", "rmse", "max_abs"} <= set(found[role])
        assert 0 < found[role]["rmse"] <= found[role]["max_abs"]
    assert found["student"]["file_bytes"] == (finished / "student.kdp").stat().st_size
    assert isinstance(found["student"]["rmse_rise_pct"], float)
    for times in found["latency_ms"].values():
        assert set(times) == {"1", "100", "10000", "65536"}
    assert {"kdpinn-runtime", "onnxruntime", "torch eager"} <= set(found["latency_ms"])
    assert isinstance(found["verify"]["passed"], bool)
    assert [s["parameters"] for s in found["students"]] == [4 * 3 + 4 * 5 + 5, 6 * 3 + 6 * 7 + 7]


def test_figures_are_those_of_the_shipped_file(finished: Path) -> None:
    problem = load_problem(SPEC)
    model = kdpinn_runtime.load(finished / "student.kdp")
    points = problem.evaluation_points()
    values = model(points)
    error = values - problem.reference_at(points)
    found = json.loads((finished / "metrics.json").read_text())["student"]
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=1e-12)
    residual = model.residual(points)
    assert found["residual"] == pytest.approx(np.sqrt(np.mean(residual**2)), rel=1e-9)


def test_card_and_parent(finished: Path) -> None:
    teacher = kdpinn_runtime.load(finished / "teacher.kdp")
    student = kdpinn_runtime.load(finished / "student.kdp")
    assert student.card["parent"] == teacher.digest
    assert student.card["problem"] == "decay"
    assert student.card["role"] == "student"
    assert [v.unit for v in (*student.inputs, *student.outputs)] == ["m", "s", "K"]


def test_a_finished_run_is_kept(copy: Path) -> None:
    before = {p: p.read_bytes() for p in copy.rglob("*") if p.is_file() and p.name != "lock"}
    with pytest.raises(RunFolderError, match="finished run"):
        pipeline.run(Order(spec=SPEC), copy)
    pipeline.run(Order(spec=SPEC, resume=True), copy)
    assert {p: p.read_bytes() for p in before} == before


def test_what_is_missing_is_made_again(copy: Path) -> None:
    student = (copy / "student.kdp").read_bytes()
    (copy / "student.kdp").unlink()
    (copy / "report.html").unlink()
    pipeline.run(Order(spec=SPEC, resume=True), copy)
    assert (copy / "report.html").exists()
    assert (copy / "student.kdp").read_bytes() == student


def test_report_again_from_what_is_kept(copy: Path) -> None:
    before = metrics(copy)
    (copy / "metrics.json").unlink()
    (copy / "report.html").unlink()
    render_again(copy)
    assert metrics(copy) == before
    assert "Decay of a sine" in (copy / "report.html").read_text()
    assert "u<sub>t</sub>" in (copy / "report.html").read_text()


@pytest.mark.usefixtures("_timed_before")
def test_an_interrupted_run_ends_as_an_uninterrupted_one(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted("asked to")

    with monkeypatch.context() as patch:
        patch.setattr(course, "distill", interrupted)
        with pytest.raises(Interrupted):
            pipeline.run(Order(spec=SPEC), tmp_path)
    with pytest.raises(RunFolderError, match="unfinished run"):
        pipeline.run(Order(spec=SPEC), tmp_path)
    pipeline.run(Order(spec=SPEC, resume=True), tmp_path)
    for name in ("teacher.kdp", "student.kdp", "student.onnx"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes()


def test_training_only_then_the_rest(tmp_path: Path) -> None:
    pipeline.run(Order(spec=SPEC, last="teacher"), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"teacher.kdp", "run"}
    pipeline.run(Order(spec=SPEC, last="student", resume=True), tmp_path)
    assert (tmp_path / "student.onnx").exists()
    assert not (tmp_path / "report.html").exists()


def test_students_of_a_given_teacher(finished: Path, tmp_path: Path) -> None:
    teacher = finished / "teacher.kdp"
    request = Request((str(teacher),))
    pipeline.run(Order(spec=SPEC, last="student", request=request), tmp_path)
    points = load_problem(SPEC).evaluation_points()
    given, taken = (kdpinn_runtime.load(p)(points) for p in (teacher, tmp_path / "teacher.kdp"))
    np.testing.assert_allclose(taken, given, atol=1e-6)


@pytest.mark.usefixtures("_timed_before")
def test_a_problem_without_reference(tmp_path: Path) -> None:
    result = pipeline.run(Order(spec=f"{FILE}:Blind", scratch=False), tmp_path)
    assert result.models["student"].rmse is None
    assert set(result.models) == {"teacher", "student"}
    page = (tmp_path / "report.html").read_text()
    assert "residual of student" in page
    assert metrics(tmp_path)["student"]["rel_l2"] is None  # type: ignore[index]


def test_unknown_preset() -> None:
    with pytest.raises(ValueError, match=r"no preset 'bst', it has quick"):
        recipe_of(load_problem(SPEC), "bst", 0)


def test_field_and_file_are_two_forms_of_one_network(finished: Path) -> None:
    problem = load_problem(SPEC)
    file = kdpinn_runtime.read(finished / "student.kdp")
    again = model_file(problem, field_of(file), card=file.card)
    for a, b in zip(file.layers, again.layers, strict=True):
        np.testing.assert_array_equal(a.weight, b.weight)
        np.testing.assert_array_equal(a.bias, b.bias)


def test_a_model_of_another_problem(finished: Path) -> None:
    model = kdpinn_runtime.load(finished / "student.kdp")
    laplace = load_problem("laplace")
    with pytest.raises(ValueError, match=r"x, t to u, Problem 'laplace' maps x, y to u"):
        on_grid(laplace, model, laplace.evaluation_points(), None)
