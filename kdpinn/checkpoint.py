"""Checkpoints: any dataclass of tensors, numbers, texts and such dataclasses, in one file.

safetensors with a JSON header, written to a sibling file and renamed: a killed run finds the
previous checkpoint or the new one, never a part. No pickle.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
from torch import Tensor

from kdpinn.atomic import write_bytes

VERSION = 1
T = TypeVar("T")


@dataclass(frozen=True)
class Checkpoint:
    """Content of a file: tensors and scalars by dotted path, and a text that names the run."""

    tensors: Mapping[str, Tensor]
    scalars: Mapping[str, Any]
    run: str


def write(path: Path, state: object, *, run: str) -> None:
    """Store a dataclass.

    Args:
        run: identifies settings that must agree when the run is resumed.
    """
    tensors: dict[str, Tensor] = {}
    scalars: dict[str, Any] = {}
    _flatten("", state, tensors, scalars)
    header = {"version": str(VERSION), "scalars": json.dumps(scalars), "run": run}
    write_bytes(path, safetensors.torch.save(tensors, header))


def read(path: Path) -> Checkpoint:
    """Load a file of `write`.

    Raises:
        ValueError: the file is no checkpoint of this version, naming it.
    """
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            # Cloned: aligned memory of their own, as the tensors had when they were stored. Sums
            # of the same numbers in the same order need the same alignment.
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is no checkpoint: {error}") from error
    if header.get("version") != str(VERSION):
        raise ValueError(
            f"{path} is a checkpoint of version {header.get('version')}, this is version "
            f"{VERSION}: start the run anew."
        )
    return Checkpoint(tensors, json.loads(header["scalars"]), header["run"])


def restore(template: T, checkpoint: Checkpoint, prefix: str = "") -> T:
    """A dataclass like `template` with the values of the checkpoint; absent tensors are None.

    Raises:
        ValueError: a scalar of the template is not in the checkpoint.
    """
    values: dict[str, Any] = {}
    for f in dataclasses.fields(template):  # type: ignore[arg-type]
        name, present = prefix + f.name, getattr(template, f.name)
        if dataclasses.is_dataclass(present):
            values[f.name] = restore(present, checkpoint, f"{name}.")
        elif name in checkpoint.tensors:
            values[f.name] = checkpoint.tensors[name]
        elif name in checkpoint.scalars:
            values[f.name] = checkpoint.scalars[name]
        else:
            raise ValueError(f"The checkpoint has no '{name}': it belongs to another run.")
    return dataclasses.replace(template, **values)  # type: ignore[type-var]


def _flatten(
    prefix: str, state: object, tensors: dict[str, Tensor], scalars: dict[str, Any]
) -> None:
    for f in dataclasses.fields(state):  # type: ignore[arg-type]
        name, value = prefix + f.name, getattr(state, f.name)
        if isinstance(value, Tensor):
            tensors[name] = value.detach().contiguous()
        elif dataclasses.is_dataclass(value):
            _flatten(f"{name}.", value, tensors, scalars)
        elif value is None or isinstance(value, (bool, int, float, str)):
            scalars[name] = value
        else:
            raise TypeError(
                f"A checkpoint holds tensors, numbers, texts and dataclasses of them; '{name}' is "
                f"a {type(value).__name__}."
            )
