import pickle

import numpy as np
import pytest

from kdpinn.geometry import Box

BOX = Box(x=(-1, 1), t=(0, 0.3), units={"x": "m"})


def test_box_knows_its_coordinates():
    assert BOX.names == ("x", "t")
    assert BOX.dim == 2
    assert [BOX.unit(name) for name in BOX.names] == ["m", ""]
    assert BOX.bounds("t") == (0.0, 0.3)
    assert BOX.faces == ({"x": -1.0}, {"x": 1.0}, {"t": 0.0}, {"t": 0.3})


def test_boxes_compare_hash_and_travel_by_their_content():
    same = Box(x=(-1.0, 1.0), t=(0, 0.3), units={"x": "m", "t": ""})
    assert same == BOX
    assert hash(same) == hash(BOX)
    assert Box(t=(0, 0.3), x=(-1, 1), units={"x": "m"}) != BOX  # the order is that of the inputs
    assert pickle.loads(pickle.dumps(BOX)) == BOX
    assert repr(BOX) == "Box(x=(-1, 1), t=(0, 0.3), units={'x': 'm'})"


def test_box_is_immutable():
    with pytest.raises(AttributeError, match="immutable"):
        BOX.names = ("y",)
    BOX.lower[0] = 7.0
    assert BOX.lower[0] == -1.0


def test_unit_cube_maps_onto_the_exact_bounds():
    # 0.1 + 1 * (0.7 - 0.1) is not 0.7 in float64.
    box = Box(x=(0.1, 0.7), y=(-1e9, 1e-9))
    corners = box.from_unit(np.array([[0.0, 0.0], [1.0, 1.0]]))
    assert np.array_equal(corners, [box.lower, box.upper])
    z = np.random.default_rng(0).random((100, 2))
    x = box.from_unit(z)
    assert box.contains(x).all()
    # x is rounded at its own magnitude, at most max|bound|; the width divides that error.
    magnitude = np.maximum(abs(box.lower), abs(box.upper)) / (box.upper - box.lower)
    eps = np.finfo(np.float64).eps
    assert np.all(abs(box.to_unit(x) - z) <= 4 * eps * (1 + magnitude))


def test_logarithmic_coordinates_are_spread_over_their_logarithm():
    box = Box(x=(-1, 1), nu=(0.003, 0.1), logarithmic=("nu",))
    z = np.random.default_rng(0).random((100, 2))
    z[0], z[1] = 0, 1
    x = box.from_unit(z)
    assert np.array_equal(x[:2], [box.lower, box.upper])
    assert box.contains(x).all()
    assert np.array_equal(x[:, 0], Box(x=(-1, 1)).from_unit(z[:, :1])[:, 0])
    # nu is rounded relatively, by the power and its argument: a few eps of log nu.
    eps = np.finfo(np.float64).eps
    wanted = np.log(0.003) + z[:, 1] * np.log(0.1 / 0.003)
    assert np.all(abs(np.log(x[:, 1]) - wanted) <= 8 * eps * abs(np.log(0.003)))
    assert np.all(abs(box.to_unit(x) - z) <= 16 * eps)
    assert pickle.loads(pickle.dumps(box)) == box != Box(x=(-1, 1), nu=(0.003, 0.1))


def test_logarithmic_coordinates_are_positive():
    with pytest.raises(ValueError, match=r"'nu'.*bounds > 0, got \(0.0, 0.1\)"):
        Box(nu=(0, 0.1), logarithmic=("nu",))
    with pytest.raises(ValueError, match="No coordinate 'nv'"):
        Box(nu=(0.003, 0.1), logarithmic=("nv",))


def test_shift_and_scale_take_the_box_to_plus_minus_one():
    z = (np.stack([BOX.lower, BOX.upper]) - BOX.shift) * BOX.scale
    assert np.all(abs(abs(z) - 1) <= 4 * np.finfo(np.float64).eps)
    assert np.all(z[0] < z[1])


def test_grid_has_end_points_and_varies_the_last_coordinate_fastest():
    grid = BOX.grid((3, 2))
    assert np.array_equal(grid, [[-1, 0], [-1, 0.3], [0, 0], [0, 0.3], [1, 0], [1, 0.3]])
    assert grid.dtype == np.float64
    assert list(BOX.columns(grid)) == ["x", "t"]
    uneven = BOX.grid((2, (0.0, 0.1, 0.3)))
    assert np.array_equal(uneven[:3], [[-1, 0], [-1, 0.1], [-1, 0.3]])
    assert len(uneven) == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box(), "at least one coordinate"),
        (lambda: Box(x=(1, 1)), "'x' needs finite lower < upper, got \\(1, 1\\)"),
        (lambda: Box(x=(0, np.inf)), "'x' needs finite"),
        (lambda: Box(x=(0, 1, 2)), "'x' needs \\(lower, upper\\), got \\(0, 1, 2\\)"),
        (lambda: Box(x=3), "'x' needs \\(lower, upper\\), got 3"),
        (lambda: Box(x=(0, 1), units={"y": "m"}), "unit for 'y'.*coordinates are x"),
        (lambda: BOX.index("z"), "No coordinate 'z'.*x, t"),
        (lambda: BOX.grid((3,)), "2 numbers of points.*got \\(3,\\)"),
        (lambda: BOX.grid((3, 1)), "at least 2 points along 't', got 1"),
        (lambda: BOX.grid((3, (0.0, 0.0))), "ascending positions along 't' in .0, 0.3."),
        (lambda: BOX.grid((3, (0.0, 0.4))), "ascending positions along 't'.*0.4"),
        (lambda: BOX.columns(np.zeros((5, 3))), "shape \\(n, 2\\), got \\(5, 3\\)"),
        (lambda: BOX.check_face({}), "A face fixes at least one"),
        (lambda: BOX.check_face({"x": 2.0}), "'x' is in \\[-1, 1\\], got 2"),
        (lambda: BOX.check_face({"y": 0.0}), "No coordinate 'y'"),
    ],
)
def test_messages_say_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
