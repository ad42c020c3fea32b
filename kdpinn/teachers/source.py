"""What `--teacher` says: a file, and its weight, parameter values and part of the domain."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUFFIXES = (".onnx", ".kdp", ".safetensors", ".npz", ".csv", ".pt", ".pth")
FORMS = "model.onnx, model.kdp, field.safetensors, samples.npz, samples.csv, or module.py:factory"
_OPTION = re.compile(r"@(?=[A-Za-z_]\w*=)")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One teacher as it was asked for.

    Attributes:
        path: the file.
        attribute: name in a Python file, else "".
        weight: > 0, its share among teachers of the same points.
        at: parameter -> the value that this teacher stands for.
        region: coordinate -> (lower, upper), where it is valid.
    """

    path: Path
    attribute: str = ""
    weight: float = 1.0
    at: Mapping[str, float] = field(default_factory=dict)
    region: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Source:
        """`SOURCE[@weight=2][@nu=0.01][@x=-1:0]`, in any order.

        Raises:
            ValueError: another form, or an unknown kind of file.
            FileNotFoundError: there is no such file.
        """
        head, *options = _OPTION.split(text)
        path, _, attribute = head.rpartition(":") if ".py:" in head else (head, "", "")
        found = Path(path)
        if found.suffix == ".py" and not attribute:
            raise ValueError(f"Teacher {head}: say what in the file teaches, `{head}:NAME`.")
        if found.suffix not in (*SUFFIXES, ".py"):
            raise ValueError(f"Teacher {head}: expected {FORMS}.")
        if not found.is_file():
            raise FileNotFoundError(2, "no such file", str(found))
        weight, at, region = 1.0, {}, {}
        for option in options:
            name, _, value = option.partition("=")
            if name == "weight":
                weight = _number(text, option, value)
            elif ":" in value:
                region[name] = interval(text, option, value)
            else:
                at[name] = _number(text, option, value)
        if not weight > 0:
            raise ValueError(f"Teacher {text}: a weight is > 0, got {weight:g}.")
        return cls(path=found, attribute=attribute, weight=weight, at=at, region=region)

    @property
    def name(self) -> str:
        """The file's name, for messages: `model.onnx`, `module.py:factory`."""
        return self.path.name + (f":{self.attribute}" if self.attribute else "")

    @property
    def is_table(self) -> bool:
        """Whether it holds samples."""
        return self.path.suffix in (".npz", ".csv")

    def record(self) -> dict[str, Any]:
        """All that identifies it, as JSON: the file's digest in the place of its path."""
        return {
            "name": self.name,
            "sha256": hashlib.sha256(self.path.read_bytes()).hexdigest(),
            "weight": self.weight,
            "at": dict(self.at),
            "region": {name: list(ends) for name, ends in self.region.items()},
        }


def interval(owner: str, option: str, value: str) -> tuple[float, float]:
    """`-1:0` as (lower, upper)."""
    first, _, last = value.partition(":")
    lower, upper = _number(owner, option, first), _number(owner, option, last)
    if not lower < upper:
        raise ValueError(f"{owner}: '{option}' needs lower < upper.")
    return lower, upper


def _number(owner: str, option: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{owner}: '{option}' needs a number, got '{value}'.")
    return number
