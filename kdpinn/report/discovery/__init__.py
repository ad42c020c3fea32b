"""report.html of a search for structure, and its pictures as files."""

from __future__ import annotations

from pathlib import Path

from kdpinn import atomic
from kdpinn.report.discovery._content import Clusters, SearchPage
from kdpinn.report.discovery._cost import Cost
from kdpinn.report.discovery._page import render
from kdpinn.report.discovery._sheets import sheets

__all__ = ["Clusters", "Cost", "SearchPage", "render", "sheets", "write"]


def write(folder: Path, search: SearchPage) -> list[Path]:
    """Write report.html and figures/*.svg into the folder, each whole or not at all."""
    page = folder / "report.html"
    atomic.write_text(page, render(search))
    files = [page]
    for name, content in sheets(search).items():
        path = folder / "figures" / f"{name}.svg"
        path.parent.mkdir(exist_ok=True)
        atomic.write_text(path, content)
        files.append(path)
    return files
