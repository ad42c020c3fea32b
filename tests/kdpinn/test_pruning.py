import numpy as np
import pytest
import torch

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.networks import MLP
from kdpinn.pruning import importances, pruned_to
from kdpinn.sampling import interior

BOX = Box(x=(-1, 1), t=(0, 2))
POINTS = interior(BOX, 400, seed=3)


def make_field(hidden: tuple[int, ...], outputs: int = 1, seed: int = 0) -> Field:
    return Field.create(
        inputs=("x", "t"),
        outputs=("u", "v")[:outputs],
        lower=BOX.lower,
        upper=BOX.upper,
        hidden=hidden,
        generator=torch.Generator().manual_seed(seed),
    )


def with_layers(field: Field, layers) -> Field:
    sizes = (field.network.sizes[0], *(len(b) for _, b in layers))
    theta = torch.cat([part.reshape(-1) for layer in layers for part in layer])
    return Field(**{**vars(field), "network": MLP(sizes), "theta": theta})


def with_copy_of_a_neuron(field: Field, layer: int) -> Field:
    """Neuron 0 of the layer twice, with opposite sign, sharing its outgoing weights."""
    layers = [(w.clone(), b.clone()) for w, b in field.network.unpack(field.theta)]
    (w, b), (after, bias) = layers[layer], layers[layer + 1]
    layers[layer] = torch.cat([w, -w[:1]]), torch.cat([b, -b[:1]])
    column = after[:, :1]
    layers[layer + 1] = torch.cat([0.3 * column, after[:, 1:], -0.7 * column], 1), bias
    return with_layers(field, layers)


def difference(one: Field, two: Field) -> float:
    return float((one(POINTS) - two(POINTS)).abs().max())


@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("outputs", [1, 2])
def test_a_planted_copy_is_removed_without_loss(layer, outputs):
    field = make_field((5, 4, 6), outputs)
    planted = with_copy_of_a_neuron(field, layer)
    assert difference(field, planted) < 1e-14
    found = pruned_to(planted, field.network.parameters, POINTS)
    assert found.network.sizes == field.network.sizes
    # The ridge of 1e-9 keeps the last digits of the replacement away.
    assert difference(field, found) < 1e-7


def test_a_neuron_that_nobody_listens_to_is_worth_nothing():
    field = make_field((5, 4))
    layers = [(w.clone(), b.clone()) for w, b in field.network.unpack(field.theta)]
    layers[1][0][:, 2] = 0.0
    first, second = importances(with_layers(field, layers), POINTS)
    assert first[2] == 0
    assert (first[[0, 1, 3, 4]] > 0).all()
    assert (second > 0).all()


def test_importance_is_the_change_of_the_output():
    """Exactly so in the last hidden layer, from which the output is linear."""
    field = make_field((6, 4))
    (_, last), before = importances(field, POINTS), field(POINTS)
    after = pruned_to(field, field.network.parameters - 1, POINTS)
    assert after.network.sizes == (2, 6, 3, 1)
    change = (after(POINTS) - before).square().mean() / before.square().mean()
    assert float(change) == pytest.approx(float(last.min()), rel=1e-5)


def test_importance_is_first_order_right_in_deeper_layers():
    """The predicted change over the true one tends to 1 as the neuron's weights shrink."""
    ratios = []
    for shrink in (1e-1, 1e-2, 1e-3):
        field = make_field((5, 4, 3), seed=1)
        layers = [(w.clone(), b.clone()) for w, b in field.network.unpack(field.theta)]
        layers[1][0][:, 2] *= shrink
        field = with_layers(field, layers)
        predicted = importances(field, POINTS)[0]
        assert int(predicted.argmin()) == 2
        smaller = pruned_to(field, field.network.parameters - 1, POINTS)
        assert smaller.network.sizes == (2, 4, 4, 3, 1)
        before = field(POINTS)
        change = (smaller(POINTS) - before).square().mean() / before.square().mean()
        ratios.append(abs(float(change / predicted[2]) ** 0.5 - 1))
    orders = np.diff(np.log10(ratios))
    assert (np.abs(orders + 1) < 0.2).all(), ratios


def test_the_network_keeps_its_layers():
    field = make_field((4, 4))
    assert pruned_to(field, 7, POINTS).network.sizes == (2, 1, 1, 1)
    with pytest.raises(ValueError, match=r"\(2, 4, 4, 1\).*has 7 parameters at least; 6 were"):
        pruned_to(field, 6, POINTS)


def test_less_important_points_count_less():
    """Where only t < 1 counts, the replacement is right there and free elsewhere."""
    field = make_field((8,))
    early = (POINTS[:, 1] < 1).double()
    all_points = pruned_to(field, 25, POINTS)
    some_points = pruned_to(field, 25, POINTS, early)

    def missed(found: Field) -> float:
        return float(((found(POINTS) - field(POINTS))[:, 0] * early).norm())

    assert missed(some_points) < missed(all_points)


def test_pruning_ends_at_the_least_widths_that_are_asked_for():
    field = make_field((6, 5, 7))
    wanted = make_field((3, 5, 4)).network
    found = pruned_to(field, wanted.parameters, POINTS, least=(3, 5, 4))
    assert found.network.sizes == wanted.sizes
    with pytest.raises(ValueError, match=r"hidden layers of \(3, 5, 4\) .* 58 .*; 57 were"):
        pruned_to(field, wanted.parameters - 1, POINTS, least=(3, 5, 4))
