"""Several runs side by side: what is read from them, the page, and the command for all problems."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kdpinn import pipeline, run_all
from kdpinn.cli import app
from kdpinn.comparison import read_runs
from kdpinn.plan import Order
from kdpinn.problems import load_problem
from kdpinn.report import compare

SPEC = f"{Path(__file__).with_name('tiny_problem.py')}:Decay"


def model(parameters: int, rel_l2: float | None, **more: object) -> dict[str, object]:
    facts = {"parameters": parameters, "rel_l2": rel_l2, "rmse": rel_l2, "file_bytes": 999}
    return facts | more


def store(folder: Path, **changes: object) -> Path:
    metrics = {
        "problem": "decay",
        "preset": "quick",
        "seed": 3,
        "seconds": 61.5,
        "teacher": model(1341, 1e-5, found={"rate": 0.5}),
        "student": model(261, 2e-4),
        "students": [model(109, 3e-3), model(261, 2e-4)],
        "scratch": model(261, 4e-3),
        "latency_ms": {"kdpinn-runtime": {"10000": 0.25}, "torch eager": {"10000": 2.0}},
        "teacher_latency_ms": {"torch eager": {"10000": 12.5}},
        "verify": {"passed": True},
    }
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(metrics | changes))
    return folder


def test_a_run_is_read_with_the_speedup_over_its_teacher(tmp_path: Path) -> None:
    (run,) = read_runs([store(tmp_path / "a")])
    assert run.speedup == 12.5 / 0.25
    together = {"torch eager": {"10000": 12.5}, "student": {"10000": 0.5}}
    (run,) = read_runs([store(tmp_path / "b", teacher_latency_ms=together)])
    assert run.speedup == 12.5 / 0.5  # timed in the same rounds, that is the pair
    assert [n.role for n in run.networks] == ["teacher", "student", "student", "scratch"]
    student = run.network("student")
    assert student is not None
    assert (student.parameters, student.latency_ms) == (261, 0.25)
    assert run.found == {"rate": 0.5}


class Checker(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_shows_every_run_and_is_whole(tmp_path: Path) -> None:
    store(tmp_path / "runs" / "a")
    store(tmp_path / "runs" / "b", problem="<heat>", students=[], verify={"passed": False})
    store(tmp_path / "c", teacher=model(9, None), latency_ms={}, verify={})
    page = compare(read_runs([tmp_path / "runs", tmp_path / "c"]))
    checker = Checker()
    checker.feed(page.replace("<!doctype html>", ""))
    assert checker.open == []
    assert "&lt;heat&gt;" in page
    assert "<heat>" not in page
    assert page.count('class="ok">pass') == page.count('class="bad">fail') == 1
    assert "50 ×" in page
    assert "3 runs, 2 problems" in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "")


def test_folders_without_runs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no finished run"):
        read_runs([tmp_path])
    (tmp_path / "metrics.json").write_text('{"problem": 1}')
    with pytest.raises(ValueError, match=r"is no metrics\.json of a run"):
        read_runs([tmp_path])


def test_command_compares_folders(tmp_path: Path) -> None:
    store(tmp_path / "runs" / "a")
    done = CliRunner().invoke(app, ["report", str(tmp_path / "runs")])
    assert done.exit_code == 0
    assert "1 run, 1 problem" in (tmp_path / "runs" / "report.html").read_text()
    page = tmp_path / "new" / "page.html"
    done = CliRunner().invoke(
        app, ["report", str(tmp_path / "runs" / "a"), str(tmp_path / "runs"), "--out", str(page)]
    )
    assert done.exit_code == 0
    assert "2 runs" in page.read_text()
    assert CliRunner().invoke(app, ["report", str(tmp_path / "none")]).exit_code == 2


def test_all_problems_run_and_one_failure_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_problem(SPEC)
    problems = (first, first.replace(name="bad"), first.replace(name="last"))
    monkeypatch.setattr(run_all, "available", lambda: problems)
    ran = []

    def run(order: Order, out: Path, console: object) -> None:
        ran.append((order.spec, order.seed))
        if order.spec == "bad":
            raise ValueError("nothing works")
        store(out, problem=order.spec)

    monkeypatch.setattr(run_all, "run", run)
    with pytest.raises(RuntimeError, match=r"1 of 3 runs failed(?s:.*)bad: nothing works"):
        run_all.run_all(Order(spec="all", seed=5), tmp_path)
    assert ran == [("decay", 5), ("bad", 5), ("last", 5)]
    assert "2 runs, 2 problems" in (tmp_path / "report.html").read_text()


def test_teacher_is_timed_in_torch_for_the_speedup(tmp_path: Path) -> None:
    from kdpinn.shipping import model_file
    from kdpinn.teacher import new_field
    from kdpinn_runtime import write

    problem = load_problem(SPEC)
    teacher, student = tmp_path / "teacher.kdp", tmp_path / "student.kdp"
    for path, hidden in ((teacher, (9, 9)), (student, (5,))):
        write(path, model_file(problem, new_field(problem, hidden, "tanh", 0)))
    found = pipeline.measure_teacher(teacher, student, 0.02)
    assert set(found) == {"student", "torch eager", "torch eager, float64"}
    assert all(0 < times["10000"] < 1e4 for times in found.values())
