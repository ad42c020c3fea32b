"""report.html: one self-contained page that tells a run, or several, to one who was not there."""

from __future__ import annotations

from pathlib import Path

from kdpinn import atomic
from kdpinn.metrics import RunResult
from kdpinn.report._compare import compare
from kdpinn.report._page import render

__all__ = ["compare", "render", "write"]


def write(path: Path, result: RunResult) -> None:
    """Render `result` and put it at `path`, whole or not at all."""
    atomic.write_text(path, render(result))
