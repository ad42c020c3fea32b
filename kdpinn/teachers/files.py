"""Teachers out of files. Nothing of a file is executed, but for a `.py` file: that is run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from kdpinn.field import Field
from kdpinn.geometry import Box
from kdpinn.problems.load import load_object
from kdpinn.shipping import field_of
from kdpinn.teachers.boxes import box_of
from kdpinn.teachers.model_files import RuntimeModel
from kdpinn.teachers.objects import KINDS, teacher_of
from kdpinn.teachers.onnx_files import onnx_teacher
from kdpinn.teachers.protocol import Teacher
from kdpinn.teachers.source import Source
from kdpinn_runtime import Model, read


def teacher_from(
    source: Source, box: Box | None, fields: tuple[str, ...], *, trust_pickle: bool = False
) -> Teacher:
    """The teacher in a file that is no table.

    Args:
        box: the coordinates, in the order of the teacher's inputs; None: its own, if it has them.
        fields: names of its outputs; () for its own, or "u".
        trust_pickle: whether a pickled torch module may be loaded, which can run any code.
    Raises:
        ValueError, OSError: the file cannot teach, naming it.
    """
    suffix = source.path.suffix
    if suffix in (".kdp", ".safetensors"):
        teacher = _own(source.path)
        _check_names(source, teacher, box, fields)
        return teacher
    if box is None:
        raise ValueError(
            f"Teacher {source.name} does not know its coordinates: say --domain "
            '"x=-1:1,t=0:1", in the order of its inputs.'
        )
    if suffix == ".onnx":
        return onnx_teacher(source.path, box, fields)
    if suffix == ".py":
        with _defaults_kept():
            value = load_object(source.path, source.attribute, KINDS)
        return teacher_of(value, box, fields, source.name)
    return teacher_of(_unpickled(source.path, trust_pickle), box, fields, source.name)


def own_domain(source: Source) -> Box | None:
    """The domain that a model file brings; None for other files."""
    if source.path.suffix != ".kdp":
        return None
    inputs = read(source.path).inputs
    bounds = {v.name: (v.lower, v.upper) for v in inputs}
    return box_of(bounds, {v.name: v.unit for v in inputs})


def _own(path: Path) -> Teacher:
    """A field of this package: trainable if it is of one kind, else as the runtime evaluates it."""
    if path.suffix == ".safetensors":
        return Field.load(path)
    file = read(path)
    try:
        return field_of(file)
    except ValueError:  # hidden layers of several activations
        return RuntimeModel(Model(path.read_bytes(), outside="count"))


def _check_names(
    source: Source, teacher: Teacher, box: Box | None, fields: tuple[str, ...]
) -> None:
    wanted = (box.names if box is not None else teacher.inputs, fields or teacher.outputs)
    if (teacher.inputs, teacher.outputs) != wanted:
        raise ValueError(
            f"Teacher {source.name} maps {', '.join(teacher.inputs)} to "
            f"{', '.join(teacher.outputs)}, asked for is {', '.join(wanted[0])} to "
            f"{', '.join(wanted[1])}: names and their order must be the same."
        )


@contextmanager
def _defaults_kept() -> Iterator[None]:
    """Take back what a user's file sets for all of torch: frameworks choose a device and a type."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:  # any device that is set slows every call
            torch.set_default_device(device)


def _unpickled(path: Path, trust_pickle: bool) -> Any:
    """The torch module in a `.pt` file."""
    if not trust_pickle:
        raise ValueError(
            f"{path} is a pickle, which can run any code when it is loaded. If you made it "
            "yourself, say --trust-pickle; for its weights alone, build the module in a Python "
            "file, fill it by torch.load(path, weights_only=True), and name it as "
            "module.py:factory."
        )
    try:
        value = torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise ValueError(f"{path} cannot be loaded by torch: {error}") from error
    if not isinstance(value, torch.nn.Module):
        raise ValueError(
            f"{path} holds a {type(value).__name__}, no torch.nn.Module: weights alone cannot "
            "teach; build the module in a Python file and name it as module.py:factory."
        )
    return value
