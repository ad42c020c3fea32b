"""The mean of a field over a group: the nearest field that has the symmetry."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.networks import MLP
from kdpinn.structure.group import Group
from kdpinn.structure.tied import on_network


def symmetrized(field: Field, group: Group, domain: Box) -> Field:
    r"""P u(x) = \frac{1}{|G|} \sum_g c(g) u(g x), as a field of its own, |G| times as wide.

    P is the orthogonal projection onto the fields with u(g x) = c(g) u(x): first layers W g side
    by side, hidden layers in blocks, the last layer the mean with signs. A field that is near a
    symmetric solution stays as near, |P u - u*| <= |u - u*|; one whose solution is not symmetric
    moves away by what the solution breaks.

    Args:
        field: with a plain network of at least one hidden layer.
        group: on the coordinates and fields, preserving `domain`.
    Raises:
        ValueError: as `kdpinn.structure.tied.tied_like`.
    """
    own, center = on_network(field, group, domain)
    middle = torch.from_numpy(center)
    offset = (middle - field.input_shift) * field.input_scale
    (first, bias), *middle_layers, (last, end) = [
        (w.detach(), b.detach()) for w, b in field.network.unpack(field.weights)
    ]
    count = own.order
    signs = torch.stack([torch.from_numpy(g.characters.copy()) for g in own.elements])
    turned = [first @ torch.from_numpy(g.matrix.copy()) for g in own.elements]
    layers = [
        (torch.cat(turned), (bias + first @ offset).repeat(count)),
        *((_blocks(w, count), b.repeat(count)) for w, b in middle_layers),
        (torch.cat([sign[:, None] * last / count for sign in signs], dim=1), end * signs.mean(0)),
    ]
    hidden = tuple(width * count for width in field.network.sizes[1:-1])
    sizes = (field.network.sizes[0], *hidden, field.network.sizes[-1])
    unknown = field.theta[field.network.parameters :]
    return replace(
        field,
        network=MLP(sizes, field.network.activation),
        theta=torch.cat([part.reshape(-1) for layer in layers for part in layer] + [unknown]),
        input_shift=middle,
        output_shift=field.output_shift * signs.mean(0),
    )


def _blocks(weight: Tensor, count: int) -> Tensor:
    """The weight `count` times along the diagonal."""
    return torch.kron(torch.eye(count, dtype=weight.dtype), weight)
