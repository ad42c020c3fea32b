"""Operations counted by hand, and shares of a peak that is known."""

import numpy as np
import pytest

from kdpinn_bench import peak
from kdpinn_bench.cases import random_model, tied_model
from kdpinn_bench.instructions import count_instructions
from kdpinn_bench.timing import Samples
from kdpinn_bench.truth import with_one_pair
from kdpinn_runtime import _core

VECTOR_ISAS = [isa for isa in _core.isas() if isa != "scalar"]


def test_operations_of_a_small_network():
    model = random_model((2, 5, 3))
    assert peak.operations(model, 7) == 2 * 7 * (2 * 5 + 5 * 3)
    # value, two first derivatives, one second: four channels from the second layer on
    assert peak.operations(with_one_pair(model), 7, derivatives=True) == 2 * 7 * (10 + 4 * 15)


def test_ties_save_products_in_hidden_layers_only():
    four = tied_model(hidden=3, generators=2, width=16)
    assert peak.operations(four, 1) == 2 * (2 * 16 + 2 * 16 * 16 // 4 + 16)


@pytest.mark.parametrize(("earlier", "scale"), [(9.0, 1.0), (0.5, 0.5)])
def test_share_is_of_the_fastest_burst(monkeypatch, earlier, scale):
    monkeypatch.setattr(peak, "burst_operations", lambda isa: 1000)
    monkeypatch.setattr(peak, "fastest_burst", lambda isa: earlier)
    bursts, own = Samples(np.array([1.0, 3.0, 1.5]), 1), Samples(np.array([4.0, 2.0, 8.0]), 1)
    # Half of the operations: in twice the time a quarter of the rate, in four times an eighth.
    assert peak.share(500, "avx2", bursts, own) == peak.Share(0.25 * scale, 0.125 * scale)


@pytest.mark.parametrize("isa", VECTOR_ISAS)
def test_the_fastest_burst_is_measured_once(isa):
    first = peak.fastest_burst(isa)
    assert 0 < first < float("inf")
    assert peak.fastest_burst(isa) == first


@pytest.mark.parametrize("isa", VECTOR_ISAS)
def test_bursts_count_their_operations(isa):
    lanes = {"avx512": 16, "avx2": 8, "neon": 4}[isa]
    assert _core.fma_burst(isa, "f32", 10) == 2 * 12 * lanes * 10
    assert _core.fma_burst(isa, "f64", 10) == 12 * lanes * 10
    peak.burst(isa)()


def test_paths_without_a_peak():
    assert peak.burst("scalar") is None
    with pytest.raises(ValueError, match="'scalar'"):
        peak.fastest_burst("scalar")
    with pytest.raises(ValueError, match="instruction set"):
        _core.fma_burst("mmx", "f32", 1)


@pytest.mark.slow
def test_instruction_counts_repeat_exactly():
    found = [count_instructions(random_model((2, 20, 20, 20, 1)), "A") for _ in range(2)]
    if found[0].per_point is None:
        pytest.skip(found[0].tool)
    assert found[0] == found[1]
    assert 100 < found[0].per_point < 5000
    assert np.isfinite(found[0].per_point)
