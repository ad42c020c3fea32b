"""The group of a tied network as a model file has it, and back."""

from __future__ import annotations

import numpy as np

from kdpinn.geometry import FloatArray
from kdpinn.networks import MLP
from kdpinn.structure.group import Group, InputMap
from kdpinn_runtime.format import FormatError, Generator, Symmetry

MAX_INPUTS = 16
"""Of a network whose symmetry a file can hold."""


def stored_symmetry(
    network: MLP, shift: FloatArray, scale: FloatArray
) -> tuple[Symmetry | None, str]:
    """The symmetry for `kdpinn_export.to_kdp`, and why there is none where the network has one.

    A file holds signs and permutations of at most 16 network inputs that are normalized alike,
    shift and scale (inputs,); it has the weights of any other tied network in full.
    """
    group = network.symmetry
    if group is None:
        return None, ""
    if len(shift) > MAX_INPUTS:
        return None, f"the network sees {len(shift)} features, a file ties {MAX_INPUTS} at most"
    generators = []
    for g in group.generators:
        order = np.abs(g.matrix).argmax(axis=1)
        signs = g.matrix[np.arange(len(order)), order]
        if not np.array_equal(np.eye(len(order))[order] * signs[:, None], g.matrix):
            return None, f"{g.describe()} is no permutation with signs, which is all a file ties"
        if not (np.array_equal(shift[order], shift) and np.array_equal(scale[order], scale)):
            return None, "inputs that change places are not normalized alike"
        generators.append(
            Generator(
                signs=tuple(signs.astype(int)),
                outputs=tuple(g.characters.astype(int)),
                order=tuple(order),
            )
        )
    try:
        return Symmetry(generators=tuple(generators)), ""
    except FormatError as error:
        return None, str(error)


def group_of(symmetry: Symmetry | None) -> Group | None:
    """The group on the network's inputs that a file's symmetry stands for."""
    if symmetry is None:
        return None
    return Group.generated_by([_input_map(generator) for generator in symmetry.generators])


def _input_map(generator: Generator) -> InputMap:
    matrix = np.eye(len(generator.signs))[list(generator.order)]
    matrix *= np.array(generator.signs)[:, None]
    return InputMap(matrix, np.zeros(len(matrix)), np.array(generator.outputs, np.float64))
