"""The browser benchmark's figures from known times."""

import pytest

pytest.importorskip("playwright", reason="needs the extra `dev`")
from kdpinn_bench import browser


def test_frames_a_second_are_those_between_the_stamps():
    assert browser.rates([0.0, 10.0, 20.0, 30.0]) == 100.0
    assert browser.rates([5.0, 1005.0]) == 1.0


def test_spread_and_table():
    times = [float(k) for k in range(1, 11)]
    spread = browser._spread(times[::-1])
    assert spread == {"median": 5.5, "min": 1.0, "p90": 10.0, "count": 10}
    rounds = [{"frames_per_second": 61.0, "evaluated_ms": spread, "colored_ms": spread}] * 2
    assert browser.table({"quantities": {"u": rounds, "u_x": rounds}}).row_count == 4
