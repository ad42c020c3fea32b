import math

import numpy as np
import pytest
import torch

from kdpinn import Box, Problem, dirichlet
from kdpinn.field import Field
from kdpinn.jets import JetSpec
from kdpinn.problems.coordinate_maps import feature_bounds
from kdpinn.problems.functions import cos, exp, sin, tanh
from kdpinn.teacher import new_field

EPS = np.finfo(np.float64).eps
DOMAIN = Box(x=(-1, 1), t=(0, 2))


def problem(**changes):
    arguments = {
        "name": "wave",
        "domain": DOMAIN,
        "fields": ("u", "v"),
        "parameters": {"k": 2.0},
        "residual": lambda j: j.u.t + j.v.xx,
        "features": lambda c: (cos(math.pi * c.x), sin(math.pi * c.x), c.t),
        "exact": lambda c: {"u": (c.x**2 * cos(math.pi * c.x), c.t * exp(-c.k * c.x))},
    }
    return Problem(**{**arguments, **changes})


def points(n):
    return DOMAIN.from_unit(np.random.default_rng(1).random((n, 2)))


def test_programs_compute_what_python_does():
    features, exact = problem().maps()
    x, t = points(50).T
    assert np.abs(features(points(50)) - np.stack([np.cos(np.pi * x), np.sin(np.pi * x), t], 1))\
        .max() < 8 * EPS  # fmt: skip
    expected = [x**2 * np.cos(np.pi * x), 0 * x, t * np.exp(-2 * x), 0 * x + 1]
    assert np.abs(exact(points(50)) - np.stack(expected, 1)).max() < 32 * EPS


def test_powers_reciprocals_and_shared_values():
    made = problem(
        features=lambda c: (c.x**5, 1 / (2 + c.t) ** 3, tanh(c.x * c.t), c.x**5 + 1), exact=None
    )
    features, none = made.maps()
    assert none is None
    x, t = points(50).T
    expected = np.stack([x**5, (2 + t) ** -3.0, np.tanh(x * t), x**5 + 1], 1)
    assert np.abs(features(points(50)) - expected).max() < 16 * EPS
    kinds = [operation.kind for operation in features.operations]
    assert kinds.count("reciprocal") == kinds.count("tanh") == 1
    assert kinds.count("multiply") == 3 + 2 + 1  # x^5, (2 + t)^3, x t: nothing twice


def trained_field():
    return new_field(problem(), (6, 5), "tanh", 0)


def test_jets_are_the_derivatives_of_the_values():
    field, spec = trained_field(), JetSpec(2, 2, ((0, 0), (0, 1), (1, 1)))
    x = torch.from_numpy(points(7))
    jets = field.jets(x, spec)
    h = 1e-4
    for i in range(2):
        step = torch.zeros(2, dtype=torch.float64)
        step[i] = h
        first = (field(x + step) - field(x - step)) / (2 * h)
        second = (field(x + step) - 2 * field(x) + field(x - step)) / h**2
        # Central differences: h^2 / 6 of a third derivative below 1e3, and rounding / h^2.
        assert (first - jets[1 + i]).abs().max() < 1e3 * h**2
        assert (second - jets[3 + 2 * i]).abs().max() < 1e3 * h**2 + 40 * EPS / h**2
    along = torch.full((2,), h, dtype=torch.float64)
    mixed = (field(x + along) - 2 * field(x) + field(x - along)) / h**2
    both = jets[3] + 2 * jets[4] + jets[5]
    assert (mixed - both).abs().max() < 1e4 * h**2 + 40 * EPS / h**2


def test_exact_conditions_hold_for_any_parameters():
    field = trained_field()
    x = torch.linspace(-1, 1, 33, dtype=torch.float64)
    start = field(torch.stack([x, torch.zeros_like(x)], 1))[:, 0]
    assert (start - x**2 * torch.cos(torch.pi * x)).abs().max() < 8 * EPS


def test_features_make_the_field_periodic_with_all_derivatives():
    field = new_field(problem(exact=None), (6, 5), "tanh", 0)
    t = torch.linspace(0, 2, 9, dtype=torch.float64)
    spec = JetSpec(2, 2, ((0, 0),))
    left, right = (field.jets(torch.stack([e * torch.ones_like(t), t], 1), spec) for e in (-1, 1))
    scale = left.abs().amax((1, 2), keepdim=True)
    assert ((left - right).abs() <= 64 * EPS * scale).all()


def test_bounds_normalize_each_feature():
    lower, upper = feature_bounds(problem().maps()[0], DOMAIN)
    assert lower == pytest.approx([-1, -1, 0], abs=1e-12)
    assert upper == pytest.approx([1, 1, 2], abs=1e-12)
    field = trained_field()
    assert field.network.sizes == (3, 6, 5, 2)


def test_field_file_keeps_maps_and_unknowns(tmp_path):
    field = new_field(problem(unknown=("k",), residual=lambda j: j.u.t + j.k * j.v), (4,), "sin", 0)
    field.save(tmp_path / "field.safetensors")
    again = Field.load(tmp_path / "field.safetensors")
    x = torch.from_numpy(points(5))
    assert torch.equal(field(x), again(x))
    assert again.found == {"k": pytest.approx(2.0)}
    assert again.exact == field.exact
    assert field.like((3,), torch.Generator()).unknown == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"features": lambda c: {"a": c.x}}, "returns a tuple"),
        ({"features": lambda c: (c.x, abs(c.x))}, "Abs.*is not made of"),
        ({"features": lambda c: (c.x, 1 + c.k)}, "constant"),
        ({"exact": lambda c: {"w": (0, 1)}}, "out of u, v"),
        ({"exact": lambda c: {"u": c.x}}, r"\(base, factor\) for a field, 'u'"),
        ({"exact": lambda c: {"u": (c.x**0.5, 1)}}, "whole powers"),
        ({"exact": lambda c: {"u": (c.x / 0.0, 1)}}, "the number"),
        ({"unknown": ("q",)}, "unknown 'q' needs a first value"),
    ],
)
def test_mistakes_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        new_field(problem(**changes), (3,), "tanh", 0)


def test_an_unknown_parameter_is_found():
    from kdpinn.recipe import Recipe, Training
    from kdpinn.teacher import train_teacher

    decay = Problem(
        name="decay",
        domain=Box(x=(0, 1), t=(0, 1)),
        fields=("u",),
        parameters={"rate": 1.5},
        unknown=("rate",),
        truth={"rate": 0.5},
        residual=lambda j: j.u.t + j.rate * j.u,
        conditions=(
            dirichlet("start", on=[{"t": 0}], u=lambda x: np.sin(np.pi * x)),
            dirichlet("end", on=[{"t": 1}], u=lambda x: np.sin(np.pi * x) * np.exp(-0.5)),
        ),
        reference=lambda x, t, rate: np.sin(np.pi * x) * np.exp(-rate * t),
        grid=(21, 11),
    )
    training = Training(points=200, condition_points=40, iterations=200, last_iterations=0)
    trained = train_teacher(decay, Recipe(teacher=(8, 8), training=training))
    # The conditions determine the rate: its error is of the order of the field's.
    assert trained.field.found["rate"] == pytest.approx(0.5, rel=1e-3)
    assert decay.reference_at(np.array([[0.5, 1.0]]))[0, 0] == pytest.approx(np.exp(-0.5))
    solved = decay.with_found(trained.field.found)
    assert solved.unknown == ()
    assert solved.parameters["rate"] == trained.field.found["rate"]
