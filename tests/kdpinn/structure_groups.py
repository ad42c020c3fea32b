"""Maps that several tests of structure build their groups from."""

from __future__ import annotations

import numpy as np

from kdpinn.structure.group import InputMap


def signs(*diagonal: float, u: tuple[float, ...] = (1.0,)) -> InputMap:
    return InputMap(np.diag(diagonal), np.zeros(len(diagonal)), np.array(u))


def turn(degrees: float, chi: float = 1.0, center: tuple[float, float] = (0, 0)) -> InputMap:
    a = np.deg2rad(degrees)
    matrix = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return InputMap.about(np.array(center, float), matrix, [chi])


SWAP = InputMap(np.array([[0.0, 1], [1, 0]]), np.zeros(2), np.ones(1))
CYCLE = InputMap(np.eye(3)[[1, 2, 0]], np.zeros(3), np.ones(1))
EXCHANGE = InputMap(np.eye(3)[[1, 0, 2]], np.zeros(3), -np.ones(1))
