"""The search for a student: its record, its workers and their deaths, its front."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from search_work import dies_once, refuses_width_four

import kdpinn_runtime
from kdpinn.plan import Order
from kdpinn.search import SearchOrder, Space, pareto, search
from kdpinn.search.space import numbers
from kdpinn.search.study import MOST_LOSSES, Study
from kdpinn.search.workers import DaskWorkers, Ended, LocalWorkers, place

pytest.importorskip("optuna")
HERE = Path(__file__).parent
SPACE = Space(depths=(1, 2), widths=(3, 4))


@pytest.fixture
def wanted(tmp_path, monkeypatch) -> SearchOrder:
    file = tmp_path / "problem.py"
    shutil.copy(HERE / "tiny_problem.py", file)
    paths = [str(HERE), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    order = Order(spec=f"{file}:Decay")
    return SearchOrder(order=order, trials=4, space=SPACE, iterations=5)


class Inside:
    """Workers in this very process; `accidents` are the trials whose worker is lost."""

    def __init__(self, capacity: int, work, accidents=()) -> None:
        self.capacity, self.work, self.accidents = capacity, work, list(accidents)
        self.waiting = []

    def submit(self, number, job):
        assert len(self.waiting) < self.capacity
        self.waiting.append((number, job))

    def next(self) -> Ended:
        number, job = self.waiting.pop()
        if number in self.accidents:
            return Ended(number=number, lost=True)
        try:
            return Ended(number=number, found=self.work(job))
        except ValueError as error:
            return Ended(number=number, failure=str(error))

    def close(self):
        self.waiting.clear()


def architectures(rows) -> list[tuple[int, int]]:
    return sorted((row["depth"], row["width"]) for row in rows)


def test_all_architectures_are_tried_once_and_no_more(wanted, tmp_path):
    order = replace(wanted, trials=9)
    found = search(order, tmp_path / "out", lambda: Inside(3, refuses_width_four, [1]))
    assert architectures(found.rows) == [(1, 3), (2, 3), (2, 4)]
    whys = sorted(row["why"] for row in found.failures)
    assert whys == ["its worker was lost", "no width of four"]
    stored = json.loads((tmp_path / "out" / "search.json").read_text())
    assert stored["front"] == [dict(row) for row in found.front]
    for row in found.rows:
        path = tmp_path / "out" / row["file"]
        assert path.stat().st_size == row["bytes"]
        model = kdpinn_runtime.load(path)
        assert [v.name for v in model.inputs] == ["x", "t"]


def test_a_search_goes_on_where_it_ended(wanted, tmp_path):
    out = tmp_path / "out"
    first = search(replace(wanted, trials=2), out, lambda: Inside(1, refuses_width_four))
    again = replace(wanted, trials=3, order=replace(wanted.order, resume=True))
    second = search(again, out, lambda: Inside(1, refuses_width_four))
    assert len(first.rows) == 2
    assert len(second.rows) == 3
    assert [r["error"] for r in second.rows[:2]] == [r["error"] for r in first.rows]
    assert len(set(architectures(second.rows))) == 3


def test_a_teacher_may_come_from_an_earlier_search(wanted, tmp_path):
    one = replace(wanted, trials=1)
    first = search(one, tmp_path / "a", lambda: Inside(1, refuses_width_four))
    given = replace(one, teacher=tmp_path / "a" / "teacher.kdp")
    second = search(given, tmp_path / "b", lambda: Inside(1, refuses_width_four))
    assert not (tmp_path / "b" / "run" / "teacher.jsonl").exists()
    # The file holds float32: the students differ by the teacher's rounding.
    assert second.rows[0]["error"] == pytest.approx(first.rows[0]["error"], rel=0.2)


def test_no_teacher_is_trained_before_there_are_workers(wanted, tmp_path):
    def none():
        raise ValueError("no cluster")

    with pytest.raises(ValueError, match="no cluster"):
        search(wanted, tmp_path / "out", none)
    assert not (tmp_path / "out" / "teacher.kdp").exists()


def test_running_trials_of_a_dead_search_are_tried_again_first(tmp_path):
    journal = tmp_path / "study.journal"
    study = Study(journal, SPACE, 0)
    asked = [study.ask() for _ in range(2)]
    revived = Study(journal, SPACE, 0)
    assert len(revived.failures()) == 2
    again = [revived.ask() for _ in range(4)]
    assert {a for _, a in again[:2]} == {a for _, a in asked}
    assert len({a for _, a in again}) == 4
    assert revived.ask() is None


def test_an_architecture_that_loses_every_worker_is_given_up(tmp_path):
    study = Study(tmp_path / "study.journal", Space(depths=(1,), widths=(3,)), 0)
    for _ in range(MOST_LOSSES):
        number, _ = study.ask()
        study.lost(number)
    assert study.ask() is None


def complete(found, trials: int) -> None:
    assert len(found.rows) == trials
    assert len(set(architectures(found.rows))) == trials
    assert all(0 < row["error"] < 2 for row in found.rows)


def test_a_killed_process_is_noticed_and_its_trial_repeated(wanted, tmp_path):
    one = replace(wanted, trials=1)
    found = search(one, tmp_path / "out", lambda: LocalWorkers(1, dies_once))
    complete(found, 1)
    assert (tmp_path / "problem.died").exists()
    assert [row["why"] for row in found.failures] == ["its worker was lost"]


@pytest.mark.filterwarnings("ignore")
def test_a_dask_cluster_survives_the_death_of_a_worker(wanted, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        found = search(wanted, tmp_path / "out", lambda: DaskWorkers(address, dies_once))
    complete(found, 4)
    assert (tmp_path / "problem.died").exists()
    # The scheduler itself gave the trial to another worker: nothing was lost, nothing ran twice.
    assert found.failures == ()


def test_front_holds_what_nothing_dominates():
    def row(error: float, latency: float, size: int) -> dict:
        return {"error": error, "latency_us": latency, "bytes": size}

    good = [row(1, 5, 5), row(2, 4, 5), row(3, 3, 1), row(3, 3, 1)]
    bad = [row(1, 5, 6), row(2, 5, 5), row(4, 3, 1)]
    assert pareto([*bad, *good]) == good
    assert pareto([]) == []


def test_numbers_of_a_space():
    assert numbers("2,3") == (2, 3)
    assert numbers("4-10:3, 1") == (1, 4, 7, 10)
    with pytest.raises(ValueError, match=r"'4-' is no list"):
        numbers("4-")
    with pytest.raises(ValueError, match=r"Space\.widths.*got \(\)"):
        Space(widths=numbers("9-4"))


def test_wrong_use_is_told(monkeypatch):
    with pytest.raises(ValueError, match="trials >= 1, got 0"):
        SearchOrder(order=Order(spec="burgers"), trials=0)
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ValueError, match=r"needs dask.*kdpinn\[search\]"):
        place(1, "tcp://127.0.0.1:1")
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ValueError, match=r"needs optuna.*kdpinn\[search\]"):
        Study(Path("unused"), SPACE, 0)
