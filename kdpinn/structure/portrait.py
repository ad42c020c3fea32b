"""Networks with their ties and orbits, to be drawn: a student, or a rebuilt network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from kdpinn.field import Field
from kdpinn.structure.alignment import SignedPermutation
from kdpinn.structure.evidence import TiedStudent
from kdpinn.structure.fits import Array
from kdpinn.structure.group import Group
from kdpinn.structure.hac import ClusteredStudent
from kdpinn.structure.merging import Layers
from kdpinn.structure.representation import Tie

Integers = NDArray[np.int64]
ZERO, FREE = -1, -2
"""In place of a class: a weight that a symmetry makes zero; one that nothing ties."""


@dataclass(frozen=True, eq=False)
class Portrait:
    """A network, which of its weights are one number, and which of its neurons one orbit.

    Attributes:
        name: of the network.
        layers: W (n_out, n_in) and b (n_out,).
        classes: per layer (n_out, n_in + 1), the bias last: number of the free parameter that the
            weight is, up to sign; `ZERO` or `FREE`.
        actions: per generator, what it does to each hidden layer.
        copies: neurons of a hidden layer stand in as many blocks, one for each element.
        on_coordinates: whether the network's inputs are the coordinates, not features of them.
    """

    name: str
    layers: Layers
    classes: tuple[Integers, ...]
    actions: tuple[tuple[SignedPermutation, ...], ...] = ()
    copies: int = 1
    on_coordinates: bool = True

    @property
    def free(self) -> int:
        """Number of free parameters."""
        flat = np.concatenate([part.ravel() for part in self.classes])
        return len(np.unique(flat[flat >= 0])) + int((flat == FREE).sum())

    def orbits(self, layer: int) -> Integers:
        """Orbit of each neuron of a hidden layer, numbered from 0 by their first members."""
        label = np.arange(len(self.layers[layer][0]))
        for _ in label:  # the least member spreads along the maps
            for action in self.actions:
                source = action[layer].source
                label = np.minimum(label, label[source])
                np.minimum.at(label, source, label.copy())
        return np.asarray(np.unique(label, return_inverse=True)[1], dtype=np.int64)


def untied(name: str, layers: Layers) -> Portrait:
    """A network in which every weight is free."""
    classes = tuple(np.full((len(w), w.shape[1] + 1), FREE) for w, _ in layers)
    return Portrait(name, layers, classes)


def of_student(name: str, tied: TiedStudent) -> Portrait:
    """The free student, whose own weights show what the maps would tie."""
    layers = tied.student.layers
    index = tied.relation.index
    actions = tuple(alignment.hidden for alignment in tied.alignments)
    return Portrait(name, layers, _split(index, layers), actions)


def of_clusters(name: str, clustered: ClusteredStudent) -> Portrait:
    """A student of the published method: a class is a cluster."""
    layers = clustered.layers
    return Portrait(name, layers, _split(clustered.relation.index, layers))


def of_rebuilt(name: str, field: Field) -> Portrait:
    """A network whose hidden layers are regular representations of its symmetry.

    Raises:
        ValueError: it has none.
    """
    network = field.network
    if network.symmetry is None or network.tie is None:
        raise ValueError("A rebuilt network has a symmetry, this one has none.")
    layers = [(w.numpy().copy(), b.numpy().copy()) for w, b in network.unpack(field.weights)]
    return Portrait(
        name,
        layers,
        _split(_index(network.tie), layers),
        _regular(network.symmetry, network.sizes[1:-1]),
        copies=network.symmetry.order,
        on_coordinates=field.features is None,
    )


def _regular(group: Group, widths: Sequence[int]) -> tuple[tuple[SignedPermutation, ...], ...]:
    """Each generator's action: copy h of a neuron at g x is copy h g at x."""
    found = []
    for generator in group.generators:
        g = next(k for k, element in enumerate(group.elements) if element.same(generator))
        layers = []
        for width in widths:
            p = width // group.order
            source = (group.table[:, g][:, None] * p + np.arange(p)).ravel()
            layers.append(SignedPermutation(source, np.ones(width)))
        found.append(tuple(layers))
    return tuple(found)


def _index(tie: Tie) -> Integers:
    """The free parameter that each parameter is up to sign; `FREE` for a sum of several."""
    index = np.full(tie.parameters, ZERO)
    rows, columns = tie.rows.numpy(), tie.columns.numpy()
    used = tie.coefficients.numpy() != 0
    index[rows[used]] = columns[used]
    terms = np.bincount(rows[used], minlength=tie.parameters)
    index[terms > 1] = FREE
    return index


def _split(index: Integers, layers: Sequence[tuple[Array, Array]]) -> tuple[Integers, ...]:
    """A number per parameter, in the order of `MLP`'s, as one array per layer."""
    ends = np.cumsum([0, *(w.size + b.size for w, b in layers)])
    parts = [index[start:stop] for start, stop in pairwise(ends)]
    return tuple(
        np.column_stack([part[: w.size].reshape(w.shape), part[w.size :]])
        for part, (w, _) in zip(parts, layers, strict=True)
    )
