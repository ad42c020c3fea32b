"""Options that several commands share, and where their output goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

ProblemName = Annotated[
    str, typer.Argument(metavar="PROBLEM", help="A name of `kdpinn problems`, or FILE.py:NAME.")
]
ModelPath = Annotated[Path, typer.Argument(metavar="MODEL.kdp", help="A model file.")]
Out = Annotated[Path, typer.Option("--out", help="Output folder; made if it is missing.")]
Preset = Annotated[str, typer.Option(help="Sizes and budgets: quick or best.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of initialization and points.")]
Resume = Annotated[bool, typer.Option("--resume", help="Continue the run in the folder, if any.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Delete the run in the folder.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Seconds = Annotated[float, typer.Option(min=0.01, help="Longest time for each measurement, in s.")]


# Names are printed as they are: to rich, `x.py:a: none` has an emoji and `runs/[1]` a style.
_PLAIN: Any = {"markup": False, "emoji": False}


def stdout() -> Console:
    """For results."""
    return Console(**_PLAIN)


def wide_stdout() -> Console:
    """Wide enough for the tables where the output is a file."""
    console = stdout()
    return console if console.is_terminal else Console(width=160, **_PLAIN)


def stderr() -> Console:
    """For progress and messages."""
    return Console(stderr=True, **_PLAIN)


def print_json(value: Any) -> None:
    """Print a value as JSON, numbers that it does not have as null."""
    from kdpinn.metrics import finite

    typer.echo(json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False))
