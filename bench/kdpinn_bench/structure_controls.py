"""Exact fields whose groups are known: what a search for structure must find, and must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kdpinn.geometry import Box, FloatArray
from kdpinn.structure.discovery import DiscoverySettings
from kdpinn.structure.group import Group, InputMap
from kdpinn.structure.students import StudentSettings

SQUARE = Box(x=(-1, 1), y=(-1, 1))


def signs(*diagonal: float, u: tuple[float, ...] = (1.0,)) -> InputMap:
    """A map that changes signs of coordinates and of fields."""
    return InputMap(np.diag(diagonal).astype(float), np.zeros(len(diagonal)), np.array(u, float))


def exchange(character: float) -> InputMap:
    """x <-> y of one field."""
    return InputMap(np.array([[0.0, 1.0], [1.0, 0.0]]), np.zeros(2), np.array([character]))


QUARTER_TURN = InputMap(np.array([[0.0, -1.0], [1.0, 0.0]]), np.zeros(2), np.ones(1))


@dataclass(frozen=True, kw_only=True)
class Control:
    """A field and its group.

    Attributes:
        function: of a column (n,) per coordinate: a tuple of columns.
        generators: of its group; none for a field without symmetry.
        exact: whether the search is told that the field has no error.
        settings: of the search.
    """

    name: str
    function: Callable[..., tuple[FloatArray, ...]]
    generators: tuple[InputMap, ...]
    domain: Box = SQUARE
    fields: tuple[str, ...] = ("u",)
    exact: bool = False
    settings: DiscoverySettings = field(default_factory=lambda: DiscoverySettings(rotations=False))

    def values(self, x: FloatArray) -> FloatArray:
        """Fields (n, m) at points (n, d)."""
        return np.stack(self.function(*x.T), axis=1)

    @property
    def words(self) -> tuple[str, ...]:
        """The elements of its group."""
        if not self.generators:
            return ("identity",)
        group = Group.generated_by(self.generators)
        return tuple(g.describe(self.domain.names, self.fields) for g in group.elements)


def _channel(x: FloatArray, y: FloatArray) -> tuple[FloatArray, ...]:
    y = y - 0.2
    return 1 - x + y**2, (0.04 - y**2) * (1 + x), y * np.cos(3 * x)


def _cubic(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(x**3 - 3 * x * y**2)


def _quartic(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.asarray(x**4 - 6 * x**2 * y**2 + y**4)


WITHOUT_PENALTY = DiscoverySettings(ladder=(StudentSettings(penalty=0.0),), rotations=False)

CONTROLS = (
    Control(
        name="Re z^3",
        function=lambda x, y: (_cubic(x, y),),
        generators=(signs(1, -1), signs(-1, 1, u=(-1,))),
    ),
    Control(
        name="e^x cos y",
        function=lambda x, y: (np.exp(x) * np.cos(y) / 2,),
        generators=(signs(1, -1),),
    ),
    Control(
        name="e^x sin y",
        function=lambda x, y: (np.exp(x) * np.sin(y),),
        generators=(signs(1, -1, u=(-1,)),),
    ),
    Control(
        name="x^2 - y^2",
        function=lambda x, y: (x**2 - y**2,),
        generators=(signs(1, -1), signs(-1, 1), exchange(-1)),
    ),
    Control(
        name="x y",
        function=lambda x, y: (x * y,),
        generators=(signs(1, -1, u=(-1,)), signs(-1, 1, u=(-1,)), exchange(1)),
    ),
    Control(
        name="Re z^4",
        function=lambda x, y: (_quartic(x, y),),
        generators=(signs(1, -1), signs(-1, 1), exchange(1)),
    ),
    Control(
        name="Re z^4 + Im z^4 / 2: quarter turns alone",
        function=lambda x, y: (_quartic(x, y) + 2 * (x**3 * y - x * y**3),),
        generators=(QUARTER_TURN,),
    ),
    Control(
        name="p, u, v about the middle of a channel",
        function=_channel,
        generators=(InputMap(np.diag([1.0, -1]), np.array([0, 0.4]), np.array([1.0, 1, -1])),),
        domain=Box(x=(0, 1.1), y=(0, 0.4)),
        fields=("p", "u", "v"),
    ),
    Control(
        name="three inputs, the third left alone",
        function=lambda x, y, nu: (np.sin(2 * x) * np.cos(y) * (1 + nu) + np.exp(y / 2) * x,),
        generators=(signs(-1, 1, 1, u=(-1,)),),
        domain=Box(x=(-1, 1), y=(-1, 1), nu=(0.0, 1.0)),
    ),
    Control(
        name="none: e^x cos y + x y + y / 2",
        function=lambda x, y: (np.exp(x) * np.cos(y) + x * y + y / 2,),
        generators=(),
    ),
    Control(
        name="none: Re z^3 + (x^2 - y^2) / 2 + 0.3 y",
        function=lambda x, y: (_cubic(x, y) + (x**2 - y**2) / 2 + 0.3 * y,),
        generators=(),
    ),
    Control(
        name="broken by one per cent: Re z^3 + 0.01 y",
        function=lambda x, y: (_cubic(x, y) + 0.01 * y,),
        generators=(signs(-1, -1, u=(-1,)),),
        exact=True,
    ),
    Control(
        name="without the penalty: Re z^3",
        function=lambda x, y: (_cubic(x, y),),
        generators=(),
        settings=WITHOUT_PENALTY,
    ),
)
"""`exact` is said where it decides: a teacher of unknown error may break what its truth has."""
