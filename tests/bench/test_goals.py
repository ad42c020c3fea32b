"""Goals against results whose figures are known."""

import json

import pytest
from samples_of_runs import all_values, cell, exactly, results, table, values

from kdpinn_bench.goals import GOALS, Figure, judge
from kdpinn_bench.suite import OURS


def verdict(name, run):
    (found,) = (v for v in judge(run) if v.goal.name.startswith(name))
    return found


def test_names_are_told_apart():
    assert len({goal.name for goal in GOALS}) == len(GOALS)


def test_nothing_measured_is_neither_reached_nor_missed():
    assert {v.reached for v in judge(results())} == {None}


def test_the_better_peer_of_each_cell_counts():
    tables = [values("A", 1, ort=2.0, openvino=8.0), values("B", 1, ort=9.0, openvino=4.5)]
    found = verdict("values: times as fast", results(values=tables))
    assert found.figure.value == pytest.approx(3.0)  # sqrt(2.0 * 4.5)
    assert found.reached is True
    assert found.figure.note == "2 of 16 cells"


def test_cells_lost():
    run = results(values=[values("A", 1, ort=0.9), values("A", 100), values("B", 1)])
    found = verdict("values: cells", run)
    assert (found.figure.value, found.reached, found.missed_by) == (1.0, False, 1.0)
    assert verdict("values: cells", results(values=all_values())).reached is True
    doubtful = results(values=[values("A", 1, ort=0.9, spread=0.2)])
    assert verdict("values: cells", doubtful).certain is False


def test_the_lowest_share_counts_and_only_of_large_batches():
    tables = [values("B", 100, share=0.1), values("B", 10_000, share=0.9)]
    tables += [values("B", 65_536, share=0.8), values("C", 65_536, share=0.5)]
    found = verdict("values: share of the FMA peak from 10000 points, B", results(values=tables))
    assert found.figure.value == 0.8
    assert found.missed_by == pytest.approx(0.06 / 0.86)
    assert found.figure.note == "lowest: B, 65536 points"
    narrow = verdict("values: share of the 256-bit peak", results(values=tables))
    assert (narrow.figure.value, narrow.reached) == (0.8, True)


def test_a_share_of_another_peak_is_no_answer():
    old = cell(OURS, 10_000, 1e-4, 1e-4, share=0.95, isa="avx2")
    run = results(values=[table("A", 10_000, [old])])
    assert verdict("values: share of the FMA peak from 10000 points, A", run).reached is None


def test_derivatives_against_each_rival():
    cells = [cell(OURS, 100, 1.0, 1.0), cell("onnxruntime", 100, 3.0, 1.0)]
    cells += [cell("torch autograd", 100, 7.0, 1.0)]
    run = results(derivatives=[table("A", 100, cells)])
    assert verdict("derivatives: times as fast as the ONNX", run).reached is True
    slow = verdict("derivatives: times as fast as nested", run)
    assert slow.reached is False
    assert slow.missed_by == pytest.approx(0.125)


def test_single_calls_of_the_smallest_network():
    def calls(net, bind):
        return table(net, 1, [cell("bind", 1, bind, bind), cell("call", 1, 0.9e-6, bind)])

    run = results(python=[calls("B", 9e-6), calls("A", 0.42e-6)])
    bind = verdict("one point from Python, A: bind", run)
    assert bind.reached is False
    assert bind.missed_by == pytest.approx(0.2)
    assert verdict("one point from Python, A: call", run).reached is True


def test_error_relative_to_onnxruntime():
    tables = [values("A", 10_000, error=1.5e-7), values("B", 65_536, error=3e-7)]
    tables += [values("B", 10_000, error=9e-7), values("C", 100, error=9e-7)]
    found = verdict("error", results(values=tables))
    assert found.figure.value == pytest.approx(3.0)  # B, where it was measured on most points
    assert found.reached is False


def test_two_threads():
    cells = [cell("2 threads", 65_536, 1.0, 1.0), cell("1 thread", 65_536, 1.9, 1.0)]
    assert verdict("two threads", results(threads=[table("A", 65_536, cells)])).reached is True


@pytest.mark.parametrize(("spread", "certain"), [(0.0, True), (0.01, True), (0.5, False)])
def test_a_limit_inside_the_interval_is_uncertain(spread, certain):
    run = results(values=[values("A", 1, ort=3.0, spread=spread)])
    assert verdict("values: times as fast", run).certain is certain


def test_verdicts_go_into_json():
    entry = json.loads(json.dumps([v.to_dict() for v in judge(results(values=all_values()))]))[0]
    assert entry["reached"] is False
    assert entry["figure"]["value"] == pytest.approx(2.0)
    assert entry["limit"] == 2.5
    assert entry["missed_by"] == pytest.approx(0.2)


def test_a_figure_is_what_it_says():
    assert Figure(*vars(exactly(2.0)).values()) == Figure(2.0, 2.0, 2.0)
