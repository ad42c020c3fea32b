"""Stored baselines: one JSON file per problem, written whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdpinn.atomic import write_text

FOLDER = Path("bench/baselines")
"""Where the repository keeps them, seen from its root."""
VERSION = 1
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def path_of(problem: str, folder: Path = FOLDER) -> Path:
    """The problem's file. Raises ValueError for a name that is no plain file name."""
    if not _NAME.fullmatch(problem):
        raise ValueError(
            f"a baseline is stored by the problem's name, expected letters, digits, '_', '-', "
            f"'.', got {problem!r}"
        )
    return folder / f"{problem}.json"


def read(problem: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """The stored figures, None if there are none.

    Raises ValueError for a file that is damaged, of another problem or of another version.
    """
    path = path_of(problem, folder)
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): restore it or measure again") from error
    found = (content.get("version"), content.get("problem")) if isinstance(content, dict) else None
    if found != (VERSION, problem):
        raise ValueError(
            f"{path} has (version, problem) = {found}, expected {(VERSION, problem)}: "
            "measure again with this version"
        )
    figures: dict[str, Any] = content["figures"]
    return figures


def write(problem: str, figures: Mapping[str, Any], folder: Path = FOLDER) -> Path:
    """Replace the stored figures; returns the file. Raises ValueError for NaN and infinities."""
    path = path_of(problem, folder)
    content = {"version": VERSION, "problem": problem, "figures": dict(figures)}
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text + "\n")
    return path
