"""Fields whose network is tied by a group: from maps of coordinates to its own inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from kdpinn.field import Field
from kdpinn.geometry import Box, FloatArray
from kdpinn.networks import MLP
from kdpinn.sampling import interior
from kdpinn.structure.group import Group, InputMap
from kdpinn_runtime.format import CoordinateMap

PROBES = 64
"""Points at which features and exact conditions are compared with their images."""

AGREEMENT = 1e-9
"""Largest difference of the two, relative to the largest value."""


def tied_like(field: Field, group: Group, domain: Box, generator: torch.Generator) -> Field:
    """The same field with a freshly initialized network of the same widths, tied by the group.

    Its inputs are normalized about a point that the group does not move. Whatever the parameters
    are, the field has the symmetry: u(g x) = c(g) u(x) for each element g.

    Args:
        field: untied; its unknowns keep their first values.
        group: on the coordinates and fields, preserving `domain`.
    Raises:
        ValueError: the group moves the domain, does not act linearly on the features, does not go
            with the exact conditions, or does not fit the widths.
    """
    own, center = on_network(field, group, domain)
    network = MLP(field.network.sizes, field.network.activation, own)
    unknown = field.theta[field.network.parameters :]
    return replace(
        field,
        network=network,
        theta=torch.cat([network.init(generator), unknown]),
        input_shift=torch.from_numpy(center),
    )


def on_network(field: Field, group: Group, domain: Box) -> tuple[Group, FloatArray]:
    """The group as it acts on what the field's network sees and says.

    Returns:
        The group on the normalized inputs, counted from a point that no element moves, with the
        characters of the network's own outputs; and that point, (inputs,), before normalization.
    Raises:
        ValueError: as `tied_like`.
    """
    reason = group.preserves(domain)
    if reason is not None:
        raise ValueError(f"The group does not preserve the domain. {reason}")
    x = interior(domain, PROBES, seed=0).numpy()
    maps = [
        replace(seen, characters=characters)
        for seen, characters in zip(
            _on_features(group, field.features, x), _of_network(group, field.exact, x), strict=True
        )
    ]
    shift, scale = field.input_shift.numpy(), field.input_scale.numpy()
    center = np.mean([g(shift[None])[0] for g in Group.generated_by(maps).elements], axis=0)
    own = Group.generated_by(
        [
            replace(g, matrix=_snapped(scale[:, None] * g.matrix / scale), offset=0 * shift)
            for g in maps
        ]
    )
    if own.order != group.order:
        raise ValueError(
            f"The group has {group.order} elements, but only {own.order} differ on the features "
            "that the network sees: it cannot be tied by the others."
        )
    return own, _alike(own, np.where(np.abs(center) < 1e-15, 0.0, center))


def _alike(own: Group, center: FloatArray) -> FloatArray:
    """The center with the same number for inputs that change places, which rounding may part."""
    for g in own.elements:
        for i, j in zip(*np.nonzero(np.abs(g.matrix) == 1), strict=True):
            close = abs(center[i] - center[j]) <= AGREEMENT * max(1.0, abs(center[i]))
            center[[i, j]] = min(center[i], center[j]) if close else center[[i, j]]
    return center


def symmetry_error(field: Field, group: Group, x: FloatArray) -> float:
    """Largest |u(g x) - c(g) u(x)| over elements, outputs and points (N, d), by the largest |u|."""
    u = field.values(x)
    size = max(float(np.abs(u).max()), 1e-300)
    worst = [np.abs(field.values(g(x)) - g.characters * u).max() for g in group.elements]
    return float(max(worst)) / size


def _on_features(group: Group, features: CoordinateMap | None, x: FloatArray) -> list[InputMap]:
    """The generators as they act on the features: affine maps, fitted at points (N, d)."""
    if features is None:
        return list(group.generators)
    here = _values(features, x)
    columns = np.column_stack([here, np.ones(len(x))])
    found = []
    for g in group.generators:
        there = _values(features, g(x))
        solution: FloatArray = np.asarray(np.linalg.lstsq(columns, there, rcond=None)[0])
        miss = float(np.abs(columns @ solution - there).max())
        if miss > AGREEMENT * max(1.0, float(np.abs(there).max())):
            raise ValueError(
                f"The features of the network at the image under {g.describe()} are no affine "
                f"function of the features: the best one misses them by {miss:.1e}."
            )
        found.append(InputMap(_snapped(solution[:-1].T), _snapped(solution[-1]), g.characters))
    return found


def _of_network(group: Group, exact: CoordinateMap | None, x: FloatArray) -> list[FloatArray]:
    """Each generator's characters for the network's outputs, u = base + factor * output."""
    if exact is None:
        return [g.characters for g in group.generators]
    base, factor = np.split(_values(exact, x), 2, axis=1)
    found = []
    for g in group.generators:
        base_there, factor_there = np.split(_values(exact, g(x)), 2, axis=1)
        signs = np.sign(np.sum(factor * factor_there, axis=0))
        pairs = {
            "base": (base_there, g.characters * base),
            "factor": (factor_there, signs * factor),
        }
        for name, (value, wanted) in pairs.items():
            miss = float(np.abs(value - wanted).max())
            if miss > AGREEMENT * max(1.0, float(np.abs(wanted).max())):
                raise ValueError(
                    f"The exact conditions do not go with {g.describe()}: their {name} differs "
                    f"from its image by {miss:.1e}."
                )
        found.append(g.characters * signs)
    return found


def _values(functions: CoordinateMap, x: FloatArray) -> FloatArray:
    return np.asarray(functions.jet(x, ())[0], dtype=np.float64)


def _snapped(matrix: FloatArray) -> FloatArray:
    """Entries within `AGREEMENT` of an integer are that integer."""
    whole = np.round(matrix)
    return np.where(np.abs(matrix - whole) <= AGREEMENT, whole, matrix) + 0.0
