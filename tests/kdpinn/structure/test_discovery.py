"""Whole searches on exact fields: short versions of what `kdpinn_bench.structure` measures."""

import numpy as np
import pytest

from kdpinn.geometry import Box
from kdpinn.places import Disk
from kdpinn.structure.discovery import DiscoverySettings, discover
from kdpinn.structure.evidence import Unit
from kdpinn.structure.rotations import applies, in_words, rotations
from kdpinn.structure.students import StudentSettings
from kdpinn.structure.subject import Subject

FAST = DiscoverySettings(students=1, ladder=(StudentSettings(adam=800),), rotations=False)
SQUARE = Box(x=(-1, 1), y=(-1, 1))


def subject(function, domain=SQUARE, fields=("u",), **more):
    def values(x):
        return np.stack(function(*x.T), axis=1)

    return Subject(domain=domain, fields=fields, values=values, **more)


def elements(found):
    names, fields = found.subject.domain.names, found.subject.fields
    return {g.describe(names, fields) for g in found.group.elements}


def harmonic(x, y):
    return (x**3 - 3 * x * y**2,)


def test_laplace():
    found = discover(subject(harmonic), FAST)
    assert elements(found) == {
        "identity",
        "y -> -y, u -> u",
        "x -> -x, u -> -u",
        "x -> -x, y -> -y, u -> -u",
    }
    assert len(found.group.generators) == 2
    for evidence in found.accepted:
        assert evidence.ratio < found.ratio_limit
        assert evidence.worst_asymmetry < 1e-14
    assert min(e.ratio for e in found.rejected if e.ratios) > 10
    assert found.statement.startswith("Group of order 4")


def test_without_the_penalty_nothing_is_found():
    """The maps are in the list all the same: a list alone proves nothing."""
    plain = StudentSettings(adam=800, penalty=0.0)
    found = discover(subject(harmonic), DiscoverySettings(students=1, ladder=(plain,)))
    assert found.group is None
    assert not any(e.in_weights for e in found.rejected)


def test_a_field_without_symmetry():
    found = discover(subject(lambda x, y: (np.exp(x) * np.cos(y) + x * y + y / 2,)), FAST)
    assert found.group is None
    assert "No structure" in found.statement


@pytest.mark.parametrize(
    ("error", "order"),
    [pytest.param(None, 4, marks=pytest.mark.slow), (np.array([1e-4]), 2)],
)
def test_a_symmetry_broken_by_one_per_cent_counts_only_for_a_teacher_that_bad(error, order):
    found = discover(subject(lambda x, y: (x**3 - 3 * x * y**2 + 0.01 * y,), error=error), FAST)
    assert found.group.order == order
    if order == 2:
        assert "x -> -x, y -> -y, u -> -u" in elements(found)


def test_fields_with_different_characters_about_the_center_line_of_a_channel():
    def flow(x, y):
        y = y - 0.2
        return 1 - x + y**2, (0.04 - y**2) * (1 + x), y * np.cos(3 * x)

    box = Box(x=(0, 1.1), y=(0, 0.4), holes=[Disk(radius=0.05, x=0.3, y=0.2)])
    found = discover(subject(flow, box, ("p", "u", "v")), FAST)
    assert elements(found) == {"identity", "y -> 0.4 - y, p -> p, u -> u, v -> -v"}


def test_a_third_coordinate_is_left_alone():
    def wave(x, y, nu):
        return (np.sin(2 * x) * np.cos(y) * (1 + nu) + np.exp(y / 2) * x,)

    box = Box(x=(-1, 1), y=(-1, 1), nu=(0.01, 0.1))
    found = discover(subject(wave, box), FAST)
    assert elements(found) == {"identity", "x -> -x, u -> -u"}


def test_turns_by_other_angles_are_noticed_on_the_inscribed_disk():
    """Re z^3 has the symmetry of a hexagon, 12 elements, of which a square has four."""
    unit = Unit(subject(harmonic).unit_values, subject(harmonic).inside, np.ones(1))
    found = rotations(subject(harmonic), unit, StudentSettings(adam=800), 0, lambda text: None)
    words = {in_words(e.map, ("u",)) for e in found}
    turns = {f"turn by {a} degrees, u -> {'-' if a % 120 else ''}u" for a in (60, 120, -60, -120)}
    mirrors = {
        f"mirror along {a} degrees, u -> {'-' if a % 60 else ''}u" for a in (30, 60, 120, 150)
    }
    assert words == turns | mirrors
    assert max(e.worst_asymmetry for e in found) < 1e-14


def test_the_disk_is_for_squares_of_one_unit():
    assert applies(subject(harmonic))
    assert not applies(subject(harmonic, Box(x=(-1, 1), y=(-1, 2))))
    assert not applies(subject(harmonic, Box(x=(-1, 1), t=(-1, 1), units={"x": "m", "t": "s"})))
    assert not applies(subject(harmonic, ticks={"y": (-1.0, 1.0)}))


def test_a_constant_shows_nothing():
    found = discover(subject(lambda x, y: (np.full(len(x), 3.0),)), FAST)
    assert found.group is None
    assert "constant over the domain" in found.statement


def test_noise_shows_nothing():
    def noise(x, y):
        return (np.sin(1e5 * x + 7e4 * np.cos(1e5 * y)),)

    settings = DiscoverySettings(students=2, ladder=(StudentSettings(adam=300, polish=50),))
    found = discover(subject(noise), settings)
    assert found.group is None
    assert "none of 2 students learned the teacher" in found.statement


def test_collapsed_students_show_nothing():
    heavy = StudentSettings(adam=500, polish=50, penalty=0.1)
    found = discover(subject(harmonic), DiscoverySettings(students=2, ladder=(heavy,)))
    assert found.group is None
    assert "No structure" in found.statement


def test_a_poor_teacher_shows_nothing():
    found = discover(subject(harmonic, error=np.array([0.3])), FAST)
    assert found.group is None
    assert "u 0.3" in found.statement


@pytest.mark.slow
def test_the_wrong_domain_shows_nothing_false():
    box = Box(x=(-0.5, 1.5), y=(-1, 1))
    assert elements(discover(subject(harmonic, box), FAST)) == {"identity", "y -> -y, u -> u"}


def test_values_that_are_not_finite_end_the_search():
    found = discover(subject(lambda x, y: (np.where(x < 0, np.nan, x),)), FAST)
    assert found.group is None
    assert "finite" in found.statement


def test_the_statement_tells_of_turns():
    settings = DiscoverySettings(students=1, ladder=(StudentSettings(adam=800),))
    found = discover(subject(harmonic), settings)
    assert elements(found) >= {"identity", "x -> -x, y -> -y, u -> -u"}
    assert "turn by 120 degrees, u -> u" in found.statement
    assert len(found.turns) == 8
