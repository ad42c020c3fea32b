"""The `j` of a residual: fields with derivatives, coordinates, parameters and data at points.

The same residual runs on torch tensors (training), numpy arrays (exact solutions) and sympy
symbols (tracing): `j` only passes the values on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdpinn.jets import JetSpec
from kdpinn.problems.field_jet import FieldJet, Value
from kdpinn.problems.names import derivative_names


class PointJet:
    """What a residual sees: `j.u`, `j.u.xx`, `j.x`, `j.nu`, `j.f`, all at the same points.

    Args:
        fields: name -> FieldJet.
        others: name -> value, coordinates, parameters, sources and condition data.
    Raises:
        AttributeError: on reading a name that is not there; the message lists those that are.
    """

    __slots__ = ("_items",)

    def __init__(self, fields: Mapping[str, FieldJet], others: Mapping[str, Value]) -> None:
        self._items: dict[str, Value] = {**fields, **others}

    def __getattr__(self, name: str) -> Value:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._items:
            raise AttributeError(f"`j.{name}` does not exist: `j` has {', '.join(self._items)}.")
        return self._items[name]

    def __dir__(self) -> list[str]:
        return sorted(self._items)

    @classmethod
    def from_channels(
        cls,
        channels: Value,
        spec: JetSpec,
        *,
        fields: Sequence[str],
        coordinates: Mapping[str, Value],
        others: Mapping[str, Value],
    ) -> PointJet:
        """The jet of a network.

        Args:
            channels: (K, N, m), tensor or array; channel order of `spec`, m fields.
            coordinates: name -> (N,), in the order of `spec`'s coordinates.
            others: parameters (numbers) and data (N,) by name.
        """
        if len(channels.shape) != 3 or channels.shape[::2] != (spec.channels, len(fields)):
            raise ValueError(
                f"A jet of {', '.join(fields)} with {spec} has channels of shape "
                f"({spec.channels}, N, {len(fields)}), got {tuple(channels.shape)}."
            )
        names = tuple(coordinates)
        jets = {
            name: FieldJet(name, channels[0, :, k], names, _Channels(name, channels, spec, k))
            for k, name in enumerate(fields)
        }
        return cls(jets, {**coordinates, **others})

    @classmethod
    def from_values(
        cls,
        fields: Mapping[str, Mapping[str, Value]],
        *,
        coordinates: Mapping[str, Value],
        others: Mapping[str, Value] | None = None,
    ) -> PointJet:
        """The jet of a known solution.

        Args:
            fields: name -> {"": value, "x": first derivative, "xx": second derivative, ...}.
            coordinates: name -> (N,).
            others: parameters and data by name.
        """
        names = tuple(coordinates)
        spellings = derivative_names(names)
        jets = {}
        for name, values in fields.items():
            known = {spellings[s]: v for s, v in values.items() if s}
            jets[name] = FieldJet(name, values[""], names, _Known(name, known, names))
        return cls(jets, {**coordinates, **(others or {})})


class _Channels:
    """Looks a derivative of field k up in the channels (K, N, m)."""

    def __init__(self, name: str, channels: Value, spec: JetSpec, k: int) -> None:
        self.name, self.channels, self.spec, self.k = name, channels, spec, k

    def __call__(self, indices: tuple[int, ...]) -> Value:
        spec = self.spec
        if len(indices) > spec.order or (len(indices) == 2 and indices not in spec.pairs):
            raise AttributeError(
                f"The derivative {indices} of '{self.name}' is not in this jet, {spec}: make it "
                "with the `JetSpec` that `problem.spec(residual)` finds for the same residual."
            )
        first = 1 + indices[0] if len(indices) == 1 else 0
        channel = first or 1 + spec.d + spec.pair_index(indices[0], indices[1])
        return self.channels[channel, :, self.k]


class _Known:
    """Looks a derivative up in a table."""

    def __init__(
        self, name: str, known: Mapping[tuple[int, ...], Value], coordinates: Sequence[str]
    ) -> None:
        self.name, self.known, self.coordinates = name, known, coordinates

    def __call__(self, indices: tuple[int, ...]) -> Value:
        if indices not in self.known:
            spelling = "".join(self.coordinates[i] for i in indices)
            raise AttributeError(f"The jet of '{self.name}' was given no derivative '{spelling}'.")
        return self.known[indices]
