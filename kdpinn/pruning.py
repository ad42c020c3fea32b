r"""Removing a network's neurons one at a time, the least important first.

Neuron j of a hidden layer has output h_j(x). It is replaced by the best affine combination of its
neighbors in the layer, h_j ~ c_0 + \sum_k c_k h_k, which the next layer's weights W and bias b take
over: W_{ik} += W_{ij} c_k, b_i += W_{ij} c_0. To first order this changes the network's outputs by

    \delta_j(x) = \sum_i \frac{\partial u}{\partial z_i}(x) W_{ij} e_j(x),

with e_j what the combination misses and z_i the next layer's inputs. The mean square of \delta_j
is the neuron's importance: those that others can replace, and those that nobody listens to, go.

Replacing by least squares: He, Zhang & Sun, ICCV 2017, DOI 10.1109/ICCV.2017.155. First-order
effect on the result: Molchanov et al., CVPR 2019, DOI 10.1109/CVPR.2019.01152. Here both are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.jets import JetSpec
from kdpinn.networks import ACTIVATIONS, MLP

RIDGE = 1e-9
"""Share of the mean square output that damps the combinations: without it, neurons that are nearly
alike replace each other by huge weights of opposite signs."""

Layers = list[tuple[Tensor, Tensor]]


def pruned_to(
    field: Field,
    parameters: int,
    points: Tensor,
    importance: Tensor | None = None,
    least: tuple[int, ...] = (),
) -> Field:
    """The field without its least important neurons, refitted by linear algebra only.

    The neuron of the least importance per parameter that leaves with it goes, again and again. The
    network keeps all its layers.

    Args:
        parameters: of the network, at most.
        points: (N, d), physical; N well above the layers' widths.
        importance: (N,), weights of the points; None for equal ones.
        least: neurons that each hidden layer keeps; one each if empty.
    Raises:
        ValueError: even with the least widths the network has more parameters.
    """
    network = field.network
    least = least or (1,) * (len(network.sizes) - 2)
    smallest = MLP((network.sizes[0], *least, network.sizes[-1])).parameters
    if smallest > parameters:
        raise ValueError(
            f"A network {network.sizes} that keeps hidden layers of {least} neurons when it is "
            f"pruned has {smallest} parameters at least; {parameters} were asked for."
        )
    weight = torch.ones(len(points), dtype=points.dtype) if importance is None else importance
    inputs = field.frame(points, JetSpec(points.shape[1], 0)).inputs
    x = inputs if inputs.dim() == 2 else inputs[0]
    layers = [(w.detach().clone(), b.detach().clone()) for w, b in network.unpack(field.weights)]
    while _parameters(layers) > parameters:
        layers = _without_least(layers, network.activation, x, weight, least)
    sizes = (x.shape[1], *(len(bias) for _, bias in layers))
    theta = torch.cat([part.reshape(-1) for layer in layers for part in layer])
    unknown = field.theta[network.parameters :]
    return replace(field, network=MLP(sizes, network.activation), theta=torch.cat([theta, unknown]))


def importances(field: Field, points: Tensor) -> list[Tensor]:
    """Importance of each neuron, a tensor (width,) for each hidden layer."""
    inputs = field.frame(points, JetSpec(points.shape[1], 0)).inputs
    x = inputs if inputs.dim() == 2 else inputs[0]
    weight = torch.ones(len(points), dtype=points.dtype)
    layers = field.network.unpack(field.weights.detach())
    return [found for found, _ in _ranked(layers, field.network.activation, x, weight)]


def _without_least(
    layers: Layers, activation: str, x: Tensor, weight: Tensor, least: tuple[int, ...]
) -> Layers:
    """The layers without one neuron, its part taken over by its neighbors."""
    best: tuple[float, int, int, Tensor] | None = None
    for k, (importance, combinations) in enumerate(_ranked(layers, activation, x, weight)):
        if len(importance) <= least[k]:
            continue
        j = int(importance.argmin())
        freed = layers[k][0].shape[1] + 1 + len(layers[k + 1][1])
        score = float(importance[j]) / freed
        if best is None or score < best[0]:
            best = score, k, j, combinations[:, j]
    assert best is not None  # a network of the least widths is never asked to shrink
    _, k, j, combination = best
    (w, b), (after, bias) = layers[k], layers[k + 1]
    stay = torch.arange(len(b)) != j
    changed = list(layers)
    changed[k] = w[stay], b[stay]
    moved = after[:, j]
    changed[k + 1] = (
        after[:, stay] + torch.outer(moved, combination[:-1][stay]),
        bias + moved * combination[-1],
    )
    return changed


def _ranked(
    layers: Sequence[tuple[Tensor, Tensor]], activation: str, x: Tensor, weight: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """For each hidden layer of width w: importance (w,), and the replacements (w + 1, w).

    Column j of the replacements is c: what each neighbor takes over of neuron j, then c_0.
    """
    outputs, slopes = _forward(layers, activation, x)
    last = outputs.pop()
    unit = (weight[:, None] * last.square()).mean(0).sqrt()
    # du/dz at the inputs z of the layer after the one looked at, (N, width, m), from the back.
    sensitivity = torch.diag_embed(torch.where(unit > 0, 1 / unit, 1.0).expand(len(x), -1))
    found: list[tuple[Tensor, Tensor]] = []
    for k in range(len(layers) - 2, -1, -1):
        w = layers[k + 1][0]
        heard = torch.einsum("nim,ij->njm", sensitivity, w)
        missed, combinations = _replacements(outputs[k], weight)
        change = heard.square().sum(2) * missed.square()
        found.append(((weight[:, None] * change).mean(0), combinations))
        sensitivity = heard * slopes[k][:, :, None]
    return found[::-1]


def _replacements(h: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """What the best combinations of the others miss of each column of h (N, w), and these.

    With A = [h, 1] and P = (A^T A + ridge)^{-1}: c_k = -P_{kj} / P_{jj}, e = A P / diag P.
    """
    a = torch.cat([h, torch.ones_like(h[:, :1])], 1)
    gram = a.T @ (weight[:, None] * a)
    gram.diagonal()[:-1].add_(RIDGE * gram.diagonal()[:-1].mean().clamp_min(1e-300))
    inverse = torch.linalg.inv(gram)[:, :-1]
    scaled = inverse / inverse.diagonal()
    combinations = -scaled
    combinations.diagonal().zero_()
    return a @ scaled, combinations


def _forward(
    layers: Sequence[tuple[Tensor, Tensor]], activation: str, x: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs of all layers (the last without activation), and slopes of the hidden ones."""
    function = ACTIVATIONS[activation]
    outputs: list[Tensor] = []
    slopes: list[Tensor] = []
    for w, b in layers[:-1]:
        value, slope, _ = function(x @ w.T + b, 1)
        assert slope is not None
        outputs.append(value)
        slopes.append(slope)
        x = value
    w, b = layers[-1]
    return [*outputs, x @ w.T + b], slopes


def _parameters(layers: Layers) -> int:
    return sum(w.numel() + b.numel() for w, b in layers)
