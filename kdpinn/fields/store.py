"""A field as a zarr group: made at once, filled chunk by chunk, and found again after a kill.

A chunk is a file that appears whole or not at all, also when it holds nothing but fill values; so
the chunks that are there are those that are done. The attribute `complete` is set at the end.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from kdpinn.fields.grid import Grid, Index
from kdpinn_runtime import Model
from kdpinn_runtime.format import Variable

CONVENTIONS = "CF-1.11"
SAME = ("model_digest", "grid", "number_type", "chunk")
"""Attributes that a field must have in common with the one that is gone on with."""


def attributes(model: Model, grid: Grid, dtype: str) -> dict[str, Any]:
    """What the file says about itself, by the CF conventions, and what resuming compares."""
    card = model.card
    fixed = {a.variable.name: a.lower for a in grid.axes if a.count == 1}
    return {
        "Conventions": CONVENTIONS,
        "title": str(card.get("title", card.get("problem", "field of a model"))),
        "source": f"kdpinn model {model.digest}",
        "model_digest": model.digest,
        "grid": [[a.variable.name, a.lower, a.upper, a.count] for a in grid.axes],
        "fixed_inputs": fixed,
        "number_type": dtype,
        "chunk": list(grid.chunk),
    }


def described(variable: Variable) -> dict[str, Any]:
    """CF attributes of one variable."""
    return {"long_name": variable.name, "units": variable.unit or "1"}


def open_or_make(path: Path, model: Model, grid: Grid, dtype: str) -> None:
    """The group at `path`, as it was left or new; it is made beside and then renamed.

    Raises:
        ValueError: something else stands there, or a field of another model or grid.
    """
    import zarr

    wanted = attributes(model, grid, dtype)
    if path.exists():
        _check(path, wanted)
        return
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    group = zarr.create_group(part, attributes={**wanted, "complete": False})
    names = [axis.variable.name for axis in grid.dimensions]
    for axis in grid.dimensions:
        name = axis.variable.name
        group.create_array(
            name,
            data=axis.values,
            dimension_names=[name],
            attributes=described(axis.variable),
            chunks=(axis.count,),
        )
    for variable in model.outputs:
        # Not compressed: a smooth field hardly shrinks, and it would cost more than evaluating it.
        group.create_array(
            variable.name,
            shape=grid.shape,
            chunks=grid.chunk,
            dtype=dtype,
            fill_value=float("nan"),
            compressors=None,
            dimension_names=names,
            attributes=described(variable),
            config={"write_empty_chunks": True},
        )
    part.rename(path)


def missing_chunks(path: Path, model: Model, grid: Grid) -> list[Index]:
    """Chunks that at least one output lacks, in their order."""
    outputs = [path / variable.name / "c" for variable in model.outputs]
    return [
        index
        for index in grid.indices()
        if not all(folder.joinpath(*map(str, index)).exists() for folder in outputs)
    ]


def finish(path: Path) -> None:
    """Say that the field is whole."""
    import zarr

    zarr.open_group(path, mode="r+").attrs["complete"] = True


def _check(path: Path, wanted: dict[str, Any]) -> None:
    import zarr

    try:
        found = dict(zarr.open_group(path, mode="r").attrs)
    except (FileNotFoundError, ValueError, zarr.errors.NodeTypeValidationError) as error:
        raise ValueError(f"{path} exists and is no field: choose another name.") from error
    for key in SAME:
        value = wanted[key]
        if found.get(key) != value:
            raise ValueError(
                f"{path} holds another field: its {key} is {found.get(key)!r}, asked for is "
                f"{value!r}. Delete it or choose another name."
            )
