"""Samples from files: what is read, split and estimated, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kdpinn.geometry import Box
from kdpinn.matching import matching_points, value_term
from kdpinn.teachers.noise import noise_of
from kdpinn.teachers.protocol import Scattered, Smooth
from kdpinn.teachers.reading import chosen, read_columns
from kdpinn.teachers.table import HELD_OUT_SHARE, Table

BOX = Box(x=(-1, 1), t=(0, 2))


def scattered(n=400, seed=0):
    generator = np.random.default_rng(seed)
    points = generator.uniform(BOX.lower, BOX.upper, (n, 2))
    return points, np.sin(2 * points[:, :1]) * np.exp(-points[:, 1:])


def table(n=400, **changes):
    points, values = scattered(n)
    return Table.of(BOX, ("u",), *(changes.get(k, v) for k, v in (("x", points), ("u", values))))


# -- reading -------------------------------------------------------------------------------------


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text", ["x,t,u\n1,2,3\n4,5,6\n", "# x;t;u\n1;2;3\n\n4;5;6", "x\tt\tu\n1\t2\t3\n4\t5\t6"]
)
def test_a_csv_file_by_its_header(tmp_path, text):
    columns = read_columns(written(tmp_path / "a.csv", text))
    assert {k: v.tolist() for k, v in columns.items()} == {"x": [1, 4], "t": [2, 5], "u": [3, 6]}


def test_an_npz_file_by_its_names(tmp_path):
    np.savez(tmp_path / "a.npz", x=[1, 2], u=np.array([3, 4], dtype=np.float32))
    columns = read_columns(tmp_path / "a.npz")
    assert {k: v.tolist() for k, v in columns.items()} == {"x": [1, 2], "u": [3, 4]}
    assert all(v.dtype == np.float64 for v in columns.values())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1.0,2.0\n3,4\n", "first line must name the columns.*1.0, 2.0"),
        ("x,u,x\n1,2,3\n", "names each column once"),
        ("x,,u\n1,2,3\n", "names each column once"),
        ("x,u\n1,2\n3\n", "line 3: expected 2 cells, got 1"),
        ("x,u\n1,high\n", "line 2, column 'u': 'high' is no number"),
        ("x,u\n", "holds no samples"),
    ],
)
def test_a_csv_file_that_is_none(tmp_path, text, says):
    with pytest.raises(ValueError, match=says):
        read_columns(written(tmp_path / "a.csv", text))


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        (
            {"x": np.zeros(3), "u": np.zeros(4)},
            r"one length, got x float64 \(3,\), u float64 \(4,\)",
        ),
        ({"x": np.zeros((3, 2))}, r"x float64 \(3, 2\)"),
        ({"x": np.array(["a"])}, "array of numbers"),
        ({"x": np.array([{}], dtype=object)}, "plain arrays.*allow_pickle"),
    ],
)
def test_an_npz_file_that_is_none(tmp_path, arrays, says):
    np.savez(tmp_path / "a.npz", allow_pickle=True, **arrays)
    with pytest.raises(ValueError, match=says):
        read_columns(tmp_path / "a.npz")


def test_a_file_of_another_kind(tmp_path):
    with pytest.raises(ValueError, match=r"a\.npz is no \.npz file"):
        read_columns(written(tmp_path / "a.npz", "x,u\n1,2\n"))


def test_columns_that_cannot_be_used():
    path = Path("a.csv")
    columns = {"x": np.arange(5.0), "t": np.ones(5), "u": np.array([1, np.nan, 3, np.inf, 5])}
    with pytest.raises(ValueError, match="no column 'y', 'z' for the coordinates; it has x, t, u"):
        chosen(path, columns, ("x", "y", "z"), "coordinates")
    with pytest.raises(ValueError, match="'u' is not finite in 2 of 5 rows, numbers 2, 4"):
        chosen(path, columns, ("u",), "fields")
    with pytest.raises(ValueError, match="'t' is 1 in all 5 rows.*leave it out of the coordinates"):
        chosen(path, columns, ("t",), "coordinates")


# -- splitting -----------------------------------------------------------------------------------


def test_a_fifth_judges_and_the_rest_teaches():
    own = table()
    taught, weights = own.part(held_out=False)
    judged, _ = own.part(held_out=True)
    assert len(judged) == round(HELD_OUT_SHARE * 400)
    assert len(taught) + len(judged) == 400
    assert not {row.tobytes() for row in taught} & {row.tobytes() for row in judged}
    assert (weights == 1).all()
    np.testing.assert_array_equal(
        own.values(judged), np.sin(2 * judged[:, :1]) * np.exp(-judged[:, 1:])
    )
    assert isinstance(own, Scattered)
    assert not isinstance(own, Smooth)


def test_the_split_does_not_depend_on_the_order_of_the_rows():
    points, values = scattered()
    turned = table(x=points[::-1], u=values[::-1])
    np.testing.assert_array_equal(turned.part(True)[0], table().part(True)[0])


def test_repeated_points_are_one_sample_of_more_weight():
    points, values = scattered(60)
    points = np.concatenate([points, points[:20]])
    own = Table.of(BOX, ("u",), points, np.concatenate([values, values[:20] + 0.5]))
    assert len(own.points) == 60
    twice = own.weights == 2
    assert twice.sum() == 20
    expected = np.sin(2 * own.points[:, 0]) * np.exp(-own.points[:, 1]) + 0.25 * twice
    np.testing.assert_allclose(own.samples[:, 0], expected, rtol=1e-14)
    _, weights = own.part(False)
    assert weights.mean() == pytest.approx(1, rel=1e-15)
    assert weights.max() / weights.min() == pytest.approx(2, rel=1e-15)


def test_training_takes_the_samples_themselves():
    own = table()
    for held_out in (False, True):
        at = matching_points(BOX, own, 64, seed=5, held_out=held_out)
        np.testing.assert_array_equal(at.points.numpy(), own.part(held_out)[0])
        assert len(value_term(own, at, 1.0).points) == len(at.points)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"x": scattered()[0] + [0.5, 0]}, r"samples lie outside the domain, the first with x = "),
        ({"x": scattered()[0][:10].repeat(40, axis=0)}, "10 samples at different points"),
    ],
)
def test_samples_that_cannot_teach(change, says):
    with pytest.raises(ValueError, match=says):
        table(**change)


def test_a_table_is_silent_elsewhere():
    with pytest.raises(ValueError, match="at its own points only"):
        table().values(np.zeros((1, 2)))


# -- noise ---------------------------------------------------------------------------------------


def test_planted_noise_is_found():
    points, values = scattered(3000)
    level = np.array([0.05, 0.2])
    noisy = np.hstack([values, values]) + level * np.random.default_rng(1).normal(size=(3000, 2))
    found = noise_of(BOX.to_unit(points), noisy)
    # 3000 residuals, each correlated with those of about 2 x 6 neighbors: a relative deviation of
    # sqrt(1 / (2 * 3000)) * sqrt(1 + 12) = 5 % at one sigma at most; curvature adds next to 0.
    np.testing.assert_allclose(found, level, rtol=0.12)


def test_noise_of_plane_data_is_rounding():
    points, _ = scattered(500)
    plane = 1 + 2 * points[:, :1] - 3 * points[:, 1:]
    assert noise_of(BOX.to_unit(points), plane)[0] < 1e-12


def test_without_noise_the_bound_falls_with_the_square_of_the_spacing():
    sizes = np.array([400, 1600, 6400])
    found = [noise_of(BOX.to_unit(scattered(n)[0]), scattered(n)[1])[0] for n in sizes]
    slope = np.polyfit(np.log(sizes), np.log(found), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.2)  # spacing ~ n^(-1/2) in two coordinates


def test_few_samples_say_nothing_of_noise():
    points, values = scattered(6)
    assert np.isnan(noise_of(points, values)).all()


def test_what_is_told_of_a_table():
    assert table().describe().startswith("320 samples teach, 80 judge; noise about 0.0")
