"""Where a function breaks a symmetry, against functions whose asymmetry is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from kdpinn.geometry import Box
from kdpinn.places import Disk
from kdpinn.structure.asymmetry import ASIDE, POINTS, asymmetry, plane_of
from kdpinn.structure.group import InputMap
from kdpinn.structure.subject import Subject

MIRROR = InputMap(np.diag([-1.0, 1.0]), np.zeros(2), np.array([-1.0]))


def subject(values, m=1, **box):
    domain = box.pop("domain", None) or Box(**box)
    return Subject(domain=domain, fields=tuple("uvw"[:m]), values=values)


def test_what_a_mirror_breaks_is_twice_the_even_part():
    def u(x):
        return x[:, :1] + x[:, 1:] ** 2  # odd in x but for y^2

    found = asymmetry(subject(u, x=(-1, 1), y=(0, 2)), MIRROR, {"u": u}, np.array([4.0]))
    across, up = found.plane.axes
    wanted = np.broadcast_to(2 * up.positions**2 / 4, (across.positions.size, up.positions.size))
    # A sum of two numbers below 4 and a quotient, each rounded.
    assert np.abs(found.values["u"] - wanted).max() <= 8 * np.finfo(float).eps


def test_the_worst_field_counts_each_in_its_own_spread():
    def fields(x):
        return np.column_stack([x[:, 0], x[:, 0] + 3.0])

    g = InputMap(np.diag([-1.0]), np.zeros(1), np.array([-1.0, -1.0]))
    found = asymmetry(subject(fields, 2, x=(-1, 1)), g, {"u": fields}, np.array([1.0, 2.0]))
    assert found.values["u"] == pytest.approx(np.full(POINTS[1], 3.0), rel=1e-14)


def test_points_outside_of_the_domain_are_left_out():
    domain = Box(x=(-1, 1), y=(-1, 1), holes=[Disk(x=0, y=0, radius=0.49)])

    def u(x):
        assert domain.contains(x).all()
        return x[:, :1]

    found = asymmetry(subject(u, domain=domain), MIRROR, {"u": u}, np.ones(1))
    x, y = found.plane.points.T
    assert np.array_equal(np.isnan(found.values["u"]).ravel(), np.hypot(x, y) < 0.49)


def test_the_plane_has_the_coordinates_that_move():
    box = subject(lambda x: x[:, :1], x=(0, 1), y=(0, 4), z=(-1, 1))
    g = InputMap(np.diag([1.0, 1.0, -1.0]), np.zeros(3), np.ones(1))
    plane = plane_of(box, g)
    assert [axis.name for axis in plane.axes] == ["x", "z"]
    assert plane.fixed == {"y": pytest.approx(4 * ASIDE)}
    swap = InputMap(np.eye(3)[[0, 2, 1]], np.zeros(3), np.ones(1))
    assert [axis.name for axis in plane_of(box, swap).axes] == ["y", "z"]


def test_a_coordinate_known_at_some_values_stays_at_one_of_them():
    domain = Box(x=(-1, 1), y=(-1, 1), t=(0, 1))
    box = Subject(
        domain=domain,
        fields=("u",),
        values=lambda x: x[:, :1],
        ticks={"t": (0.0, 0.4, 1.0)},
    )
    g = InputMap(np.diag([-1.0, 1.0, 1.0]), np.zeros(3), np.ones(1))
    assert plane_of(box, g).fixed == {"t": 0.4}
