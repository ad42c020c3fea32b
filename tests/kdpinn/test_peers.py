"""Models of DeepXDE and PINA as teachers: with the packages themselves, skipped without them.

`make peers` installs both. Known by their shape: stand-ins show the rest everywhere.
"""

from __future__ import annotations

import os
import sys
import types
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.sampling import interior
from kdpinn.teachers.functions import Function
from kdpinn.teachers.modules import TorchModule
from kdpinn.teachers.objects import teacher_of
from kdpinn.teachers.protocol import Smooth

BOX = Box(x=(-1, 1), t=(0, 2))
POINTS = interior(BOX, 30, seed=0)
# Sums of ten terms of size 1 in float32, three layers: what a double evaluation differs by.
SINGLE = 3 * 10 * float(np.finfo(np.float32).eps)


def installed(name: str) -> Any:
    """The package, whatever it warns of; the test is skipped without it."""
    os.environ.setdefault("DDE_BACKEND", "pytorch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


@pytest.mark.filterwarnings("ignore")
def test_a_deepxde_model():
    dde = installed("deepxde")
    torch.manual_seed(0)
    geometry = dde.geometry.GeometryXTime(
        dde.geometry.Interval(-1, 1), dde.geometry.TimeDomain(0, 2)
    )
    data = dde.data.TimePDE(geometry, lambda x, y: y, [], num_domain=10)
    net = dde.nn.FNN([2, 10, 10, 1], "tanh", "Glorot uniform")
    net.apply_feature_transform(lambda x: 2 * x)
    net.apply_output_transform(lambda x, y: 1 + x[:, 0:1] * y)
    model = dde.Model(data, net)
    model.compile("adam", lr=1e-3)
    teacher = teacher_of(model, BOX)
    assert isinstance(teacher, TorchModule)
    assert teacher.dtype == torch.float64
    own = model.predict(POINTS.numpy().astype(np.float32))
    np.testing.assert_allclose(teacher.values(POINTS.numpy()), own, atol=SINGLE)
    # d/dx of the transformed output, by DeepXDE's own differences in float64
    h = 1e-6
    shift = np.array([h, 0.0])
    left, right = (teacher.values(POINTS.numpy() + s * shift) for s in (-1, 1))
    slope = teacher.jets(POINTS, JetSpec(2, 1))[1].numpy()
    np.testing.assert_allclose(slope, (right - left) / (2 * h), atol=1e-8)
    assert next(net.parameters()).dtype == torch.float32


@pytest.mark.filterwarnings("ignore")
def test_a_pina_solver():
    installed("pina")
    from pina import Condition, LabelTensor
    from pina.domain import CartesianDomain
    from pina.equation import Equation
    from pina.model import FeedForward
    from pina.problem import SpatialProblem, TimeDependentProblem
    from pina.solver import PINN

    class Decay(SpatialProblem, TimeDependentProblem):
        output_variables = ["w"]  # noqa: RUF012 - as PINA's own examples
        spatial_domain = CartesianDomain({"x": [-1, 1]})
        temporal_domain = CartesianDomain({"t": [0, 2]})
        domains = {"D": CartesianDomain({"x": [-1, 1], "t": [0, 2]})}  # noqa: RUF012
        conditions = {  # noqa: RUF012
            "D": Condition(domain="D", equation=Equation(lambda x, u: u))
        }

    class Hard(torch.nn.Module):
        """A boundary condition built in, by labels."""

        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.inner = FeedForward(2, 1, inner_size=10, n_layers=2)

        def forward(self, x):
            return self.inner(x) * (1 - x.extract(["x"]) ** 2)

    solver = PINN(Decay(), Hard())
    for box in (BOX, Box(t=(0, 2), x=(-1, 1))):
        teacher = teacher_of(solver, box)
        assert teacher.outputs == ("w",)
        assert isinstance(teacher, Smooth)
        columns = POINTS if box is BOX else POINTS.flip(1)
        own = solver(LabelTensor(POINTS.float(), ["x", "t"])).detach().as_subclass(torch.Tensor)
        got = teacher.values(np.ascontiguousarray(columns.numpy()))
        np.testing.assert_allclose(got, own.numpy(), atol=SINGLE)
    with pytest.raises(ValueError, match="variables x, t, the domain has x, y"):
        teacher_of(solver, Box(x=(0, 1), y=(0, 1)))
    plain = teacher_of(FeedForward(2, 1, inner_size=4), BOX)
    assert isinstance(plain, TorchModule)


def test_a_deepxde_model_of_another_backend_teaches_by_its_predictions():
    class Model:
        net = object()
        data = object()

        def compile(self):
            raise AssertionError("not ours to compile")

        def predict(self, x):
            return x[:, :1] ** 2

    teacher = teacher_of(Model(), BOX)
    assert isinstance(teacher, Function)
    np.testing.assert_array_equal(teacher.values(POINTS.numpy()), POINTS.numpy()[:, :1] ** 2)


def test_a_labeled_solver_gets_its_columns_by_name(monkeypatch):
    class Labeled(torch.Tensor):
        @staticmethod
        def __new__(cls, x, labels):
            made = x.as_subclass(cls)
            made.labels = list(labels)
            return made

    library = types.ModuleType("labeled_library")
    library.LabelTensor = Labeled
    monkeypatch.setitem(sys.modules, "labeled_library", library)

    class Solver(torch.nn.Module):
        __module__ = "labeled_library.solver"
        problem = types.SimpleNamespace(input_variables=["t", "x"], output_variables=["u", "v"])

        def forward(self, x):
            assert x.labels == ["t", "x"]
            t, x = x.as_subclass(torch.Tensor).unbind(1)
            return torch.stack([torch.sin(x) * t, t], 1).as_subclass(Labeled)

    teacher = teacher_of(Solver(), BOX)
    assert teacher.outputs == ("u", "v")
    x = POINTS.numpy()
    expected = np.stack([np.sin(x[:, 0]) * x[:, 1], x[:, 1]], 1)
    np.testing.assert_allclose(teacher.values(x), expected, rtol=1e-15)
    slope = teacher.jets(POINTS, JetSpec(2, 1))[1, :, 0].numpy()
    np.testing.assert_allclose(slope, np.cos(x[:, 0]) * x[:, 1], rtol=1e-14)
