import math
import pickle

import numpy as np
import pytest

from kdpinn import Box, Condition, Problem, dirichlet
from kdpinn.places import Disk, Points
from kdpinn.sampling import interior, on_places

DISK = Disk(radius=0.3, x=0.5, y=0.4)
CHANNEL = Box(x=(0, 2), y=(0, 1), holes=[DISK])


def distance(x):
    return np.hypot(x[:, 0] - 0.5, x[:, 1] - 0.4)


def test_interior_points_avoid_the_hole_and_touch_every_face():
    x = interior(CHANNEL, 500, seed=3).numpy()
    assert x.shape == (500, 2)
    assert distance(x).min() >= 0.3 * (1 - 1e-12)
    assert x.min(0).tolist() == [0, 0]
    assert x.max(0).tolist() == [2, 1]
    # Even: the share in the left half is its share of the area.
    left = (1 - math.pi * 0.09) / (2 - math.pi * 0.09)
    assert abs((x[:, 0] < 1).mean() - left) < 0.05


def test_points_without_holes_are_those_of_the_plain_box():
    plain = Box(x=(0, 2), y=(0, 1))
    assert interior(plain, 50, seed=1).shape == (50, 2)
    far = Box(x=(0, 2), y=(0, 1), holes=[Disk(radius=0.1, x=9, y=9)])
    mine, theirs = interior(far, 50, seed=1).numpy(), interior(plain, 50, seed=1).numpy()
    assert sorted(map(tuple, mine)) == sorted(map(tuple, theirs))


def test_rim_points_lie_on_the_circle_and_run_evenly_around_it():
    x = on_places(CHANNEL, [DISK], 40, seed=0).numpy()
    assert np.abs(distance(x) - 0.3).max() < 1e-15
    angles = np.sort(np.arctan2(x[:, 1] - 0.4, x[:, 0] - 0.5))
    assert np.allclose(np.diff(angles), 2 * np.pi / 40, atol=1e-12)
    assert CHANNEL.contains(x).all()


def test_rim_runs_through_time_and_is_cut_by_the_box():
    moving = Box(x=(0, 1), t=(2, 3), y=(0, 1), holes=[Disk(radius=0.5, x=0, y=0)])
    x = on_places(moving, [moving.holes[0]], 200, seed=0).numpy()
    assert 30 < len(x) < 70  # a quarter of the rim lies in the box
    assert np.allclose(np.hypot(x[:, 0], x[:, 2]), 0.5, atol=1e-15)
    assert x[:, 1].min() < 2.1
    assert x[:, 1].max() > 2.9


def test_given_points_are_taken_as_they_are():
    given = Points([[0.1, 0.05], [1.5, 0.5]])
    x = on_places(CHANNEL, [given], 99, seed=0).numpy()
    assert x.tolist() == [[0.1, 0.05], [1.5, 0.5]]
    with pytest.raises(ValueError, match="read-only"):
        given.x[0, 0] = 0


def test_a_center_by_name_makes_the_same_disk():
    disk = Disk(radius=0.1, x=0.2, t=-0.5)
    assert disk.named_center == {"x": 0.2, "t": -0.5}
    assert Disk(radius=disk.radius, **disk.named_center) == disk


def test_box_with_holes_keeps_its_identity():
    assert pickle.loads(pickle.dumps(CHANNEL)) == CHANNEL
    assert hash(CHANNEL) == hash(Box(x=(0, 2), y=(0, 1), holes=[DISK]))
    assert Box(x=(0, 2), y=(0, 1)) != CHANNEL
    assert "radius=0.3" in repr(CHANNEL)
    assert CHANNEL.contains(np.array([[0.5, 0.4], [0.5, 0.75], [2.5, 0.5]])).tolist() == [0, 1, 0]


def flow(**changes):
    arguments = {
        "name": "flow",
        "domain": CHANNEL,
        "fields": ("u",),
        "residual": lambda j: j.u.x,
        "conditions": (
            dirichlet("wall", on=[DISK, {"y": 0}], u=lambda x, y: x + y),
            dirichlet("sensors", on=[Points([[0.1, 0.1], [1.9, 0.9]])], u=np.array([1.0, 2.0])),
        ),
        "reference": lambda x, y: x + y,
        "grid": (21, 11),
    }
    return Problem(**{**arguments, **changes})


def test_conditions_hold_on_rims_and_at_sensors():
    problem = flow()
    sensors = problem.condition("sensors")
    assert problem.data_at(sensors.on[0].x, sensors)["u_target"].tolist() == [1.0, 2.0]
    wall = problem.condition("wall")
    assert problem.spec(wall).order == 0
    grid = problem.evaluation_points()
    assert distance(grid).min() >= 0.3 * (1 - 1e-12)
    assert len(grid) < 21 * 11
    assert problem.scattered


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Disk(radius=0.1, x=0), "two coordinates"),
        (lambda: Disk(radius=-1, x=0, y=0), "radius > 0"),
        (lambda: Disk(radius=1, x=math.nan, y=0), "finite"),
        (lambda: Box(x=(0, 1), y=(0, 1), holes=[Disk(radius=1, x=0, z=0)]), "hole in x, z"),
        (lambda: Points([1.0, 2.0]), r"\(n, d\)"),
        (lambda: Points([[math.inf, 2.0]]), "finite array"),
        (lambda: interior(Box(x=(0, 1), y=(0, 1), holes=[Disk(radius=3, x=0, y=0)]), 9, seed=0),
         "outside the holes"),
        (lambda: flow(domain=Box(x=(0, 2), y=(0, 1))), "'flow', Condition 'wall'.*`holes`"),
        (lambda: flow(conditions=(dirichlet("s", on=[Points([[0.5, 0.4]])], u=np.ones(1)),)),
         "1 of 1 given points lie outside"),
        (lambda: flow(conditions=(dirichlet("s", on=[Points([[0.1, 0.1]])], u=np.ones(2)),)),
         r"shape \(1,\), got \(2,\)"),
        (lambda: Condition("c", on=["x"], residual=lambda j: j.u), "list of faces"),
    ],
)  # fmt: skip
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
