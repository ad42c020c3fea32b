import numpy as np
import pytest

from kdpinn_export import baseline_points


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_points_are_exact_in_float32_and_inside(d):
    lower, upper = np.full(d, 0.1), np.full(d, 0.1 + 1e-6)  # neither bound is a float32
    points = baseline_points(lower, upper, 300)
    assert points.shape == (300, d)
    assert points.dtype == np.float64
    assert np.array_equal(points, points.astype(np.float32))
    assert np.all(points >= lower)
    assert np.all(points <= upper)


def test_points_are_even():
    points = baseline_points([-1.0, 0.0], [1.0, 3.0], 512)
    counts, _, _ = np.histogram2d(*points.T, bins=8, range=[[-1, 1], [0, 3]])
    # 512 points, 64 cells: a cell holds 8. Random points would spread with sqrt(8) = 2.8 and
    # reach 8 +- 7 somewhere; a point lost or repeated at a cell's edge costs 1 per side.
    assert abs(counts - 8).max() <= 4


@pytest.mark.parametrize("d", [1, 2, 3])
def test_points_integrate_faster_than_random_ones(d):
    counts = np.array([256, 1024, 4096, 16384])
    exact = (np.e - 1.0) ** d
    errors = [
        abs(np.exp(baseline_points(np.zeros(d), np.ones(d), n)).prod(axis=1).mean() - exact)
        for n in counts
    ]
    # Random points: error ~ spread / sqrt(n); these come to log(n)^d / n.
    assert np.all(errors <= 4 * np.log(counts) ** d / counts)


@pytest.mark.parametrize(
    ("lower", "upper", "count", "message"),
    [
        ([0.0], [0.0], 8, "lower < upper"),
        ([0.0, 0.0], [1.0], 8, "lower < upper"),
        ([0.0], [np.inf], 8, "finite"),
        ([0.0], [1.0], 0, "count=0"),
        ([1.0 + 1e-12], [1.0 + 2e-12], 8, "no float32 lies between"),
    ],
)
def test_bad_boxes_are_refused(lower, upper, count, message):
    with pytest.raises(ValueError, match=message):
        baseline_points(lower, upper, count)
