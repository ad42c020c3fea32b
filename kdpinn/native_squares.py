"""Sums of squared residuals through the native kernels, value and gradient in one pass.

For terms whose residual is a `Polynomial`, on the CPU in float64; `kdpinn.losses` keeps automatic
differentiation for the others, and it is the reference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from kdpinn import native_jets
from kdpinn.field import Field
from kdpinn.frame import Frame, joined_frames
from kdpinn.jets import JetSpec
from kdpinn.polynomial import Column, Factor, Jet, Polynomial, Product, Sum, product_rule
from kdpinn_runtime import reverse


@dataclass(frozen=True, eq=False)
class PointSet:
    """Points with all that is asked there.

    Attributes:
        frame: the points.
        polynomial: the equations of all terms on them, in the jets of the field.
        factors: (equations, N), what each residual is multiplied by.
    """

    frame: Frame
    polynomial: Polynomial
    factors: Tensor


class NativeSquares:
    """f(theta) = sum over point sets, equations and points of (factor * residual)^2.

    Point sets with the same equations (the initial and the boundary values, say) are joined.
    """

    def __init__(self, field: Field, sets: Sequence[PointSet]) -> None:
        groups: dict[tuple[JetSpec, tuple[Sum, ...]], list[PointSet]] = {}
        for part in sets:
            groups.setdefault((part.frame.spec, part.polynomial.equations), []).append(part)
        self._network, self._unknowns = field.network, len(field.unknown)
        self._squares = reverse.Squares([_native_part(field, group) for group in groups.values()])

    def value_and_gradient(self, weights: Tensor, unknown: Tensor) -> tuple[float, Tensor, Tensor]:
        """f, df/d(weights) (P,) and df/d(unknown) (q,).

        Args:
            weights: (P,), the network's parameters.
            unknown: (q,), values of the unknown parameters.
        """
        dense = self._network.expand(weights)
        gradient = torch.empty_like(dense, memory_format=torch.contiguous_format)
        by_unknown = torch.empty(self._unknowns, dtype=torch.float64)
        value = self._squares.evaluate(
            native_jets.array(dense),
            native_jets.array(unknown[: self._unknowns]),
            gradient.numpy(),
            by_unknown.numpy(),
            threads=torch.get_num_threads(),
        )
        return value, self._network.reduce(gradient), by_unknown


def in_raw_jets(field: Field, frame: Frame, polynomial: Polynomial) -> Polynomial | None:
    """The polynomial in the jets of the network's raw outputs; None where it becomes too long."""
    if not field.unknown:
        polynomial = polynomial.known()
    meaning, columns = _meaning(field, frame)
    if meaning is None:
        return polynomial
    return polynomial.with_jets(meaning, columns)


def _meaning(field: Field, frame: Frame) -> tuple[dict[Jet, Sum] | None, Tensor]:
    """Jets of the fields in those of the network's outputs; None if they are the same."""
    none = frame.inputs.new_zeros(0, frame.inputs.shape[-2])
    exact = frame.base is not None and frame.factor is not None
    if field.plain_outputs and not exact:
        return None, none
    scaled: dict[Jet, Sum] = {}
    spec = frame.spec
    for m, (scale, shift) in enumerate(
        zip(field.output_scale.tolist(), field.output_shift.tolist(), strict=True)
    ):
        for k in range(spec.channels):
            constant = (Product(shift),) if k == 0 and shift else ()
            scaled[Jet(k, m)] = (Product(scale, (Jet(k, m),)), *constant)
    if frame.base is None or frame.factor is None:
        return scaled, none
    return _with_exact(spec, scaled, frame.base, frame.factor)


def _with_exact(
    spec: JetSpec, scaled: dict[Jet, Sum], base: Tensor, factor: Tensor
) -> tuple[dict[Jet, Sum], Tensor]:
    """field = base + factor * scaled output, by the product rule; columns (2 K m, N)."""
    channels, n, outputs = base.shape
    table = torch.cat([base, factor]).transpose(1, 2).reshape(-1, n)
    some = table.abs().amax(1) > 0
    meaning: dict[Jet, Sum] = {}
    for m in range(outputs):
        for jet, pairs in product_rule(spec, m).items():
            constant = jet.channel * outputs + m
            terms = [Product(1.0, (Column(constant),))] if some[constant] else []
            for of_factor, of_output in pairs:
                column = (channels + of_factor) * outputs + m
                if some[column]:
                    terms += [
                        Product(p.coefficient, (Column(column), *p.factors))
                        for p in scaled[Jet(of_output, m)]
                    ]
            meaning[jet] = tuple(terms)
    return meaning, table


def _native_part(
    field: Field, group: Sequence[PointSet]
) -> tuple[reverse.Network, reverse.Equations]:
    """Point sets of the same equations as the native side takes them."""
    frame = joined_frames([part.frame for part in group])
    spec = frame.spec
    call = native_jets.Call(
        field.network, frame.inputs, field.input_scale, spec.order, spec.pairs, spec.channels
    )
    equations = group[0].polynomial.equations
    columns = torch.cat(
        [torch.cat([part.factors, part.polynomial.columns]) for part in group], 1
    ).contiguous()
    jets = spec.channels * field.network.sizes[-1]

    def number(factor: Factor) -> int:
        if isinstance(factor, Jet):
            return factor.output * spec.channels + factor.channel
        if isinstance(factor, Column):
            return jets + len(equations) + factor.row
        return jets + len(columns) + factor.number

    products = [
        (product.coefficient, e, [number(factor) for factor in product.factors])
        for e, terms in enumerate(equations)
        for product in terms
    ]
    return call.at(field.network.expand(field.weights)), reverse.Equations(
        products=products,
        equations=len(equations),
        columns=native_jets.array(columns),
        scalars=len(field.unknown),
    )
