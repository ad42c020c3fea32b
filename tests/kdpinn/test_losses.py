import math

import numpy as np
import pytest
import torch

from kdpinn.field import Field
from kdpinn.jets import JetSpec
from kdpinn.losses import LeastSquares, Term, TrainingDiverged, check_finite

EPS = torch.finfo(torch.float64).eps
VALUE, SECOND = JetSpec(2, 0), JetSpec(2, 2, ((0, 0), (0, 1)))


def make_field(outputs: int = 2) -> Field:
    return Field.create(
        inputs=("x", "t"),
        outputs=("u", "v")[:outputs],
        lower=np.array([-1.0, 0.0]),
        upper=np.array([1.0, 2.0]),
        hidden=(5, 4),
        generator=torch.Generator().manual_seed(0),
    )


def points(n: int, seed: int) -> torch.Tensor:
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def terms() -> list[Term]:
    shared = points(6, 3)
    weights = torch.linspace(0.5, 1.5, 6, dtype=torch.float64)
    return [
        Term(name="a", points=points(7, 1), spec=VALUE, residual=lambda c, _: c[0, :, 0] - 1),
        Term(
            name="b",
            points=points(5, 2),
            spec=SECOND,
            residual=lambda c, _: torch.stack(
                [c[3, :, 0] * c[1, :, 1], c[4, :, 1] + c[0, :, 0]], 1
            ),
            weight=3.0,
        ),
        Term(name="c", points=shared, spec=VALUE, residual=lambda c, _: c[0] ** 2, weight=10.0),
        Term(
            name="d",
            points=shared,
            spec=VALUE,
            residual=lambda c, _: c[0, :, 1].sin(),
            importance=weights,
        ),
    ]


@pytest.mark.parametrize("scaled", [False, True])
def test_value_is_the_weighted_sum_of_mean_squares(scaled):
    field = make_field()
    if scaled:
        two = torch.tensor([2.0, -3.0], dtype=torch.float64)
        field = Field(**{**vars(field), "output_scale": two, "output_shift": two / 7})
    objective = LeastSquares(field, terms())
    expected = {}
    for term in terms():
        channels = field.jets(term.points, term.spec)
        residual = term.residual(channels, field.start).reshape(len(term.points), -1)
        squares = residual.square().sum(1)
        importance = 1.0 if term.importance is None else term.importance
        expected[term.name] = term.weight * (importance * squares).mean().item()
    # Sums of at most 14 squares, each with a few roundings.
    assert objective.term_values(field.theta) == pytest.approx(expected, rel=50 * EPS)
    value, _ = objective.value_and_gradient(field.theta)
    residuals = objective.residuals(field.theta)
    assert value == pytest.approx(sum(expected.values()), rel=50 * EPS)
    assert float(residuals @ residuals) == pytest.approx(value, rel=50 * EPS)


@pytest.mark.parametrize("scaled", [False, True])
def test_jacobian_and_gradient_agree_with_differences(scaled):
    field = make_field()
    if scaled:
        two = torch.tensor([2.0, -3.0], dtype=torch.float64)
        field = Field(**{**vars(field), "output_scale": two, "output_shift": two / 7})
    objective = LeastSquares(field, terms())
    theta = field.theta
    residuals, jacobian = objective.residuals_and_jacobian(theta)
    assert jacobian.shape == (len(theta), len(residuals))
    _, gradient = objective.value_and_gradient(theta)
    torch.testing.assert_close(2 * jacobian @ residuals, gradient, rtol=1e-12, atol=1e-12)
    h = EPS ** (1 / 3)
    for p in range(0, len(theta), 5):
        step = torch.zeros_like(theta)
        step[p] = h
        upper, _ = objective.residuals_and_jacobian(theta + step)
        lower, _ = objective.residuals_and_jacobian(theta - step)
        # h^2 times a third derivative; the largest here is of order 100.
        assert ((upper - lower) / (2 * h) - jacobian[p]).abs().max() < 1000 * h**2


def test_terms_on_the_same_points_are_evaluated_once():
    objective = LeastSquares(make_field(), terms())
    assert sorted(len(batch.frame.inputs) for batch in objective._batches) == [5, 7 + 6]


def test_jacobian_by_unknowns_agrees_with_differences():
    field = Field.create(
        inputs=("x", "t"),
        outputs=("u",),
        lower=np.array([-1.0, 0.0]),
        upper=np.array([1.0, 2.0]),
        hidden=(4,),
        generator=torch.Generator().manual_seed(0),
        unknown={"nu": 0.5, "rate": -2.0},
    )
    assert field.found == {"nu": 0.5, "rate": -2.0}
    objective = LeastSquares(
        field,
        [
            Term(
                name="unknown",
                points=points(5, 1),
                spec=SECOND,
                residual=lambda c, q: torch.stack(
                    [c[1, :, 0] - q[0] * c[3, :, 0], q[0] * q[1] * c[0, :, 0] ** 2], 1
                ),
            ),
            terms()[0],
        ],
    )
    theta = field.theta + 0.3
    residuals, jacobian = objective.residuals_and_jacobian(theta)
    _, gradient = objective.value_and_gradient(theta)
    torch.testing.assert_close(2 * jacobian @ residuals, gradient, rtol=1e-12, atol=1e-12)
    h = EPS ** (1 / 3)
    for p in (-1, -2):
        step = torch.zeros_like(theta)
        step[p] = h
        difference = objective.residuals(theta + step) - objective.residuals(theta - step)
        # Rows by term and equation here, by term and point there: the same numbers.
        mine, theirs = jacobian[p].sort().values, (difference / (2 * h)).sort().values
        assert (mine - theirs).abs().max() < 1000 * h**2


def test_divergence_names_iteration_and_term():
    bad = Term(
        name="edge", points=points(3, 0), spec=VALUE, residual=lambda c, _: c[0, :, 0] * math.inf
    )
    field = make_field()
    objective = LeastSquares(field, [*terms(), bad])
    assert not math.isfinite(objective.value_and_gradient(field.theta)[0])
    with pytest.raises(TrainingDiverged, match="iteration 42: term edge"):
        check_finite(objective.term_values(field.theta), 42)
    check_finite(LeastSquares(field, terms()).term_values(field.theta), 42)


def test_wrong_terms_are_refused():
    field = make_field()
    short = Term(name="a", points=points(3, 0), spec=VALUE, residual=lambda c, _: c[0, :2, 0])
    with pytest.raises(ValueError, match=r"term 'a' has shape \(3,\).*got \(2,\)"):
        LeastSquares(field, [short]).residuals(field.theta)
    with pytest.raises(ValueError, match="distinct names"):
        LeastSquares(field, [short, short])
    with pytest.raises(ValueError, match=r"Term 'a' needs points.*\(0, 2\)"):
        Term(name="a", points=points(0, 0), spec=VALUE, residual=lambda c, _: c)
    with pytest.raises(ValueError, match="weight >= 0, got -1"):
        Term(name="a", points=points(1, 0), spec=VALUE, residual=lambda c, _: c, weight=-1)
