"""The suite's picture and table, from baselines that hold known figures."""

import pytest

from kdpinn_bench import baselines, frontier


def network(parameters, rel_l2, **more):
    return {"parameters": parameters, "rel_l2": rel_l2, "file_bytes": 10 * parameters} | more


def run(error, **more):
    return {
        "teacher": network(900, 1e-6),
        "students": [network(100, 3e-3), network(261, error)],
        "student": network(261, error, matched=error * 1.5, tuned=error),
        "scratch": network(261, 0.5),
        "seconds": 61.4,
        "latency_ms": {"kdpinn-runtime": {"10000": 0.2}},
        "teacher_latency_ms": {"torch eager": {"10000": 9.0}},
    } | more


@pytest.fixture
def folder(tmp_path):
    runs = [run(1e-4), run(3e-4), run(2e-4)]
    baselines.write("laplace", {"quick": {"runs": runs}, "best": {"runs": runs[:1]}}, tmp_path)
    baselines.write("poisson", {"best": {"runs": runs}}, tmp_path)
    return tmp_path


def test_rows_have_median_and_worst(folder):
    suite = frontier.stored("quick", folder)
    assert list(suite) == ["laplace"]
    assert frontier.table(suite, "quick").splitlines()[-1] == (
        "| laplace, quick | 3 | 900: 1.0e-6 (1.0e-6) | 261: 2.0e-4 (3.0e-4) | "
        "3.0e-4 (4.5e-4) / 2.0e-4 (3.0e-4) | 5.0e-1 (5.0e-1) | 2.6 kB | 45 × | 61 s |"
    )
    assert "| 261: 1.0e-4 |" in frontier.table(frontier.stored("best", folder), "best")


def test_a_run_without_the_newer_figures_has_dashes():
    old = run(1e-4)
    del old["teacher_latency_ms"], old["scratch"], old["student"]["tuned"]
    row = frontier.table({"laplace": [old]}, "best").splitlines()[-1]
    assert "| 1.5e-4 / – | – | 2.6 kB | – | 61 s |" in row


def test_the_picture_shows_every_network(folder):
    figure = frontier.draw(frontier.stored("best", folder))
    left, right = figure.axes
    for axes in (left, right):
        # Teacher, students (joined) and scratch of two problems.
        assert sorted(len(line.get_xdata()) for line in axes.lines) == [1, 1, 1, 1, 2, 2]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["laplace", "poisson"]
