"""Curves and fields of a run on disk: numpy archives without pickle, written atomically."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from kdpinn import atomic
from kdpinn.metrics import Array, History

_CURVES = ("iteration", "seconds", "loss", "held_out", "rel_l2")


def write_history(path: Path, history: History) -> None:
    """Store a training curve as .npz."""
    curves = {name: np.asarray(getattr(history, name), dtype=np.float64) for name in _CURVES}
    marks = np.array(json.dumps([[int(row), name] for row, name in history.marks]))
    write_arrays(path, {**curves, "marks": marks})


def read_history(path: Path) -> History:
    """Read what `write_history` stored."""
    arrays = read_arrays(path)
    marks = tuple((int(row), str(name)) for row, name in json.loads(str(arrays.pop("marks"))))
    return History(**arrays, marks=marks)


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Store named arrays as a compressed .npz."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    atomic.write_bytes(path, buffer.getvalue())


def read_arrays(path: Path) -> dict[str, Array]:
    """Read named arrays; nothing in the file is executed."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}
