"""Tied networks: exact symmetries, gradients by the free parameters, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from structure_groups import CYCLE, EXCHANGE, SWAP, signs, turn

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.jets import JetSpec, jets_jacobian, network_jets
from kdpinn.losses import LeastSquares
from kdpinn.networks import MLP
from kdpinn.physics import collocation, condition_terms, equation_term
from kdpinn.problems import Problem, dirichlet
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.representation import regular_tie
from kdpinn.structure.tied import symmetry_error, tied_like
from kdpinn.teacher import new_field

GROUPS = {
    "Z2": [signs(-1, 1, u=(-1,))],
    "Z2xZ2": [signs(1, -1), signs(-1, 1, u=(-1,))],
    "Z2^3": [signs(1, -1, 1), signs(-1, 1, 1, u=(-1,)), signs(1, 1, -1)],
    "C4": [turn(90, -1)],
    "C6 by angles": [turn(60)],
    "S3": [CYCLE, EXCHANGE],
    "D4": [SWAP, signs(-1, 1, u=(-1,)), signs(1, -1, u=(-1,))],
    "D8 by angles": [turn(45), signs(-1, 1)],
    "two outputs": [signs(-1, 1, u=(1, -1)), signs(1, -1, u=(-1, -1))],
}


def network_of(name: str, copies: int = 3) -> MLP:
    group = Group.generated_by(GROUPS[name])
    d, m = len(group.center), len(group.elements[0].characters)
    width = copies * group.order
    return MLP((d, width, 2 * width, m), "silu" if m > 1 else "tanh", group)


def some(network: MLP) -> torch.Tensor:
    """Parameters of which none is zero."""
    generator = torch.Generator().manual_seed(1)
    return torch.randn(network.parameters, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("name", GROUPS)
def test_values_and_derivatives_have_the_symmetry_whatever_the_parameters(name: str) -> None:
    network = network_of(name)
    group = network.symmetry
    assert group is not None
    d = network.sizes[0]
    theta, scale = some(network), torch.ones(d, dtype=torch.float64)
    pairs = tuple((i, j) for i in range(d) for j in range(i, d))
    spec = JetSpec(d, 2, pairs)
    x = torch.rand(50, d, dtype=torch.float64) * 2 - 1
    here = network_jets(network, theta, x, spec, scale).numpy()
    for g in group.elements:
        there = network_jets(network, theta, torch.from_numpy(g(x.numpy())), spec, scale).numpy()
        # u(g x) = c u(x): grad u(x) = c M^T grad u(g x), H(x) = c M^T H(g x) M.
        first = np.einsum("kn...,ki->in...", there[1 : 1 + d], g.matrix)
        hessian = np.zeros((d, d, *there.shape[1:]))
        for k, (i, j) in enumerate(pairs):
            hessian[i, j] = hessian[j, i] = there[1 + d + k]
        second = np.einsum("ki,kl...,lj->ij...", g.matrix, hessian, g.matrix)
        moved = [there[:1], first, np.stack([second[i, j] for i, j in pairs])]
        size = np.abs(here).max()
        np.testing.assert_allclose(
            np.concatenate(moved) * g.characters, here, rtol=0, atol=1e-12 * size
        )


@pytest.mark.parametrize("name", GROUPS)
def test_free_parameters_stand_where_the_representatives_say(name: str) -> None:
    network = network_of(name)
    assert network.tie is not None
    theta = some(network)
    assert torch.equal(network.tie.restrict(network.expand(theta)), theta)
    # Every free parameter is used, and by about as many weights as the group has elements.
    used = torch.bincount(network.tie.columns, minlength=network.parameters)
    assert used.min() >= 1
    assert network.dense_parameters > 0.7 * len(network.symmetry.elements) * network.parameters


@pytest.mark.parametrize("name", ["Z2xZ2", "C6 by angles", "S3"])
def test_reduce_is_the_transpose_of_expand(name: str) -> None:
    network = network_of(name)
    theta = some(network)
    matrix = torch.func.jacfwd(network.expand)(theta)
    v = torch.randn(network.dense_parameters, 2, dtype=torch.float64)
    torch.testing.assert_close(network.reduce(v), matrix.T @ v, rtol=0, atol=1e-13)
    torch.testing.assert_close(network.reduce(v[:, 0]), matrix.T @ v[:, 0], rtol=0, atol=1e-13)


def test_the_published_counts() -> None:
    group = Group.generated_by(GROUPS["Z2xZ2"])
    small, large = MLP((2, 8, 8, 8, 1), symmetry=group), MLP((2, 16, 16, 16, 1), symmetry=group)
    assert (small.parameters, small.dense_parameters) == (44, 177)
    assert (large.parameters, large.dense_parameters) == (152, 609)


def plate(**changes) -> Problem:
    given = {
        "name": "plate",
        "domain": Box(x=(-1, 3), y=(0, 2)),
        "fields": ("u",),
        "residual": lambda j: j.u.xx + j.u.yy + j.k * j.u**3,
        "parameters": {"k": 0.3},
        "unknown": ("k",),
        "conditions": (dirichlet("rim", on=[{"x": -1}, {"x": 3}], u=lambda x, y: (x - 1) * y),),
    }
    return Problem(**(given | changes))


ABOUT = np.array([1.0, 1.0])
MIRRORS = [InputMap.about(ABOUT, np.diag(s), [c]) for s, c in [((-1, 1), -1), ((1, -1), 1)]]


def tied(problem: Problem, hidden: tuple[int, ...] = (8, 12), maps=MIRRORS) -> Field:
    plain = new_field(problem, hidden, "tanh", 0)
    group = Group.generated_by(maps)
    return tied_like(plain, group, problem.domain, torch.Generator().manual_seed(0))


CASES = {
    "plain": {},
    "exact, odd factor": {
        "exact": lambda c: {"u": ((c.x - 1) * 2, (c.x - 1) * c.y * (2 - c.y))},
    },
    "features": {"features": lambda c: (c.x * c.x - 2 * c.x, c.y, (c.x - 1) * c.y, c.x)},
}


@pytest.mark.parametrize("name", CASES)
def test_a_field_has_the_symmetry_of_its_coordinates(name: str) -> None:
    problem = plate(**CASES[name])
    field = tied(problem)
    moved = field.with_theta(field.theta + 0.3 * torch.randn_like(field.theta))
    x = collocation(problem, 200, 3).numpy()
    assert symmetry_error(moved, Group.generated_by(MIRRORS), x) < 1e-12
    assert np.abs(moved.values(x)).max() > 0.01
    broken = new_field(problem, (8, 12), "tanh", 0)
    assert symmetry_error(broken, Group.generated_by(MIRRORS), x) > 1e-2


@pytest.mark.parametrize("name", CASES)
def test_gradients_by_the_free_parameters(name: str) -> None:
    """The kernels' gradient through R^T against automatic differentiation through R."""
    problem = plate(**CASES[name])
    field = tied(problem)
    terms = [equation_term(problem, collocation(problem, 60, 0)), *condition_terms(problem, 20, 1)]
    objective = LeastSquares(field, terms)
    theta = field.theta + 0.3 * torch.randn_like(field.theta)
    native, torch_only = (objective.value_and_gradient(theta, b) for b in ("native", "torch"))
    assert native[1].shape == field.theta.shape
    assert native[0] == pytest.approx(torch_only[0], rel=1e-12)
    torch.testing.assert_close(native[1], torch_only[1], rtol=1e-11, atol=1e-11)
    products = objective.products(theta)
    torch.testing.assert_close(2 * products.slope, native[1], rtol=1e-10, atol=1e-10)
    assert products.normal.shape == (len(theta), len(theta))


