"""Engines give the model's values; wrong ones are not timed."""

import json
from dataclasses import dataclass

import numpy as np
import pytest

from kdpinn_bench import Prepared, Schedule, default_engines, measure
from kdpinn_bench.cases import random_model
from kdpinn_bench.engine import best_chunked, chunks
from kdpinn_bench.engines import (
    Native,
    NativeCall,
    OnnxRuntime,
    OnnxRuntimeCall,
    OpenVino,
    TorchAutograd,
    TorchCompile,
    TorchEager,
)
from kdpinn_bench.truth import truth, with_one_pair, without_pairs
from kdpinn_export.taylor import evaluate
from kdpinn_runtime import _core

SHORT = Schedule(rounds=3, min_rounds=3, min_batch_s=1e-6)


@dataclass(frozen=True)
class Numpy:
    """An engine that adds `mistake` to the right values."""

    name: str
    mistake: float = 0.0

    def missing(self):
        return ""

    def prepare(self, model, x):
        def output():
            return evaluate(model, x, (), np.float32).value + np.float32(self.mistake)

        return Prepared(output, output, "numpy")


@dataclass(frozen=True)
class Broken(Numpy):
    def prepare(self, model, x):
        raise RuntimeError("no such instruction\nat line 3")


def check(engine, model, count, derivatives=False):
    """The engine's error at two contents of one buffer."""
    if engine.missing():
        pytest.skip(engine.missing())
    rng = np.random.default_rng(count)
    x = rng.uniform(-1, 1, (count, len(model.inputs))).astype(np.float32)
    prepared = engine.prepare(model, x)
    for _ in range(2):
        error, ratio = truth(model, x, derivatives=derivatives).error_of(prepared.output())
        assert ratio <= 1.0, (engine.name, error)
        x[:] = rng.uniform(-1, 1, x.shape)  # a bound engine reads what is there now


ENGINES = [
    Native(),
    Native("avx2", "avx2"),
    NativeCall(),
    NativeCall(threads=2),
    OnnxRuntime(),
    OnnxRuntimeCall(),
    OpenVino(),
    TorchEager(),
]


@pytest.mark.parametrize("count", [1, 17, 1030, 4100])
@pytest.mark.parametrize("sizes", [(2, 20, 20, 1), (3, 9, 2)])
@pytest.mark.parametrize("engine", ENGINES, ids=lambda e: f"{e.name}-{getattr(e, 'threads', 1)}")
def test_engines_agree_with_float64(engine, sizes, count):
    check(engine, random_model(sizes, "silu"), count)


@pytest.mark.parametrize("count", [1, 700])
@pytest.mark.parametrize("sizes", [(2, 20, 20, 1), (3, 9, 2)])
@pytest.mark.parametrize(
    "engine",
    [
        Native(derivatives=True),
        OnnxRuntime(derivatives=True),
        OpenVino(derivatives=True),
        TorchAutograd(),
    ],
    ids=lambda e: e.name,
)
def test_derivatives_agree_with_float64(engine, sizes, count):
    check(engine, with_one_pair(random_model(sizes, "tanh")), count, derivatives=True)


@pytest.mark.parametrize("freezing", [True, False])
@pytest.mark.slow
def test_compiled_torch_agrees_with_float64(freezing):
    check(TorchCompile(freezing=freezing), random_model((2, 20, 20, 1)), 100)


def test_the_best_path_is_no_second_path():
    best, *others = _core.isas()
    assert "no second path here" in Native("ours", best).missing()
    assert all(Native("ours", isa).missing() == "" for isa in others)


def test_truth_judges_every_point():
    model = random_model((2, 5, 1))
    x = np.random.default_rng(0).uniform(-1, 1, (3000, 2)).astype(np.float32)
    expected = truth(model, x)
    right = expected.values.astype(np.float32)
    assert expected.error_of(right)[1] <= 1.0
    row = np.setdiff1d(np.arange(3000), expected.rows)[0]  # a point without a bound of its own
    right[row] += 1e-3
    error, ratio = expected.error_of(right)
    assert error == pytest.approx(1e-3, rel=1e-3)
    assert ratio > 1.0


def test_one_pair():
    model = random_model((2, 5, 1))
    assert model.pairs == without_pairs(model).pairs == ()
    assert with_one_pair(model).pairs == ((0, 0),)


def test_wrong_and_failing_engines_are_not_timed():
    model = random_model((2, 5, 1))
    engines = [Numpy("right"), Numpy("wrong", 1e-2), Numpy("nan", np.nan), Broken("broken")]
    table = measure(model, points=(3, 40), engines=engines, schedule=SHORT)
    assert set(table.median_ms()) == {"right"}
    assert set(table.median_ms()["right"]) == {"3", "40"}
    assert all(ms > 0 for ms in table.p99_ms()["right"].values())
    notes = {cell.engine: cell.note for cell in table.cells}
    assert notes["right"] == "numpy"
    assert "times the bound" in notes["wrong"]
    assert notes["nan"].startswith("wrong")
    assert notes["broken"] == "failed: no such instruction"
    json.dumps(table.to_dict(), allow_nan=False)


def test_a_table_without_a_right_engine_is_still_a_table():
    table = measure(random_model((2, 5, 1)), points=(3,), engines=[Broken("b")], schedule=SHORT)
    assert table.median_ms() == {}
    json.dumps(table.to_dict(), allow_nan=False)


def test_table_tells_what_and_where():
    model = random_model((2, 20, 20, 1))
    engines = [Numpy("one"), Numpy("two")]
    table = measure(model, points=(5,), engines=engines, schedule=SHORT)
    assert table.scenario == "random/2-20x2-1/f32/1thread/warm"
    assert measure(model, points=(1,), engines=engines[:1], schedule=SHORT, name="b").scenario == (
        "b/2-20x2-1/f32/1thread/warm"
    )
    content = table.to_dict()
    assert content["machine"]["threads"] == 1
    assert len(content["cells"][0]["samples_s"]) == 3
    assert content["cells"][1]["slowdown"]["low"] <= content["cells"][1]["slowdown"]["high"]
    assert content["noise"]["5"] >= 0


def test_default_engines_start_with_ours():
    names = [engine.name for engine in default_engines()]
    assert names[:2] == ["kdpinn-runtime", "onnxruntime"]
    assert "torch.compile" not in names
    assert default_engines(compile_too=True)[-1].name == "torch.compile"


def test_chunks_cover_everything_once():
    parts = list(chunks(10, 4))
    assert [(p.start, p.stop) for p in parts] == [(0, 4), (4, 8), (8, 10)]


def test_the_best_chunk_is_taken():
    now = [0.0]
    cost = {5000: 5.0, 4096: 4.0, 2048: 2.0, 1024: 3.0, 512: 6.0}

    def make(size):
        def call():
            now[0] += cost[size]

        return Prepared(call, lambda: np.full((1, 1), float(size)), "bound")

    best = best_chunked(5000, make, clock=lambda: now[0])
    assert best.output()[0, 0] == 2048
    assert best.note == "bound, fed 2048 points at a time"
    assert best_chunked(500, make).note == "bound"


def test_an_output_of_another_shape_is_refused():
    expected = truth(random_model((2, 5, 1)), np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match=r"shape \(4, 1\), got \(4,\)"):
        expected.error_of(np.zeros(4, np.float32))
