"""Every engine replays the baselines of a file, and sees a file that is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from export_samples import model
from map_samples import mapped_sample
from tied_samples import tied_model

from kdpinn_export.engine_model import verify_on
from kdpinn_export.engines import engine_of, known
from kdpinn_export.restating import restated
from kdpinn_runtime import load, pack

GPU = ("tensorrt", "cuda")
HERE = [name for name in known() if name not in GPU]


@pytest.fixture(params=HERE)
def engine(request):
    found = engine_of(request.param)
    if found.missing():
        pytest.skip(found.missing())
    return found


def sample(**options):
    return replace(model((2, 20, 20, 2), **options), targets=())


@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_a_good_file_passes_on_every_engine(engine, dtype):
    file = sample(dtype=dtype)
    verdict = verify_on(engine, file, pack(file), latency=False, seconds=0.0)
    assert verdict.passed, str(verdict)
    named = {check.name: check for check in verdict.checks}
    assert 0 < named["derivatives: error / bound"].measured <= 1
    assert named["known answers float32"].measured > 0
    assert named["equation momentum"].measured > 0
    if engine.name != "openvino":
        assert 0 < named["known answers float64"].measured < 1e-12


@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_relu_and_gelu_on_every_engine(engine, activation):
    """Fused, approximated or flushed to zero as they may be, they stay within their bounds."""
    file = sample(activation=activation)
    verdict = verify_on(engine, file, pack(file), latency=False, seconds=0.0)
    assert verdict.passed, str(verdict)


@pytest.mark.parametrize("file", [mapped_sample(), restated(tied_model("four", (9, 6)))])
def test_maps_and_ties_have_the_same_jets(engine, file):
    data = pack(file)
    opened = engine.open(file, data)
    points = np.array([[0.3] * len(file.inputs)] * 3, np.float32)
    names = [v.name for v in file.inputs]
    second = [(names[i], names[j]) for i, j in file.pairs]
    native = load(data, outside="count").jet(points, second).channels
    got = opened.jet(points).channels
    assert got.shape == native.shape
    assert np.allclose(got, native, rtol=0, atol=2e-4 * np.abs(native).max())


def test_wrong_answers_fail_on_every_engine(engine):
    file, other = sample(), sample(seed=1)
    wrong = replace(file, baseline=other.baseline)
    verdict = verify_on(engine, wrong, pack(wrong), latency=False, seconds=0.0)
    failed = {check.name for check in verdict.checks if check.passed is False}
    assert "known answers float32" in failed
    assert "derivatives: error / bound" not in failed


def test_latency_targets_are_measured(engine):
    file = model((2, 5, 1))
    verdict = verify_on(engine, file, pack(file), latency=True, seconds=0.01)
    timed = [check for check in verdict.checks if check.name.startswith("latency")]
    assert len(timed) == len(file.targets)
    assert all(check.measured > 0 for check in timed)


def test_unknown_engines_are_refused_by_name():
    with pytest.raises(ValueError, match=r"unknown engine 'abacus'; known are .*native"):
        engine_of("abacus")