@pytest.mark.parametrize("backend", ["native", "torch"])
def test_the_jacobian_is_by_the_free_parameters(backend) -> None:
    network = network_of("D4")
    theta, scale = some(network), torch.ones(2, dtype=torch.float64)
    x = torch.rand(9, 2, dtype=torch.float64)
    spec = JetSpec(2, 1)
    seed = torch.randn(3, 9, 1, dtype=torch.float64)
    found = jets_jacobian(network, theta, x, spec, scale, seed, backend)

    def scalars(theta):
        return (network_jets(network, theta, x, spec, scale, "torch") * seed).sum((0, 2))

    wanted = torch.func.jacrev(scalars)(theta).T
    torch.testing.assert_close(found, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_a_tied_field_is_stored_with_its_symmetry(name: str, tmp_path) -> None:
    field = tied(plate(**CASES[name]))
    field.save(tmp_path / "field.safetensors")
    loaded = Field.load(tmp_path / "field.safetensors")
    assert loaded.network.parameters == field.network.parameters
    x = np.random.default_rng(0).uniform(0, 1, (20, 2))
    np.testing.assert_array_equal(loaded.values(x), field.values(x))


def test_widths_and_origins_that_do_not_fit_are_refused() -> None:
    group = Group.generated_by(GROUPS["Z2xZ2"])
    with pytest.raises(ValueError, match=r"multiples of the group's order 4, got 6"):
        regular_tie(group, (2, 8, 6, 1))
    with pytest.raises(ValueError, match="has a hidden layer"):
        regular_tie(group, (2, 1))
    with pytest.raises(ValueError, match=r"2 inputs and 1 outputs.*has 3 and 1"):
        regular_tie(group, (3, 8, 1))
    with pytest.raises(ValueError, match="moves it"):
        regular_tie(Group.generated_by(MIRRORS), (2, 8, 1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"domain": Box(x=(-1, 2), y=(0, 2))}, "does not preserve the domain"),
        ({"exact": lambda c: {"u": (c.x, c.y)}}, "their base differs"),
        ({"exact": lambda c: {"u": (0.0, c.x)}}, "their factor differs"),
        ({"features": lambda c: (c.x * c.y, c.y)}, "no affine function of the features"),
        ({"features": lambda c: ((c.x - 1) * (c.x - 1), c.y)}, "contradicts itself"),
    ],
)
def test_a_group_that_does_not_go_with_the_problem_is_refused(changes, words: str) -> None:
    conditions = (dirichlet("rim", on=[{"y": 0}], u=0.0),)
    with pytest.raises(ValueError, match=words):
        tied(plate(conditions=conditions, **changes))


def test_features_that_do_not_see_an_even_map_cannot_be_tied_by_it() -> None:
    problem = plate(features=lambda c: ((c.x - 1) * (c.x - 1), c.y))
    with pytest.raises(ValueError, match="only 1 differ"):
        tied(problem, maps=[InputMap.about(ABOUT, np.diag([-1.0, 1]), [1.0])])


def test_a_field_without_symmetry_loads_as_before(tmp_path) -> None:
    field = new_field(plate(), (4,), "tanh", 0)
    field.save(tmp_path / "plain.safetensors")
    assert Field.load(tmp_path / "plain.safetensors").network == replace(field).network
