import pickle

import numpy as np
import pytest
import torch

from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.problems import Condition, Problem, available, dirichlet
from kdpinn.problems.load import SHIPPED


def heat(**changes) -> Problem:
    """u_t = alpha u_xx + f, with everything that a problem may have."""
    given = {
        "name": "heat",
        "domain": Box(x=(0, 1), t=(0, 2), units={"x": "m", "t": "s"}),
        "fields": ("u",),
        "parameters": {"alpha": 0.5},
        "units": {"u": "K", "alpha": "m2/s"},
        "sources": {"f": lambda x, alpha: alpha * x},
        "residual": lambda j: j.u.t - j.alpha * j.u.xx - j.f,
        "conditions": (
            dirichlet("initial", on=[{"t": 0}], u=lambda x: np.sin(np.pi * x)),
            dirichlet("left", on=[{"x": 0}], u=0.0, weight=7.0),
            Condition(
                "flux",
                on=[{"x": 1}],
                residual=lambda j: j.alpha * j.u.x - j.q,
                data={"q": lambda t: np.cos(t)},
            ),
        ),
        "reference": lambda x, t, alpha: alpha * x * t,
    }
    return Problem(**(given | changes))


def test_problem_knows_its_names_and_units():
    problem = heat()
    assert problem.title == "heat"
    assert problem.coordinates == ("x", "t")
    assert problem.equation_names == ("pde",)
    assert [problem.unit(k) for k in ("x", "t", "u", "alpha")] == ["m", "s", "K", "m2/s"]
    assert problem.condition("left").weight == 7.0
    assert problem.grid == (100, 100)


def test_each_residual_asks_for_the_derivatives_it_uses():
    problem = heat()
    assert problem.spec() == JetSpec(2, 2, ((0, 0),))
    assert problem.spec(problem.condition("initial")) == JetSpec(2, 0)
    assert problem.spec(problem.condition("flux")) == JetSpec(2, 1)
    mixed = heat(residual=lambda j: j.u.tx * j.u.xt + j.u.tt + torch.sin(j.u), sources={})
    assert mixed.spec() == JetSpec(2, 2, ((0, 1), (1, 1)))


def test_data_are_tables_at_the_points():
    problem = heat()
    x = np.array([[1.0, 0.0], [1.0, 0.5]])
    assert problem.data_at(x).keys() == {"f"}
    data = problem.data_at(x, problem.condition("flux"))
    assert np.array_equal(data["f"], [0.5, 0.5])
    assert np.array_equal(data["q"], np.cos([0.0, 0.5]))
    left = problem.data_at(x, problem.condition("left"))
    assert np.array_equal(left["u_target"], [0.0, 0.0])


def test_residuals_of_a_networks_channels():
    problem = heat()
    spec = problem.spec()
    x = torch.tensor([[0.25, 1.0], [0.5, 2.0], [1.0, 0.0]], dtype=torch.float64)
    u, u_x, u_t, u_xx = torch.arange(12, dtype=torch.float64).reshape(4, 3)
    channels = torch.stack([u, u_x, u_t, u_xx])[:, :, None]
    data = {k: torch.from_numpy(v) for k, v in problem.data_at(x.numpy()).items()}
    residuals = problem.residuals(problem.jet(x, channels, spec, data))
    # All values are multiples of 1/8: the arithmetic is exact.
    assert residuals.keys() == {"pde"}
    assert torch.equal(residuals["pde"], u_t - 0.5 * u_xx - 0.5 * x[:, 0])


def test_conditions_read_their_own_data():
    problem = heat()
    condition = problem.condition("initial")
    x = np.array([[0.5, 0.0], [0.0, 0.0]])
    data = problem.data_at(x, condition)
    j = problem.jet(x, np.array([[[3.0], [4.0]]]), JetSpec(2, 0), data)
    assert np.array_equal(problem.residuals(j, condition)["u"], [2.0, 4.0])


