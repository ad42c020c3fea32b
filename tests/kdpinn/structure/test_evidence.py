import numpy as np
import pytest

from kdpinn.structure.evidence import (
    ASYMMETRY_LIMIT,
    Unit,
    asymmetry_limit,
    ratio_limit,
    tied_student,
    with_characters,
)
from kdpinn.structure.fits import Samples
from kdpinn.structure.group import InputMap
from kdpinn.structure.students import StudentSettings, train_student

AXIS = np.linspace(-1, 1, 17)
GRID = np.stack([c.ravel() for c in np.meshgrid(AXIS, AXIS, indexing="ij")], 1)
Y_MIRROR = InputMap(np.diag([1.0, -1.0]), np.zeros(2), np.ones(1))
X_MIRROR = InputMap(np.diag([-1.0, 1.0]), np.zeros(2), np.ones(1))


def unit_of(call, inside=lambda z: np.ones(len(z), dtype=bool)):
    return Unit(call, inside, call(GRID).std(0))


def flow(z):
    """p and u even in y, v odd."""
    x, y = z.T
    return np.stack([x + y**2, x * np.cos(y), np.sin(y) * x], 1)


def test_each_field_gets_its_own_character():
    found = with_characters(unit_of(flow), Y_MIRROR, GRID)
    assert found is not None
    assert found.map.characters.tolist() == [1, 1, -1]
    assert found.worst_asymmetry < 1e-15
    assert found.overlap == 1


def test_asymmetry_is_what_the_broken_part_makes_it():
    def call(z):
        return np.stack([np.cos(z[:, 1]) + 0.01 * z[:, 1]], 1)

    found = with_characters(unit_of(call), Y_MIRROR, GRID)
    # u(g z) - u(z) = -0.02 y.
    expected = 0.02 * np.sqrt((GRID[:, 1] ** 2).mean()) / call(GRID).std()
    assert found.asymmetry == pytest.approx([expected], rel=1e-12)


def test_a_large_constant_does_not_hide_an_asymmetry():
    def call(z):
        return 300 + z[:, :1]

    found = with_characters(unit_of(call), X_MIRROR, GRID)
    assert found.worst_asymmetry == pytest.approx(2)


def test_a_map_off_the_center_is_judged_where_it_stays_in_the_domain():
    g = InputMap.about(np.array([0.25, 0.0]), np.diag([-1.0, 1.0]), [1.0])

    def call(z):
        return np.cos(z[:, :1] - 0.25) * (1 + z[:, 1:])

    found = with_characters(unit_of(call), g, GRID)
    assert found.worst_asymmetry < 1e-14
    assert found.overlap == pytest.approx((GRID[:, 0] >= -0.5).mean())
    away = InputMap.about(np.array([0.9, 0.0]), np.diag([-1.0, 1.0]), [1.0])
    assert with_characters(unit_of(call), away, GRID) is None


def test_true_maps_cost_a_student_nothing_and_false_ones_much():
    u = np.cos(GRID[:, 1]) * np.sin(2 * GRID[:, 0]) + 0.5 * GRID[:, 0]
    samples = Samples(GRID, (u / u.std())[:, None])
    student = train_student(samples, StudentSettings(adam=1500), seed=0)
    assert not student.failure
    odd = InputMap(X_MIRROR.matrix, X_MIRROR.offset, -np.ones(1))
    for g, true in ((Y_MIRROR, True), (odd, True), (X_MIRROR, False)):
        tied = tied_student(student, samples, 1e-3, [g])
        assert tied.ratio < 1.03 if true else tied.ratio > 10
        assert (tied.alignments[0].residuals[-1] > 1) != true


def test_the_limit_of_ratios():
    assert ratio_limit([1.0, 1.01, 60.0], 70.0) == 1.03
    assert ratio_limit([1.0, 1.1, 60.0], 70.0) == pytest.approx(1.1)  # a polish not converged
    assert ratio_limit([1.0, 1.1, 2.0, 4.0, 9.0], 20.0) == 1.03  # no gap tells true from false
    assert ratio_limit([1.0, 1.1, 2.0], 3.0) == 1.03  # the widest gap is too narrow
    assert ratio_limit([1.0, 1.5, 60.0], 70.0) == 1.03  # too dear, gap or not
    assert ratio_limit([1.0, 1.1], 70.0) == pytest.approx(1.1)  # all candidates true
    assert ratio_limit([], 70.0) == 1.03


def test_the_limit_of_asymmetries_is_twice_the_error_and_a_quarter():
    assert asymmetry_limit(None, np.ones(2)).tolist() == [ASYMMETRY_LIMIT] * 2
    limits = asymmetry_limit(np.array([1e-3, 0.5]), np.array([1.0, 2.0]))
    assert limits == pytest.approx([2.5e-3, ASYMMETRY_LIMIT])


def test_no_teacher_of_a_symmetric_truth_breaks_it_beyond_the_limit():
    rng = np.random.default_rng(0)
    truth = np.cos(GRID[:, 1:]) * np.sin(2 * GRID[:, :1])
    table = {z.tobytes(): k for k, z in enumerate(GRID + 0.0)}
    for _ in range(20):
        error = rng.normal(size=truth.shape) * 1e-3

        def call(z, error=error):
            rows = [table[(row + 0.0).tobytes()] for row in z]
            return (truth + error)[rows]

        found = with_characters(unit_of(call), Y_MIRROR, GRID)
        relative = np.array([np.linalg.norm(error) / np.linalg.norm(truth)])
        size = np.array([np.sqrt((truth**2).mean()) / truth.std()])
        assert (found.asymmetry <= asymmetry_limit(relative, size)).all()
