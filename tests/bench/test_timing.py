"""Timing against a clock that the candidates themselves advance."""

import gc
import os

import numpy as np
import pytest

from kdpinn_bench import Samples, Schedule, interleaved, noise, ratio, timing

QUICK = Schedule(rounds=12, min_rounds=12, min_batch_s=1e-3)


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still unless a candidate runs."""

    class Clock:
        now = 0.0
        log: list[str] = []  # noqa: RUF012  one test, one clock

        def lasting(self, name, seconds):
            def call():
                self.now += seconds
                self.log.append(name)

            return call

    clock = Clock()
    clock.log = []
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock.now)
    return clock


def test_time_per_call_and_batches(clock):
    calls = {"short": clock.lasting("short", 1e-5), "long": clock.lasting("long", 2e-3)}
    samples = interleaved(calls, QUICK)
    assert samples["short"].calls == 128  # 64 calls last 0.64 ms, too short
    assert samples["long"].calls == 1
    np.testing.assert_allclose(samples["short"].seconds, np.full(12, 1e-5), rtol=1e-6)
    np.testing.assert_allclose(samples["long"].seconds, np.full(12, 2e-3), rtol=1e-6)


def test_every_round_runs_everyone_in_changing_order(clock):
    names = ["a", "b", "c"]
    interleaved({n: clock.lasting(n, 1e-3) for n in names}, QUICK)
    rounds = np.array(clock.log[-36:]).reshape(12, 3)
    assert all(sorted(row) == names for row in rounds.tolist())
    assert len({tuple(row) for row in rounds.tolist()}) >= 3


def test_control_repeats_like_its_candidate(clock):
    samples = interleaved({"a": clock.lasting("a", 1e-4)}, QUICK, control="a")
    assert list(samples) == ["a", "control: a"]
    assert samples["a"].calls == samples["control: a"].calls
    assert noise(samples, "a") <= 1e-9


def test_budget_ends_the_rounds_but_not_before_the_least(clock):
    slow = {"a": clock.lasting("a", 1.0)}
    assert len(interleaved(slow, Schedule(budget_s=5.5))["a"].seconds) == 10
    assert len(interleaved(slow, Schedule(budget_s=20.5))["a"].seconds) == 21


def test_inputs_change_before_every_round_off_the_clock(clock):
    drawn = []

    def draw():
        clock.now += 7.0
        drawn.append(clock.now)

    samples = interleaved({"a": clock.lasting("a", 1e-3)}, QUICK, before_round=draw)
    assert len(drawn) == 12
    assert samples["a"].summary().p99 == pytest.approx(1e-3, rel=1e-6)


def test_collection_is_off_inside_and_restored():
    seen = []
    interleaved({"a": lambda: seen.append(gc.isenabled())}, Schedule(rounds=1, min_rounds=1))
    assert seen[-1] is False
    assert gc.isenabled()


def test_summary_of_known_samples():
    summary = Samples(np.array([3.0, 1.0, 2.0, 10.0, 4.0]), 8).summary()
    assert (summary.median, summary.mad, summary.minimum) == (3.0, 1.0, 1.0)
    assert summary.p99 == pytest.approx(10 - 0.04 * 6)  # linear between 4 and 10
    assert (summary.count, summary.calls) == (5, 8)
    assert summary.to_dict()["median_s"] == 3.0


def test_ratio_cancels_drift():
    drift = np.linspace(1.0, 3.0, 40)
    result = ratio(Samples(2.0 * drift, 1), Samples(drift, 1))
    assert (result.median, result.low, result.high) == (2.0, 2.0, 2.0)


def test_ratio_interval_covers_the_median_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        noisy = np.exp(0.3 * rng.normal(size=40))
        result = ratio(Samples(noisy, 1), Samples(np.ones(40), 1))
        covered += result.low <= 1.0 <= result.high
    # 40 samples, ranks rounded outwards: 96 % by the binomial distribution; 4 sigma = 25.
    assert 935 <= covered <= 990


def test_noise_is_the_reach_of_the_control():
    samples = {
        "a": Samples(np.ones(30), 1),
        "control: a": Samples(np.linspace(0.8, 1.1, 30), 1),
    }
    result = ratio(samples["control: a"], samples["a"])
    assert noise(samples, "a") == max(1 - result.low, result.high - 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"candidates": {}}, "at least one candidate"),
        ({"candidates": {"a": int}, "control": "b"}, "'b' is no candidate; candidates: a"),
    ],
)
def test_wrong_use_is_explained(arguments, message):
    with pytest.raises(ValueError, match=message):
        interleaved(**arguments)


@pytest.mark.parametrize("options", [{"min_rounds": 101}, {"min_batch_s": 0.0}])
def test_impossible_schedules_are_refused(options):
    with pytest.raises(ValueError, match="`Schedule` needs"):
        Schedule(**options)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system cannot pin threads")
def test_pinning_is_undone():
    before = os.sched_getaffinity(0)
    with timing.one_core() as core:
        assert os.sched_getaffinity(0) == {core}
    assert os.sched_getaffinity(0) == before