def test_several_equations_and_fields():
    problem = Problem(
        name="flow",
        domain=Box(x=(0, 1), y=(0, 1)),
        fields=("u", "v"),
        residual=lambda j: {"mass": j.u.x + j.v.y, "spin": j.v.x - j.u.y},
        conditions=[dirichlet("wall", on=[{"y": 0}], u=0.0, v=lambda x: x)],
        reference=lambda x, y: (x, -y),
    )
    assert problem.equation_names == ("mass", "spin")
    assert problem.spec() == JetSpec(2, 1)
    points = np.array([[0.25, 0.5]])
    assert np.array_equal(problem.reference_at(points), [[0.25, -0.5]])
    wall = problem.condition("wall")
    j = problem.jet(points, np.array([[[1.0, 2.0]]]), JetSpec(2, 0), problem.data_at(points, wall))
    assert {k: v.item() for k, v in problem.residuals(j, wall).items()} == {"u": 1.0, "v": 1.75}


def test_evaluation_grid_and_reference_fit():
    problem = heat(grid=(3, 2))
    x = problem.evaluation_points()
    assert np.array_equal(x, [[0, 0], [0, 2], [0.5, 0], [0.5, 2], [1, 0], [1, 2]])
    assert np.array_equal(problem.reference_at(x)[:, 0], 0.5 * x[:, 0] * x[:, 1])
    uneven = heat(grid=(3, 2), positions={"t": (0.5, 2.0)}).evaluation_points()
    assert np.array_equal(np.unique(uneven[:, 1]), [0.5, 2.0])
    assert np.array_equal(uneven[:, 0], x[:, 0])


def test_replaced_parameters_reach_every_function():
    problem = heat().replace(parameters={"alpha": 2.0}, name="hot")
    x = np.array([[1.0, 1.0]])
    assert problem.name == "hot"
    assert problem.reference_at(x).item() == 2.0
    assert problem.data_at(x)["f"].item() == 2.0
    with pytest.raises(ValueError, match="'heat' has no parameter 'nu'; it has alpha"):
        heat().replace(parameters={"nu": 1.0})


def test_problem_without_equation_learns_its_reference():
    problem = heat(residual=None)
    assert problem.equation_names == ()
    with pytest.raises(ValueError, match="'heat' has no `residual`"):
        problem.spec()
    with pytest.raises(ValueError, match="'heat' has no `reference`"):
        heat(reference=None).reference_at(np.zeros((1, 2)))


def test_shipped_problems_are_sorted_named_and_travel():
    names = [problem.name for problem in available()]
    assert names == sorted(names) == list(SHIPPED)
    for problem in available():
        assert pickle.loads(pickle.dumps(problem)).name == problem.name
        assert problem.source
        assert problem.title != problem.name


