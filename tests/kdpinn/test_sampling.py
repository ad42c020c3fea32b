import numpy as np
import pytest
import torch
from scipy.stats import qmc

from kdpinn.geometry import Box
from kdpinn.sampling import interior, on_face, on_places, residual_adaptive, sobol

BOX = Box(x=(-1, 1), t=(0, 0.3))
CUBE = Box(x=(0, 1), y=(0, 1), z=(0, 1))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("n", [2, 3, 7, 8, 9, 100, 1000])
def test_interior_fills_the_closed_box_and_touches_each_face(n):
    x = interior(BOX, n, seed=3).numpy()
    assert x.shape == (n, 2)
    assert x.dtype == np.float64
    assert BOX.contains(x).all()
    assert np.array_equal(x.min(axis=0), BOX.lower)
    assert np.array_equal(x.max(axis=0), BOX.upper)


def test_interior_is_more_even_than_random_points():
    z = BOX.to_unit(interior(BOX, 1000, seed=0).numpy())
    random = np.random.default_rng(0).random((1000, 2))
    # Random points: about 0.4 / sqrt(n) = 1e-2 in this L2 measure; Sobol: O(log n / n), some 1e-3.
    assert qmc.discrepancy(z, method="L2-star") < 0.3 * qmc.discrepancy(random, method="L2-star")


def test_seed_decides_the_points():
    assert torch.equal(interior(BOX, 50, seed=1), interior(BOX, 50, seed=1))
    assert not torch.equal(interior(BOX, 50, seed=1), interior(BOX, 50, seed=2))


@pytest.mark.parametrize("n", [0, 1, 2, 3, 5])
def test_sobol_gives_as_many_points_as_asked(n):
    assert sobol(n, 3, seed=0).shape == (n, 3)


def test_edge_has_both_end_points():
    x = on_face(BOX, {"t": 0.0}, 33, seed=0).numpy()
    assert x.shape == (33, 2)
    assert np.all(x[:, 1] == 0.0)
    assert x[:, 0].min() == -1.0
    assert x[:, 0].max() == 1.0
    # 31 Sobol points in [0, 1] leave no gap wider than 2/16 of the unit interval (elementary
    # intervals of length 1/16 hold at least one of the first 31 points each).
    assert np.diff(np.sort(x[:, 0])).max() <= 2 * 2 / 16


def test_face_of_a_cube_has_its_four_corners():
    x = on_face(CUBE, {"y": 1.0}, 20, seed=0).numpy()
    corners = {tuple(row) for row in x if set(row) <= {0.0, 1.0}}
    assert corners == {(0, 1, 0), (0, 1, 1), (1, 1, 0), (1, 1, 1)}
    assert len(x) == 20


def test_corner_is_a_single_point_and_a_slice_may_lie_inside():
    assert on_face(BOX, {"x": -1, "t": 0}, 10, seed=0).tolist() == [[-1.0, 0.0]]
    assert np.all(on_face(BOX, {"x": 0.25}, 10, seed=0).numpy()[:, 0] == 0.25)


def test_faces_come_in_order_and_share_the_points():
    x = on_places(BOX, [{"x": -1}, {"x": 1}], 33, seed=0)
    assert x.shape == (33, 2)
    assert torch.all(x[:17, 0] == -1)
    assert torch.all(x[17:, 0] == 1)
    assert not torch.equal(x[1:16, 1], x[18:, 1])  # each face has points of its own
    assert on_places(BOX, [{"x": -1}, {"x": 1}], 1, seed=0).shape == (2, 2)


def test_adaptive_points_follow_the_residual():
    n, width = 2000, 0.05
    seen = []

    def magnitude(x):
        seen.append(len(x))
        return (x[:, 0].abs() < width).to(torch.float64)

    x = residual_adaptive(BOX, n, magnitude, generator=generator())
    assert x.shape == (n, 2)
    assert seen == [4 * n]
    assert BOX.contains(x.numpy()).all()
    uniform, drawn = x[: n // 2], x[n // 2 :]
    assert abs(float((uniform[:, 0].abs() < width).double().mean()) - width) < 0.01
    # A share `width` of the pool weighs 1/width + 0.2, the rest 0.2. Without replacement all
    # 4 n width = 400 heavy points may be used up; drawing with replacement would pass that.
    heavy = int((drawn[:, 0].abs() < width).sum())
    assert 0.9 * 4 * n * width <= heavy <= 1.02 * 4 * n * width
    assert len({tuple(row) for row in drawn.tolist()}) == len(drawn)


def test_adaptive_shares_match_the_weights():
    """With few draws from the pool, the share at |r| = 3 over that at |r| = 1 is the weights'."""
    box, n = Box(x=(0, 1)), 64
    counts = np.zeros(2)
    g = generator(1)
    for _ in range(400):
        x = residual_adaptive(box, n, lambda x: torch.where(x[:, 0] > 0.5, 3.0, 1.0), generator=g)
        high = (x[n // 2 :, 0] > 0.5).sum().item()
        counts += [high, n // 2 - high]
    # Weights 3/2 + 0.2 and 1/2 + 0.2 on halves of a pool of 256, 32 draws without replacement:
    # the odds of successive draws, integrated with the pool's depletion.
    high, low = 128.0, 128.0
    for _ in range(n // 2):
        p = 1.7 * high / (1.7 * high + 0.7 * low)
        high, low = high - p, low - (1 - p)
    expected = (128 - high) / (n // 2)
    draws = counts.sum()
    assert abs(counts[0] / draws - expected) < 4 * np.sqrt(expected * (1 - expected) / draws)


def test_adaptive_points_depend_on_the_generator_alone():
    first, second = (
        residual_adaptive(BOX, 50, lambda x: x[:, 0] ** 2, generator=generator(5)) for _ in "ab"
    )
    assert torch.equal(first, second)


def test_vanishing_residual_is_sampled_uniformly():
    x = residual_adaptive(BOX, 40, lambda x: torch.zeros(len(x)), generator=generator())
    assert x.shape == (40, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: interior(BOX, 1, seed=0), "at least 2 points"),
        (lambda: on_face(BOX, {"x": -1}, 0, seed=0), "at least 1 point"),
        (lambda: on_places(BOX, [], 5, seed=0), "at least one face"),
        (lambda: sobol(3, 0, seed=0), "dim = 0"),
        (
            lambda: residual_adaptive(BOX, 8, lambda x: x, generator=generator()),
            "shape \\(32,\\), got \\(32, 2\\).*sum of squares",
        ),
        (
            lambda: residual_adaptive(BOX, 8, lambda x: x[:, 0] / 0, generator=generator()),
            "not finite at \\d+ of 32",
        ),
        (
            lambda: residual_adaptive(BOX, 2, lambda x: x[:, 0], generator=generator()),
            "at least 3 points",
        ),
    ],
)
def test_messages_say_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
