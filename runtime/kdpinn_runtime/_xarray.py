"""A model over a grid as an xarray Dataset; only this file imports xarray, and only if called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

if TYPE_CHECKING:
    from .model import Model


def dataset(model: Model, coordinates: Mapping[str, ArrayLike], dtype: DTypeLike) -> Any:
    """See `Model.to_xarray`."""
    try:
        xarray: Any = importlib.import_module("xarray")
    except ImportError:
        raise ImportError("`to_xarray` needs xarray: pip install xarray") from None
    names = [variable.name for variable in model.inputs]
    if set(coordinates) != set(names):
        raise ValueError(
            f"`to_xarray` takes values of each of the inputs {names}, got {sorted(coordinates)}."
        )
    axes = {name: np.asarray(coordinates[name], np.float64) for name in names}
    if any(axis.ndim > 1 for axis in axes.values()):
        raise ValueError("`to_xarray` takes numbers and one-dimensional arrays: they make a grid.")
    dimensions = [name for name in names if axes[name].ndim == 1]
    grid = np.meshgrid(*axes.values(), indexing="ij")
    points = np.stack([part.ravel() for part in grid], axis=1).astype(dtype)
    shape = [axes[name].size for name in dimensions]
    values = model(points)
    attributes = {v.name: {"long_name": v.name, "units": v.unit or "1"} for v in _all(model)}
    return xarray.Dataset(
        {
            variable.name: (dimensions, values[:, k].reshape(shape), attributes[variable.name])
            for k, variable in enumerate(model.outputs)
        },
        coords={
            name: ((name,) if axis.ndim else (), axis, attributes[name])
            for name, axis in axes.items()
        },
        attrs={
            "Conventions": "CF-1.11",
            "title": str(model.card.get("title", "field of a model")),
            "source": f"kdpinn model {model.digest}",
            "model_digest": model.digest,
        },
    )


def _all(model: Model) -> tuple[Any, ...]:
    return (*model.inputs, *model.outputs)
