"""Tied networks as files: free part and relation, symmetric in every form made of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from structure_groups import CYCLE, EXCHANGE, SWAP, signs, turn

from kdpinn.geometry import Box
from kdpinn.networks import MLP
from kdpinn.problems import Problem
from kdpinn.recipe import Recipe
from kdpinn.shipping import field_of, model_file
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.rebuild import new_tied_field
from kdpinn.structure.tied import symmetry_error
from kdpinn_export import to_onnx
from kdpinn_runtime import load, pack, unpack

SQUARE = Box(x=(0, 1), y=(0, 1))
MIDDLE = np.array([0.5, 0.5])
ABOUT = [InputMap.about(MIDDLE, -np.eye(2), [1.0]), InputMap.about(MIDDLE, SWAP.matrix, [1.0])]


def bubble(c):
    return {"u": (0.0, 16 * c.x * (1 - c.x) * c.y * (1 - c.y))}


def problem(domain: Box, **more) -> Problem:
    if domain.dim == 2:
        return Problem(
            name="p", domain=domain, fields=("u",), reference=lambda x, y: 1.0 + 0 * x, **more
        )
    return Problem(
        name="p", domain=domain, fields=("u",), reference=lambda x, y, z: 1.0 + 0 * x, **more
    )


BOX = Box(x=(-1, 1), y=(-1, 1))
CASES = {
    "signs": (problem(BOX), [signs(1, -1), signs(-1, 1, u=(-1,))]),
    "about a center, exact borders": (problem(SQUARE, exact=bubble), ABOUT),
    "features": (
        problem(BOX, features=lambda c: (c.x, c.x * c.x * c.y)),
        [signs(-1, 1, u=(-1,)), signs(1, -1)],
    ),
    "C4": (problem(BOX), [turn(90, -1)]),
    "D4": (problem(BOX), [SWAP, signs(-1, 1)]),
    "S3": (problem(Box(x=(0, 1), y=(0, 1), z=(0, 1))), [CYCLE, EXCHANGE]),
}


def shipped(name: str):
    """A tied field none of whose parameters is zero, its group, and its file."""
    given, maps = CASES[name]
    group = Group.generated_by(maps)
    field = new_tied_field(given, group, (2 * group.order, group.order), Recipe(), 0)
    generator = torch.Generator().manual_seed(1)
    theta = field.theta + 0.3 * torch.randn(len(field.theta), generator=generator).double()
    field = field.with_theta(theta)
    return field, group, model_file(given, field, points=32)


@pytest.mark.parametrize("name", CASES)
def test_a_file_has_the_free_part_and_the_symmetry(name: str) -> None:
    field, group, file = shipped(name)
    assert file.symmetry is not None
    assert file.symmetry.order == group.order
    # The file counts the zero biases of outputs that change their signs, the network does not.
    assert 0 <= file.weight_count - field.network.parameters <= 1
    model = load(pack(file))
    assert model.parameters == file.weight_count
    lower, upper = np.array(list(file.domain.values())).T
    x = np.random.default_rng(0).uniform(lower, upper, (200, len(lower)))
    values = model(x)
    size = np.abs(values).max()
    assert size > 1e-3
    for g in group.elements:
        assert np.abs(model(g(x)) - g.characters * values).max() <= 1e-13 * max(size, 1)
    back = field_of(unpack(pack(file)))
    assert back.network.parameters == field.network.parameters
    assert symmetry_error(back, group, x) < 1e-13
    np.testing.assert_allclose(back.values(x), field.values(x), atol=2e-6 * max(size, 1))


@pytest.mark.parametrize("name", CASES)
def test_onnx_keeps_the_ties(name: str) -> None:
    """Tied to the last bit: rounding the weights to float32 does not part them."""
    field, _, file = shipped(name)
    graph = to_onnx(file).graph
    weights = [onnx.numpy_helper.to_array(t) for t in graph.initializer]
    hidden = field.network.sizes[1], field.network.sizes[2]
    found = [w for w in weights if w.shape in (hidden, hidden[::-1])]
    assert len(found) == 1
    tie = field.network.tie
    assert tie is not None
    sizes = {abs(v) for v in np.float32(field.network.unpack(field.weights)[1][0].numpy()).ravel()}
    assert {abs(v) for v in found[0].ravel()} == sizes
    assert len(sizes) <= found[0].size // field.network.symmetry.order


def test_rotations_by_other_angles_are_stored_in_full() -> None:
    given = problem(BOX)
    field, _, _ = shipped("C4")
    group = Group.generated_by([turn(60)])
    tied = Problem(name="p", domain=BOX, fields=("u",), reference=lambda x, y: x)
    with pytest.raises(ValueError, match="does not preserve the domain"):
        new_tied_field(tied, group, (6,), Recipe(), 0)
    network = MLP((2, 12, 6, 1), "tanh", group)
    turned = replace(field, network=network, theta=network.init(torch.Generator().manual_seed(0)))
    file = model_file(given, turned, points=32)
    assert file.symmetry is None
    assert "no permutation with signs" in file.card["untied"]
    assert file.weight_count == network.dense_parameters
