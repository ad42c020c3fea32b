"""Residuals of the equations in a model file, as a device computes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kdpinn_runtime.format import Factor, Parameter, Term

from .arithmetic import FloatArray
from .maps import Jets


def terms_of(
    terms: Sequence[Term],
    x: FloatArray,
    jets: Jets[FloatArray],
    parameters: Sequence[Parameter],
    data: FloatArray | None,
) -> FloatArray:
    """The terms of one equation at every point, (terms, n), in the dtype of the jets.

    Their sum over axis 0 is the residual. x is (n, d), data (n, c). Raises ValueError if a term
    uses data columns and there are none.
    """
    dtype = jets.value.dtype.type
    rows = np.empty((len(terms), len(x)), dtype)
    for row, term in zip(rows, terms, strict=True):
        row[:] = dtype(term.coefficient)
        for factor in term.factors:
            row *= _factor(factor, x, jets, parameters, data).astype(dtype)
    return rows


def _factor(
    factor: Factor,
    x: FloatArray,
    jets: Jets[FloatArray],
    parameters: Sequence[Parameter],
    data: FloatArray | None,
) -> FloatArray:
    a, b = factor.a, factor.b
    match factor.kind:
        case "coordinate":
            return x[:, a]
        case "value":
            return jets.value[:, a]
        case "first":
            return jets.first[b][:, a]
        case "second":
            return jets.second[b][:, a]
        case "parameter":
            return np.asarray(np.float64(parameters[a].value))
        case "data":
            if data is None:
                raise ValueError(
                    f"an equation uses data column {a}, but no `data` was given: "
                    "tabulate the source terms at the baseline points"
                )
            return data[:, a]
