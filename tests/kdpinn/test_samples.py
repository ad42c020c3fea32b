import numpy as np
import pytest

from kdpinn import Box, Problem
from kdpinn.physics import collocation
from kdpinn.problems import Samples
from kdpinn.shipping import model_file
from kdpinn.teacher import new_field

POINTS = np.random.default_rng(0).random((60, 2))
SAMPLES = Samples(POINTS, np.sin(POINTS[:, :1]) + POINTS[:, 1:])


def table(**changes):
    arguments = {
        "name": "table",
        "domain": Box(x=(0, 1), y=(0, 1)),
        "fields": ("u",),
        "reference": SAMPLES,
    }
    return Problem(**{**arguments, **changes})


def test_samples_are_the_evaluation_grid_and_the_collocation_points():
    problem = table()
    assert np.array_equal(problem.evaluation_points(), POINTS)
    assert np.array_equal(problem.reference_at(POINTS[5:9]), SAMPLES.values[5:9])
    drawn = collocation(problem, 20, seed=1).numpy()
    assert len(np.unique(drawn, axis=0)) == 20
    assert {tuple(row) for row in drawn} <= {tuple(row) for row in POINTS}
    assert len(collocation(problem, 500, seed=1)) == 60


def test_a_model_file_carries_some_of_the_samples():
    problem = table()
    file = model_file(problem, new_field(problem, (4,), "tanh", 0), points=16)
    assert file.baseline.points.shape == (16, 2)
    rows = [np.abs(POINTS - p).max(1).argmin() for p in file.baseline.points]
    # The points are rounded to float32, the values are not.
    assert np.abs(POINTS[rows] - file.baseline.points).max() < 2**-24
    assert np.array_equal(file.baseline.reference, SAMPLES.values[rows])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Samples(np.zeros((3, 2)), np.zeros((4, 1))), r"\(3, 2\) and \(4, 1\)"),
        (lambda: Samples(np.zeros((0, 2)), np.zeros((0, 1))), "n >= 1"),
        (lambda: Samples(np.zeros((1, 2)), np.full((1, 1), np.nan)), "not finite"),
        (lambda: table(fields=("u", "v")), "2 coordinates and 1 values, expected x, y and u, v"),
        (lambda: table(domain=Box(x=(0, 0.5), y=(0, 1))), "samples lie outside"),
        (lambda: table().reference_at(np.full((2, 2), 0.5)), "2 of 2 points are none of them"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
