"""Estimates against the runtime's own answers."""

import numpy as np
import pytest
from kdp_samples import sample
from twin_samples import family

from kdpinn.twin.estimates import KEPT, Estimates, unmeasured
from kdpinn.twin.messages import Reading
from kdpinn_runtime import load, pack


def test_parameters_are_the_inputs_that_nothing_differentiates_by():
    assert unmeasured(family()) == ("y",)
    assert unmeasured(sample()) == ()


def test_readings_stand_beside_the_model():
    model = load(pack(sample()))
    twin = Estimates(model, noise={"u": 0.1})
    twin.take([Reading(at={"x": 0.25, "t": 0.5}, values={"u": 0.3})])
    twin.take([Reading(at={"x": -0.5, "t": 0.75}, values={"u": 0.1}, sigma=0.02)])
    said = twin.message()
    want = model(np.array([(0.25, 0.5), (-0.5, 0.75)]))[:, 0]
    assert [r["model"]["u"] for r in said["readings"]] == want.tolist()
    assert [r["off"]["u"] for r in said["readings"]] == [
        (0.3 - want[0]) / 0.1,
        (0.1 - want[1]) / 0.02,
    ]
    assert said["parameters"] == []


def test_an_unmeasured_input_is_found():
    """Exact readings with a small stated noise: the truth lies well within the interval."""
    model = load(pack(family()))
    twin = Estimates(model, ["y"])
    assert (twin.known, twin.outputs) == (("x", "t"), ("u",))
    rng, truth = np.random.default_rng(0), 3.4
    places = rng.uniform((-1, 0), (1, 1), (30, 2))
    values = model(np.column_stack([places, np.full(30, truth)]))[:, 0]
    twin.take([
        Reading(at={"x": x, "t": t}, values={"u": u}, sigma=1e-3)
        for (x, t), u in zip(places, values)
    ])  # fmt: skip
    said = twin.message()
    (y,) = said["parameters"]
    assert y["name"] == "y"
    assert y["interval"][0] <= truth <= y["interval"][1]
    assert y["interval"][1] - y["interval"][0] < 1.5  # of the domain's 3
    assert max(abs(r["off"]["u"]) for r in said["readings"]) < 1


def test_only_the_last_readings_are_kept():
    twin = Estimates(load(pack(sample())))
    for k in range(3):
        readings = [Reading(at={"x": 0.0, "t": 0.5}, values={"u": float(k)})] * 100
        twin.take(readings)
    said = twin.message()["readings"]
    assert len(said) == KEPT
    assert {r["values"]["u"] for r in said} == {1.0, 2.0}


@pytest.mark.parametrize(
    ("unknown", "noise", "message"),
    [
        (["nu"], None, "inputs are x, t, y; nu cannot be estimated"),
        (["x", "t", "y"], None, r"All inputs \(x, t, y\)"),
        ([], {"u": -1.0}, "noise of u must be a number > 0, got -1"),
        ([], {"u": float("nan")}, "noise of u must be a number > 0, got nan"),
    ],
)
def test_wrong_settings_are_refused(unknown, noise, message):
    with pytest.raises(ValueError, match=message):
        Estimates(load(pack(family())), unknown, noise)
