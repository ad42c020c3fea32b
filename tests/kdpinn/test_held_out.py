import math

import numpy as np
import pytest
import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.held_out import GROUPS, MedianOfMeans, held_out, median_of_means
from kdpinn.jets import JetSpec
from kdpinn.losses import LeastSquares, Term
from kdpinn.optimizers import SSBroyden
from kdpinn.problems import load_problem
from kdpinn.recipe import Training
from kdpinn.stages import Stage
from kdpinn.teacher import new_field
from kdpinn.train import HeldOut, Judge, Settings, Trained, train

POINTS = 256
KINK = 3.0
"""Residual at one held-out point, where |u'| comes on top: it grows as the network learns u."""


def make_field() -> Field:
    return Field.create(
        inputs=("x",),
        outputs=("u",),
        lower=np.array([0.0]),
        upper=np.array([1.0]),
        hidden=(8,),
        generator=torch.Generator().manual_seed(0),
    )


def exponential(n: int, spoilt: int = 0) -> LeastSquares:
    """u' = -u, u(0) = 1; at `spoilt` points the residual is what no training lowers."""
    x = torch.linspace(0, 1, n, dtype=torch.float64)[:, None]
    bad = torch.zeros(n, dtype=torch.float64)
    bad[n // 2 : n // 2 + spoilt] = 1.0

    def decay(channels: Tensor, _: Tensor) -> Tensor:
        u, u_x = channels[0, :, 0], channels[1, :, 0]
        return torch.where(bad > 0, KINK + u.abs() + u_x.abs(), u_x + u)

    def start(channels: Tensor, _: Tensor) -> Tensor:
        return channels[0, :, 0] - 1

    terms = [
        Term(name="decay", points=x, spec=JetSpec(1, 1), residual=decay),
        Term(name="start", points=x[:1], spec=JetSpec(1, 0), residual=start, weight=10.0),
    ]
    return LeastSquares(make_field(), terms)


def trained_by(judgment: HeldOut) -> Trained:
    stage = Stage(name="broyden", optimizer=SSBroyden(), iterations=150, points=64)
    judge = Judge(held_out=judgment)
    settings = Settings(check_every=5)
    return train(make_field(), [stage], lambda *_: exponential(64), judge, settings)


def error(field: Field) -> float:
    x = np.linspace(0, 1, 50)[:, None]
    return float(np.linalg.norm(field.values(x) - np.exp(-x)) / np.linalg.norm(np.exp(-x)))


@pytest.mark.parametrize("spoilt", [1, GROUPS // 2 - 1])
def test_spots_that_no_training_lowers_do_not_choose_the_state(spoilt):
    judgment = MedianOfMeans(exponential(POINTS, spoilt))
    robust = error(trained_by(judgment).field)
    assert robust < 1e-5
    # The mean square over the same points keeps a state of long before.
    assert error(trained_by(judgment.objective).field) > 100 * robust


def test_without_spots_it_chooses_as_the_mean_square_does():
    plain = exponential(POINTS)
    robust, mean = trained_by(MedianOfMeans(plain)), trained_by(plain)
    assert error(robust.field) < 1.5 * error(mean.field)
    assert robust.held_out == pytest.approx(mean.held_out, rel=1)


def test_value_is_the_mean_where_all_groups_agree():
    values = torch.arange(5.0, dtype=torch.float64).repeat_interleave(GROUPS)
    assert median_of_means(values) == pytest.approx(2.0, rel=1e-15)
    assert median_of_means(torch.tensor([7.0], dtype=torch.float64)) == 7.0


@pytest.mark.parametrize("n", [1, 31, 32, 33, 63, 64, 65, 2048, 2050])
def test_every_value_is_in_the_group_of_its_place(n):
    values = torch.from_numpy(np.random.default_rng(n).random(n))
    means = [values[k::GROUPS].mean() for k in range(min(GROUPS, n))]
    # Sums of at most 65 numbers below 1 in another order.
    assert abs(median_of_means(values) - float(torch.stack(means).quantile(0.5))) <= 65 * 2.0**-53


@pytest.mark.parametrize(("spoilt", "seen"), [(GROUPS // 2 - 1, False), (GROUPS // 2 + 1, True)])
def test_more_than_half_of_the_groups_are_heard(spoilt, seen):
    values = torch.ones(8 * GROUPS, dtype=torch.float64)
    values[:spoilt] = 1e6
    assert (median_of_means(values) > 1) is seen


def test_a_state_that_is_not_finite_never_wins():
    values = torch.ones(POINTS, dtype=torch.float64)
    values[3] = math.nan
    assert not median_of_means(values) < math.inf


def test_terms_are_judged_each_by_itself_and_without_the_reference():
    problem = load_problem("allen_cahn")
    field = new_field(problem, (6, 6), "tanh", 0)
    blind = problem.replace(reference=None)
    training = Training(held_out_points=300, condition_points=40)
    one, other = (held_out(p, field, training, 7) for p in (problem, blind))
    assert one.value(field.theta) == other.value(field.theta)
    shares = one.objective.pointwise(field.theta)
    assert set(shares) == {"equation", *(c.name for c in problem.conditions)}
    expected = sum(median_of_means(share * len(share)) for share in shares.values())
    assert one.value(field.theta) == expected
    total = sum(float(share.sum()) for share in shares.values())
    assert total == pytest.approx(one.objective.value(field.theta), rel=1e-12)