MISTAKES = {
    "third order": (
        {"residual": lambda j: j.u.xxx},
        AttributeError,
        "only first and second derivatives",
    ),
    "unknown parameter": (
        {"residual": lambda j: j.u.t - j.beta},
        AttributeError,
        r"`j\.beta` does not exist: `j` has u, x, t, alpha, f",
    ),
    "no return": ({"residual": lambda j: None}, ValueError, "'heat'.*`return` missing"),
    "scalar": (
        {"residual": lambda j: j.u.t.sum()},
        ValueError,
        r"equation 'pde' must return one value per point.*\(3,\).*got \(\)",
    ),
    "number": ({"residual": lambda j: 1.0}, ValueError, "'pde'.*got float"),
    "equation name": ({"residual": lambda j: {"a b": j.u.t}}, ValueError, "'a b' must be"),
    "fields as text": ({"fields": "u"}, ValueError, r"`fields` is a tuple, write \('u',\)"),
    "no field": ({"fields": ()}, ValueError, "'heat' needs at least one field"),
    "one name twice": (
        {"parameters": {"x": 1.0}},
        ValueError,
        "'x' is both a coordinate and a parameter.*rename one",
    ),
    "keyword": ({"parameters": {"lambda": 1.0}}, ValueError, "parameter name 'lambda' must be"),
    "long name": ({"parameters": {"a" * 24: 1.0}}, ValueError, "at most 23"),
    "parameter": ({"parameters": {"alpha": np.nan}}, ValueError, "'alpha' must be finite, got nan"),
    "grid": ({"grid": (5,)}, ValueError, r"`grid` needs.*each of x, t, got \(5,\)"),
    "positions": (
        {"grid": (5, 2), "positions": {"t": (0.0, 1.0, 2.0)}},
        ValueError,
        r"`grid` has 2 points along 't', `positions` has 3",
    ),
    "positions that fall": (
        {"grid": (5, 2), "positions": {"t": (1.0, 0.5)}},
        ValueError,
        r"`positions`: .*ascending positions along 't' in \[0, 2\]",
    ),
    "grid of one": ({"grid": (5, 1)}, ValueError, r">= 2 for each of x, t, got \(5, 1\)"),
    "unit": ({"units": {"x": "m"}}, ValueError, "'x', which is no field or parameter.*`Box`"),
    "name": ({"name": "my heat"}, ValueError, "problem name 'my heat' must be a Python identifier"),
    "nothing": (
        {"residual": None, "reference": None},
        ValueError,
        "needs a `residual`, or a `reference`",
    ),
    "face": (
        {"conditions": (dirichlet("end", on=[{"x": 2}], u=0.0),)},
        ValueError,
        r"'heat', Condition 'end': .*'x' is in \[0, 1\], got 2",
    ),
    "condition of an unknown field": (
        {"conditions": (dirichlet("end", on=[{"x": 1}], w=0.0),)},
        AttributeError,
        r"`j\.w` does not exist",
    ),
    "two conditions of one name": (
        {"conditions": (dirichlet("end", on=[{"x": 1}], u=0.0),) * 2},
        ValueError,
        "'end' is both a condition and a condition",
    ),
    "source of unknown names": (
        {"sources": {"f": lambda z: z}},
        ValueError,
        "'heat', 'f': the function asks for 'z'.*x, t, alpha",
    ),
    "source of another shape": (
        {"sources": {"f": lambda x: x[:, None]}},
        ValueError,
        r"'f': expected one value per point, shape \(3,\), got \(3, 1\)",
    ),
    "source that is not finite": (
        {"sources": {"f": lambda x: np.where(x > 0.3, np.inf, x)}},
        ValueError,
        "'f': 2 of 3 values are not finite",
    ),
    "positional source": (
        {"sources": {"f": lambda x, /: x}},
        ValueError,
        "'x' is positional only",
    ),
    "reference of unknown names": (
        {"reference": lambda x, z: x},
        ValueError,
        "`reference`: the function asks for 'z'",
    ),
    "ambiguous derivative": (
        {"domain": Box(t=(0, 1), x=(0, 1), xx=(0, 1))},
        ValueError,
        r"the derivative `\.xx` could mean two things",
    ),
    "reserved coordinate": (
        {"domain": Box(d=(0, 1), t=(0, 1), x=(0, 1))},
        ValueError,
        "cannot be called 'd'",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_found_when_the_problem_is_made(mistake):
    changes, kind, message = MISTAKES[mistake]
    with pytest.raises(kind, match=message):
        heat(**changes)


def test_reference_with_another_number_of_fields_is_explained():
    problem = heat(reference=lambda x, t: (x, t))
    with pytest.raises(ValueError, match="an array for each of u, got 2"):
        problem.reference_at(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="'heat' has no condition 'rest'; it has initial, left"):
        problem.condition("rest")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: dirichlet("a", on=[{"x": 0}]), r"dirichlet\('a'.*needs a value for a field"),
        (lambda: dirichlet("a", on={"x": 0}, u=0.0), r"Condition 'a': `on` is a list of faces"),
        (lambda: dirichlet("a", on=[], u=0.0), "Condition 'a': `on` needs at least one face"),
        (lambda: dirichlet("a", on=[{"x": 0}], u=0.0, weight=0.0), "'a': `weight` must be.*got 0"),
        (lambda: dirichlet("a b", on=[{"x": 0}], u=0.0), "condition name 'a b'"),
        (lambda: Condition("a", on=[{"x": 0}], residual=0.0), "`residual` must be a function"),
    ],
)
def test_wrong_conditions_are_explained(make, message):
    with pytest.raises(ValueError, match=message):
        make()
