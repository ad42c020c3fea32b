"""Python objects as teachers: the same values, derivatives where there are any, clear refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
import teacher_module as own
import torch

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.sampling import interior
from kdpinn.teachers.functions import Function
from kdpinn.teachers.modules import TorchModule
from kdpinn.teachers.objects import teacher_of
from kdpinn.teachers.protocol import Scattered, Sliced, Smooth, Uncertain
from kdpinn.teachers.steepness import STEP, gradients

BOX = Box(x=(-1, 1), t=(0, 2))
POINTS = interior(BOX, 50, seed=1)
SPEC = JetSpec(2, 2, ((0, 0), (0, 1)))


class Formula(torch.nn.Module):
    """sin(2 x) exp(-t), whose derivatives are known."""

    def forward(self, x):
        return torch.sin(2 * x[:, :1]) * torch.exp(-x[:, 1:])


def formula_jets(points):
    x, t = points.unbind(1)
    s, c, e = torch.sin(2 * x), torch.cos(2 * x), torch.exp(-t)
    return torch.stack([s * e, 2 * c * e, -s * e, -4 * s * e, -2 * c * e])[..., None]


def test_a_function_is_taken_at_its_word():
    teacher = teacher_of(own.bump, BOX)
    assert (teacher.inputs, teacher.outputs) == (("x", "t"), ("u",))
    np.testing.assert_array_equal(teacher.values(POINTS.numpy())[:, 0], own.bump(POINTS.numpy()))
    assert not isinstance(teacher, (Smooth, Uncertain, Sliced, Scattered))


def test_a_module_knows_its_derivatives():
    teacher = teacher_of(Formula(), BOX, ("w",))
    assert isinstance(teacher, Smooth)
    got, expected = teacher.jets(POINTS, SPEC), formula_jets(POINTS)
    # A few operations on numbers of size 4 at most.
    assert (got - expected).abs().max() < 32 * np.finfo(float).eps
    np.testing.assert_array_equal(teacher.values(POINTS.numpy()), got[0].numpy())


def test_a_module_is_evaluated_in_float64_and_left_alone():
    net = own.Net()
    teacher = teacher_of(net, BOX)
    assert next(net.parameters()).dtype == torch.float32
    assert isinstance(teacher, TorchModule)
    assert teacher.dtype == torch.float64
    single = net(POINTS.float()).detach().double().numpy()
    # Rounding of float32 sums of five terms of size 1; a double evaluation is not the same bits.
    np.testing.assert_allclose(teacher.values(POINTS.numpy()), single, atol=1e-6)
    assert (teacher.values(POINTS.numpy()) != single).any()


def test_a_module_that_insists_on_float32_keeps_it():
    class Stubborn(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(2, 1)

        def forward(self, x):
            return torch.nn.functional.linear(x.float(), self.layer.weight, self.layer.bias)

    teacher = teacher_of(Stubborn(), BOX)
    assert isinstance(teacher, TorchModule)
    assert teacher.dtype == torch.float32
    assert teacher.values(POINTS.numpy()).dtype == np.float64


@pytest.mark.parametrize("lost", ["all", "half", "second"])
def test_a_module_that_hides_its_derivatives_teaches_values(lost):
    """Autograd gives zeros for what was detached; they would teach the student a flat field."""

    class Detached(torch.nn.Module):
        def forward(self, x):
            u = torch.sin(3 * x[:, :1])
            if lost == "all":
                return u.detach()
            if lost == "half":
                return 0.2 * u + u.detach()
            return u.detach() + 3 * torch.cos(3 * x[:, :1]).detach() * (x - x.detach())[:, :1]

    teacher = teacher_of(Detached(), BOX)
    assert isinstance(teacher, Function)
    expected = np.sin(3 * POINTS.numpy()[:, :1])
    np.testing.assert_allclose(
        teacher.values(POINTS.numpy()), expected * (1 + 0.2 * (lost == "half"))
    )


def test_our_own_field_is_a_teacher():
    field = Field.create(
        inputs=("x", "t"),
        outputs=("u",),
        lower=BOX.lower,
        upper=BOX.upper,
        hidden=(4,),
        generator=torch.Generator().manual_seed(0),
    )
    assert teacher_of(field, BOX) is field
    assert isinstance(field, Smooth)
    assert not isinstance(field, (Uncertain, Sliced, Scattered))


def test_steepness_by_differences_is_that_of_the_derivatives():
    function = teacher_of(lambda x: formula_jets(torch.from_numpy(x))[0, :, 0].numpy(), BOX)
    got = gradients(BOX, function, POINTS)
    expected = gradients(BOX, teacher_of(Formula(), BOX), POINTS)
    # One-sided at the faces: half of a step of width h times the second derivative, 4 at most.
    h = 2 * STEP * (BOX.upper - BOX.lower).max()
    assert (got - expected).abs().max() < 4 * h / 2
    assert expected.abs().max() > 1


def test_a_float32_teacher_is_steep_where_it_is():
    """Its rounding, 6e-8, over a step of 1e-2 of the domain: five digits of the slope are left."""
    teacher = teacher_of(lambda x: np.tanh(20 * x[:, 0]).astype(np.float32), BOX)
    at = torch.tensor([[0.0, 1.0], [0.9, 1.0]], dtype=torch.float64)
    steep, flat = gradients(BOX, teacher, at)[0, :, 0].tolist()
    h = 2 * STEP
    assert steep == pytest.approx(math.tanh(20 * h) / h, rel=1e-4)
    assert abs(flat) < 1e-4


@pytest.mark.parametrize(
    ("value", "fields", "says"),
    [
        (3, (), "must be a torch.nn.Module, a DeepXDE model.*got int"),
        (own.pair, (), r"gives 2 values per point.*names is none.*--fields"),
        (own.pair, ("u", "v", "w"), r"2 values per point.*3 \(u, v, w\)"),
        (own.chance, (), "answers differently.*another order"),
        (own.column, (), r"a row per point, \(8, fields\), got \(2, 8, 1\)"),
        (lambda x: "high", (), "array of numbers, got str"),
        (lambda x, y: x, (), r"does not run on an array \(8, 2\) of points \(x, t\)"),
        (torch.nn.Linear(3, 1), (), r"does not run.*mat1 and mat2"),
    ],
)
def test_what_cannot_teach_says_why(value, fields, says):
    with pytest.raises(ValueError, match=says):
        teacher_of(value, BOX, fields)


def test_values_that_are_not_finite_are_refused_with_the_place():
    teacher = teacher_of(own.holes, BOX)
    with pytest.raises(ValueError, match=r"not finite at 1 of 2 points, the first at \[0\.5, 1"):
        teacher.values(np.array([[-0.5, 1.0], [0.5, 1.0]]))
