"""Domains near the largest numbers: an infinite input is refused wherever it stands in a batch."""

from dataclasses import replace

import numpy as np
import pytest
from kdp_samples import bare_model

from kdpinn_runtime import _core, load, pack

LARGEST = {np.float32: np.finfo(np.float32).max, np.float64: np.finfo(np.float64).max}


def model_on(lower, upper, isa):
    file = bare_model(sizes=(1, 4, 1))
    inputs = (replace(file.inputs[0], lower=lower, upper=upper),)
    return load(pack(replace(file, inputs=inputs)), isa=isa, outside="count")


@pytest.mark.parametrize("isa", _core.isas())
@pytest.mark.parametrize("dtype", LARGEST)
@pytest.mark.parametrize("n", [1, 2, 67])
def test_infinity_lies_outside_every_domain(isa, dtype, n):
    model = model_on(-1.7e308, 1.7e308, isa)
    x = np.full((n, 1), LARGEST[dtype], dtype)
    model(x)
    assert model.outside_count == 0
    for bad in (np.inf, -np.inf):
        x[n - 1] = bad
        with pytest.raises(ValueError, match=f"Row {n - 1} .*not finite"):
            model(x)
        with pytest.raises(ValueError, match=f"Row {n - 1} .*not finite"):
            model.jet(x)


@pytest.mark.parametrize("isa", _core.isas())
def test_a_point_is_outside_or_not_whatever_else_is_in_its_batch(isa):
    """In float32 the nearest number to the bound can lie beyond it; the count has to agree."""
    for step in range(50):
        upper = 1 + step * 3e-9
        edge = np.float32(upper + 1e-6 * (upper + 1))
        near = [np.nextafter(edge, np.float32(side)) for side in (0, 9)]
        x = np.array([edge, *near], np.float32)[:, None]
        alone = model_on(-1.0, upper, isa)
        for row in x:
            alone(row[None])
        together, beside = model_on(-1.0, upper, isa), model_on(-1.0, upper, isa)
        together(x)
        beside(np.concatenate([x, np.full((60, 1), 9.0, np.float32)]))
        assert together.outside_count == alone.outside_count == beside.outside_count - 60
