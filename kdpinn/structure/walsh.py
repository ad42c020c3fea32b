"""Tied networks in the Walsh-Hadamard basis, where their symmetry is exact to the last bit.

docs/derivations/walsh_hadamard.md has the mathematics; the core of the runtime does the same.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from kdpinn.networks import ACTIVATIONS, MLP
from kdpinn.structure.group import Group


def applies(group: Group | None) -> bool:
    """Whether the elements are signed permutations that undo themselves and change places.

    Bit b of an element's position in the group then says whether generator b is in it.
    """
    if group is None:
        return False
    signed = all(
        np.isin(g.matrix, (-1.0, 0.0, 1.0)).all() and (np.abs(g.matrix).sum(1) == 1).all()
        for g in group.elements
    )
    places = np.arange(group.order)
    return signed and np.array_equal(group.table, places[:, None] ^ places)


def symmetric_values(network: MLP, theta: Tensor, z: Tensor) -> Tensor:
    """The network's raw outputs, u(g z) = c(g) u(z) in floating point for every element g.

    Written out, a tied layer adds the same products in an order that depends on the copy: the
    symmetry then holds to rounding times what cancels, 2e-11 where training has made weights
    large. Here z and g z lead through the same sums, up to the signs of all their terms.

    Args:
        network: whose symmetry `applies`.
        theta: (P,), its free parameters; z: (N, d), normalized coordinates.
    Returns:
        (N, m).
    """
    group = network.symmetry
    assert group is not None, "asked for by `applies`"
    n, activation = group.order, ACTIVATIONS[network.activation]
    (first, bias), *hidden, (last, end) = network.unpack(theta)
    moved = [z @ torch.from_numpy(g.matrix.T.copy()) for g in group.elements]
    p = first.shape[0] // n
    copies = [x @ first[:p].T + bias[:p] for x in moved]
    for weight, bias in hidden:
        p, q = copies[0].shape[1], weight.shape[0] // n
        blocks = _butterflies([weight[:q, h * p : (h + 1) * p] / n for h in range(n)])
        parts = _butterflies([activation(y, 0)[0] for y in copies])
        products = [part @ block.T for part, block in zip(parts, blocks, strict=True)]
        products[0] = products[0] + bias[:q]
        copies = _butterflies(products)
    parts = _butterflies([activation(y, 0)[0] for y in copies])
    p = copies[0].shape[1]
    outputs = [parts[mask] @ last[j, :p] + end[j] for j, mask in enumerate(_masks(group))]
    return torch.stack(outputs, dim=1)


def _butterflies(copies: list[Tensor]) -> list[Tensor]:
    """sum_h (-1)^|c & h| y_h of each c: for every bit, two copies become sum and difference."""
    found, bit = list(copies), 1
    while bit < len(found):
        for low in range(len(found)):
            if not low & bit:
                a, b = found[low], found[low | bit]
                found[low], found[low | bit] = a + b, a - b
        bit *= 2
    return found


def _masks(group: Group) -> list[int]:
    """Of each output the c with c_j(h) = (-1)^|c & h|: the bits of generators that change it."""
    m, bits = len(group.elements[0].characters), range(group.order.bit_length() - 1)
    return [sum(1 << b for b in bits if group.elements[1 << b].characters[j] < 0) for j in range(m)]
