"""The mean of a field over a group is the nearest field with the symmetry."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from structure_groups import signs

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.jets import JetSpec
from kdpinn.problems import load_problem
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.symmetrized import symmetrized
from kdpinn.structure.tied import symmetry_error
from kdpinn.teacher import new_field

CHANNEL = Box(x=(0, 1.1), y=(0, 0.4))
MIRROR = Group.generated_by([InputMap(np.diag([1.0, -1]), np.array([0, 0.4]), np.array([1.0, -1]))])


def field_of(hidden: tuple[int, ...]):
    field = Field.create(
        inputs=("x", "y"),
        outputs=("u", "v"),
        lower=CHANNEL.lower,
        upper=CHANNEL.upper,
        hidden=hidden,
        generator=torch.Generator().manual_seed(0),
    )
    more = torch.Generator().manual_seed(1)
    theta = field.theta + 0.3 * torch.randn(len(field.theta), generator=more, dtype=torch.float64)
    two = torch.tensor([0.5, 2.0], dtype=torch.float64)
    return replace(field, theta=theta, output_shift=two, output_scale=3 * two)


@pytest.mark.parametrize("hidden", [(5,), (6, 4), (3, 5, 4)])
def test_it_is_the_mean_of_the_images_with_signs(hidden):
    field = field_of(hidden)
    mean = symmetrized(field, MIRROR, CHANNEL)
    x = CHANNEL.from_unit(np.random.default_rng(0).uniform(size=(200, 2)))
    expected = np.mean([g.characters * field.values(g(x)) for g in MIRROR.elements], axis=0)
    # The same sums in another order: some ten terms of size one in each of at most four layers.
    assert np.abs(mean.values(x) - expected).max() < 1e-13
    assert symmetry_error(mean, MIRROR, x) < 1e-14
    assert symmetry_error(field, MIRROR, x) > 1e-2


def test_a_symmetric_field_stays():
    field = symmetrized(field_of((5, 4)), MIRROR, CHANNEL)
    x = CHANNEL.from_unit(np.random.default_rng(1).uniform(size=(100, 2)))
    again = symmetrized(field, MIRROR, CHANNEL)
    assert np.abs(again.values(x) - field.values(x)).max() < 1e-13


def test_exact_conditions_go_with_it():
    """Poisson's factor x (1 - x) y (1 - y) is symmetric: the network's mean is the field's."""
    poisson = load_problem("poisson")
    swap = InputMap(np.array([[0.0, 1], [1, 0]]), np.zeros(2), np.ones(1))
    group = Group.generated_by([swap])
    field = new_field(poisson, (6, 5), "tanh", 0)
    mean = symmetrized(field, group, poisson.domain)
    x = poisson.domain.from_unit(np.random.default_rng(2).uniform(size=(100, 2)))
    expected = (field.values(x) + field.values(swap(x))) / 2
    assert np.abs(mean.values(x) - expected).max() < 1e-14
    assert np.isfinite(mean.jets(torch.from_numpy(x), JetSpec(2, 1)).numpy()).all()


def test_a_group_of_four_with_signs():
    laplace = load_problem("laplace")
    group = Group.generated_by([signs(1, -1), signs(-1, 1, u=(-1,))])
    field = new_field(laplace, (4, 4), "tanh", 0)
    mean = symmetrized(field, group, laplace.domain)
    x = laplace.domain.from_unit(np.random.default_rng(3).uniform(size=(100, 2)))
    assert mean.network.sizes == (2, 16, 16, 1)
    assert symmetry_error(mean, group, x) < 1e-13
    expected = np.mean([g.characters * field.values(g(x)) for g in group.elements], axis=0)
    assert np.abs(mean.values(x) - expected).max() < 1e-14
