"""The whole run, with tiny budgets: what it measures, prints, writes and survives."""

import gzip
import json
from io import StringIO

import numpy as np
import pytest
from rich.console import Console
from samples_of_runs import all_values, condition, results, values

from kdpinn_bench import command, picture, record, suite, tables
from kdpinn_bench.cases import random_model
from kdpinn_bench.conditions import CONDITIONS, conditions
from kdpinn_bench.instructions import Instructions
from kdpinn_bench.suite import Order, Step, run_suite


def text_of(run):
    console = Console(file=StringIO(), width=160)
    tables.show(run, console)
    return console.file.getvalue()


def tiny(**settings):
    return Order(models={"A": random_model((2, 5, 1))}, points=(1, 100), seconds=0.0, **settings)


def test_a_run_of_every_quick_section(tmp_path):
    seen = []
    order = tiny(engines=("native", "onnxruntime", "torch"))
    run = run_suite(order, lambda done, total, label: seen.append((done, total, label)))
    assert run.complete
    assert list(run.sections) == list(suite.QUICK_SECTIONS)
    assert [m.points for m in run.tables("values")] == [1, 100]
    assert [m.points for m in run.tables("derivatives")] == [100]
    assert seen[0] == (0, 10, "values A, 1 points")
    assert seen[-1] == (10, 10, "done")
    text = text_of(run)
    for part in ("torch autograd", "onnxruntime run", "1 thread", "shared core", "not measured"):
        assert part in text
    record.write(tmp_path / "run.json.gz", run)
    found = json.loads(gzip.decompress((tmp_path / "run.json.gz").read_bytes()))
    assert found["machine"]["cpu"] == run.machine["cpu"]
    cells = found["values"][1]["cells"]
    assert [c["engine"] for c in cells] == [suite.OURS, "onnxruntime", "torch eager"]
    assert len(cells[0]["samples_s"]) == cells[0]["rounds"] >= 7
    assert cells[0]["share_of_peak"]["best"] > 0
    assert len(found["goals"]) == 15


def test_an_interrupt_keeps_what_is_finished(monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    def steps(order):
        yield Step("values", "first", lambda: [values("A", 1)])
        yield Step("values", "second", interrupted)
        yield Step("values", "third", lambda: [values("A", 100)])

    monkeypatch.setattr(suite, "steps", steps)
    run = run_suite(tiny())
    assert not run.complete
    assert [m.points for m in run.tables("values")] == [1]
    assert "interrupted" in text_of(run)
    assert record.to_dict(run)["complete"] is False


def test_orders_from_words():
    order = command.make_order([], nets="A, B", engines="native,torch", points="1,10_000")
    assert (list(order.models), order.engines) == (["A", "B"], ("native", "torch"))
    assert order.points == (1, 10_000)
    assert "instructions" not in order.sections
    full = command.make_order([], full=True)
    assert list(full.models) == ["A", "B", "C", "D"]
    assert "instructions" in full.sections
    assert {"compile", "compile-frozen"} <= set(full.engines)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"engines": ("caffe",)}, "no engine 'caffe'"),
        ({"sections": ()}, "no section nothing"),
        ({"points": (0,)}, "1 .. 16777216"),
        ({"models": {}}, "at least one network"),
    ],
)
def test_impossible_orders(settings, message):
    with pytest.raises(ValueError, match=message):
        Order(**{"models": {"A": random_model((2, 5, 1))}, **settings})


def test_absent_engines_are_named(monkeypatch):
    monkeypatch.setattr("kdpinn_bench.engines.find_spec", lambda name: None)
    assert dict(suite.absent(("openvino", "native"))) == {
        "openvino": "openvino is not installed: make bench installs it"
    }


def test_sections_without_an_engine_are_left_out(monkeypatch):
    monkeypatch.setattr("kdpinn_bench.engines.find_spec", lambda name: None)
    run = run_suite(tiny(engines=("openvino",), sections=("values", "derivatives")))
    assert run.complete
    assert run.sections == {}
    assert "openvino is not installed" in text_of(run)
    assert not list(suite.steps(tiny(engines=("compile",), sections=("derivatives",))))


def test_tables_say_what_was_reached_and_what_was_missed():
    run = results(
        values=all_values(ort=2.7),
        conditions=[condition(), condition(misses=7)],
        instructions=[Instructions(net="A", per_point=493.0, isa="avx2", tool="valgrind")],
    )
    text = text_of(run)
    assert "7 of 0.05 ms" in text
    assert "493.0" in text
    assert "2.70 (2.70-2.70)" in text
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    speed = "values: times as fast as the better of onnxruntime and OpenVINO, geometric mean"
    assert "reached" in lines[speed]
    share = "values: share of the FMA peak from 10000 points, D"
    assert "missed by 2.2 %" in lines[share]


def test_a_busy_machine_is_told():
    run = results(values=[values("A", 1)])
    assert "busy" not in text_of(run)
    run.machine["load_before"] = 3.0
    assert "was busy" in text_of(run)


@pytest.mark.parametrize(
    ("value", "text"),
    [(3.2e-7, "0.32 us"), (4.5e-3, "4.5 ms"), (2.0, "2 s"), (9.999e-4, "999.9 us")],
)
def test_times_are_readable(value, text):
    assert tables.seconds(value) == text


def test_a_record_is_exact_to_five_digits_and_repeats(tmp_path):
    run = results(values=[values("A", 1, ort=1 / 3)])
    for name in ("a.json", "b.json"):
        record.write(tmp_path / name, run)
    content = (tmp_path / "a.json").read_bytes()
    assert content == (tmp_path / "b.json").read_bytes()
    cells = json.loads(content)["values"][0]["cells"]
    assert cells[2]["slowdown"]["median"] == 0.33333
    assert "machine" not in json.loads(content)["values"][0]


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_pictures(tmp_path, suffix):
    path = tmp_path / f"latency{suffix}"
    picture.draw(results(values=all_values()), path)
    assert path.stat().st_size > 10_000
    if suffix == ".svg":
        first = path.read_bytes()
        picture.draw(results(values=all_values()), path)
        assert path.read_bytes() == first
    picture.draw(results(values=[values("A", 1)]), path)  # one point, one network


def test_pictures_of_unknown_kind_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.svg.*bmp"):
        picture.draw(results(values=all_values()), tmp_path / "a.bmp")


def test_conditions_count_misses():
    model = random_model((2, 5, 1))
    rows = list(conditions(model, "A", 0.01))
    assert {(r.caches, r.company) for r in rows} <= set(CONDITIONS)
    assert {r.timing.points for r in rows} == {target.points for target in model.targets}
    for row in rows:
        assert 0 <= row.misses <= row.timing.count
        times = [ms for _, ms in row.curve]
        assert times == sorted(times)
        assert np.isclose(times[-1], row.timing.max_ms)
