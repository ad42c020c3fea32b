"""Ensembles, parts of a domain, values of a parameter: what each adds up to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.losses import LeastSquares
from kdpinn.matching import (
    MatchingPoints,
    gaussian_kl,
    matching_points,
    matching_terms,
    on_slices,
    relative_sigma,
    value_term,
)
from kdpinn.problems import Problem
from kdpinn.recipe import Distillation
from kdpinn.sampling import interior
from kdpinn.teacher import new_field
from kdpinn.teachers.ensemble import Ensemble, SmoothEnsemble, ensemble
from kdpinn.teachers.functions import Function
from kdpinn.teachers.objects import teacher_of
from kdpinn.teachers.patches import FLOOR, RAMP, Patch, Patches
from kdpinn.teachers.slices import Slices, sliced_box
from kdpinn.teachers.taught import TeacherReference

BOX = Box(x=(-1, 1), t=(0, 2))
X = interior(BOX, 40, seed=3).numpy()


def function(call, names=("x", "t")):
    return Function(name="f", call=call, inputs=names, outputs=("u",))


def constant(value):
    return function(lambda x: np.full(len(x), value))


class Plane(torch.nn.Module):
    def __init__(self, slope):
        super().__init__()
        self.slope = slope

    def forward(self, x):
        return self.slope * x[:, :1]


# -- ensembles -----------------------------------------------------------------------------------


def test_mean_and_spread_are_weighted():
    teacher = Ensemble((constant(1.0), constant(2.0), constant(4.0)), (1.0, 2.0, 1.0))
    np.testing.assert_allclose(teacher.values(X), 2.25, rtol=1e-15)
    variance = (1.25**2 + 2 * 0.25**2 + 1.75**2) / 4
    np.testing.assert_allclose(teacher.spread(X), np.sqrt(variance), rtol=1e-15)


def test_derivatives_are_those_of_the_mean_where_all_have_them():
    smooth = [teacher_of(Plane(slope), BOX) for slope in (1.0, 4.0)]
    both = ensemble(smooth, [2.0, 1.0])
    assert isinstance(both, SmoothEnsemble)
    jets = both.jets(torch.from_numpy(X), JetSpec(2, 1))
    np.testing.assert_allclose(jets[1].numpy(), 2.0, rtol=1e-15)
    assert isinstance(ensemble([smooth[0], constant(0.0)], [1.0, 1.0]), Ensemble)
    assert ensemble(smooth[:1], [3.0]) is smooth[0]


def test_the_divergence_of_an_ensemble_is_that_of_unequal_gaussians():
    """Between two students the loss differs as the divergence does: the rest knows no student."""
    wide = function(lambda x: np.sin(x[:, 0]) + 0.3 * x[:, 1])
    teacher = Ensemble((wide, function(lambda x: np.sin(x[:, 0]))), (1.0, 1.0))
    at = MatchingPoints(torch.from_numpy(X), torch.linspace(0.5, 1.5, len(X)).double())
    term = value_term(teacher, at, 0.2)
    mean, spread = (torch.from_numpy(f(X)) for f in (teacher.values, teacher.spread))
    sigma = 0.2 * mean.square().mean().sqrt() * relative_sigma(spread)

    def loss(student):
        return float((term.residual(student[None], torch.zeros(0)) * term.factor()).square().sum())

    def divergence(student):
        kl = gaussian_kl(mean, student, spread.clamp_min(1e-3), sigma)
        return float((at.importance * kl[:, 0]).mean())

    one, two = mean + 0.1, mean - 0.05 * torch.from_numpy(X[:, :1])
    assert loss(one) - loss(two) == pytest.approx(divergence(one) - divergence(two), rel=1e-10)
    equal = value_term(wide, at, 0.2)
    assert not torch.allclose(term.residual(one[None], None), equal.residual(one[None], None))


def test_where_members_differ_their_mean_weighs_less_and_never_nothing_at_all():
    spread = torch.tensor([[0.0], [1.0], [1.0], [2.0]], dtype=torch.float64)
    sigma = relative_sigma(spread)
    # mean s^2 = 1.5: sqrt((1 + s^2 / 1.5) / 2)
    expected = [(1 / 2) ** 0.5, (5 / 6) ** 0.5, (5 / 6) ** 0.5, (11 / 6) ** 0.5]
    assert sigma[:, 0].tolist() == pytest.approx(expected, rel=1e-15)
    assert (relative_sigma(torch.zeros(3, 1)) == 1).all()


def test_members_must_agree_on_names():
    with pytest.raises(ValueError, match="one maps x, t to u, another a, b to u"):
        ensemble([constant(0.0), function(lambda x: x[:, 0], ("a", "b"))], [1.0, 1.0])


# -- parts ---------------------------------------------------------------------------------------


def patches(*parts):
    return Patches(BOX, tuple(Patch(constant(v), w, region) for v, w, region in parts))


def at(x, t=1.0):
    return np.array([[x, t]])


def test_each_part_is_taught_by_its_own():
    teacher = patches((1.0, 1.0, {"x": (-1.0, 0.0)}), (3.0, 1.0, {"x": (0.0, 1.0)}))
    assert teacher.values(at(-0.5)).item() == 1
    assert teacher.values(at(0.5)).item() == 3
    assert teacher.values(at(0.0)).item() == 2


def test_a_fine_teacher_outweighs_the_coarse_one_and_fades_in():
    teacher = patches((0.0, 1.0, {}), (1.0, 100.0, {"x": (-0.5, 0.5)}))
    assert teacher.values(at(0.0)).item() == pytest.approx(100 / 101, rel=1e-14)
    assert teacher.values(at(-0.5)).item() == pytest.approx(100 * FLOOR, rel=1e-3)
    middle = -0.5 + RAMP / 2  # half of the ramp, which is a tenth of a part of width 1
    assert teacher.values(at(middle)).item() == pytest.approx(50 / 51, rel=1e-14)
    assert teacher.values(at(-0.7)).item() == 0


def test_teachers_are_asked_only_where_they_are_valid():
    def half(x):
        assert (x[:, 0] <= 0).all()
        return x[:, 0]

    left, right = (
        Patch(function(half), 1.0, {"x": (-1, 0)}),
        Patch(constant(0.0), 1.0, {"x": (0, 1)}),
    )
    values = Patches(BOX, (left, right)).values(X)
    np.testing.assert_allclose(values[:, 0], np.minimum(X[:, 0], 0.0), atol=1e-15)


def test_a_part_that_nobody_teaches():
    with pytest.raises(
        ValueError, match=r"No teacher is valid for x in \[0\.2, 1\], t in \[0, 2\]"
    ):
        patches((1.0, 1.0, {"x": (-1.0, 0.2)}))
    with pytest.raises(ValueError, match=r"x in \[0, 1\], t in \[1, 2\]"):
        patches((1.0, 1.0, {"x": (-1.0, 0.0)}), (1.0, 1.0, {"t": (0.0, 1.0)}))


# -- parameters ----------------------------------------------------------------------------------


def decays(values=(0.1, 0.5, 2.0)):
    line = Box(x=(-1, 1))
    teachers = {(nu,): function(lambda x, nu=nu: np.exp(-nu) * x[:, 0], ("x",)) for nu in values}
    box = sliced_box(line, ["nu"], list(teachers))
    return Slices(box.names, teachers), box


def test_a_parameter_becomes_a_coordinate():
    teacher, box = decays()
    assert box == Box(x=(-1, 1), nu=(0.1, 2.0))
    assert teacher.slices == {"nu": (0.1, 0.5, 2.0)}
    x = np.array([[0.5, 0.1], [-1.0, 2.0], [0.25, 0.5]])
    np.testing.assert_array_equal(teacher.values(x)[:, 0], np.exp(-x[:, 1]) * x[:, 0])
    rounded = x.astype(np.float32).astype(np.float64)
    np.testing.assert_allclose(teacher.values(rounded), teacher.values(x), rtol=1e-7)
    with pytest.raises(ValueError, match=r"No teacher has nu = \[0\.3\].*0\.1"):
        teacher.values(np.array([[0.0, 0.3]]))


def test_points_lie_on_the_taught_values_each_as_often():
    teacher, box = decays()
    found = matching_points(box, teacher, 600, seed=0).points
    counts = [int((found[:, 1] == nu).sum()) for nu in teacher.slices["nu"]]
    # The even half in equal shares; the steep half leans to the steepest, e^-0.1 : e^-2.
    assert sum(counts) == 600
    assert counts[0] > counts[1] > counts[2] > 100 - 2
    moved = on_slices(box, interior(box, 300, seed=0), teacher.slices)
    assert [int((moved[:, 1] == nu).sum()) for nu in (0.1, 0.5, 2.0)] == pytest.approx(
        [100] * 3, abs=2
    )


def test_a_grid_of_known_values_only():
    teacher, box = decays((0.0, 0.5, 1.0))
    assert TeacherReference(teacher).slices == {"nu": (0.0, 0.5, 1.0)}
    x = box.grid((3, 3))
    np.testing.assert_allclose(teacher.values(x)[:, 0], np.exp(-x[:, 1]) * x[:, 0], rtol=1e-15)


def test_combinations_and_single_values():
    line = Box(x=(-1, 1))
    with pytest.raises(ValueError, match=r"All teachers have nu = 0\.1.*two values"):
        sliced_box(line, ["nu"], [(0.1,), (0.1,)])
    flat = function(lambda x: x[:, 0], ("x",))
    with pytest.raises(ValueError, match="No teacher has a = 1, b = 2"):
        Slices(("x", "a", "b"), {(0.0, 0.0): flat, (1.0, 0.0): flat, (0.0, 2.0): flat})


def test_teachers_without_derivatives_teach_values_alone():
    problem = Problem(
        name="taught", domain=BOX, fields=("u",), reference=TeacherReference(constant(1.0))
    )
    teacher = function(lambda x: x[:, 0] * x[:, 1])
    found = matching_points(BOX, teacher, 64, seed=0)
    terms = matching_terms(problem, teacher, found, Distillation(first_weight=0.1))
    assert [term.name for term in terms] == ["values"]
    student = new_field(problem, (3,), "tanh", 0)
    assert LeastSquares(student, terms).value_and_gradient(student.theta)[0] > 0
