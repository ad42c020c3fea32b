"""What all pages have in common: one HTML document with its style inside, no script."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files

from kdpinn.report._text import esc


def style() -> str:
    """The style sheet of the pages and of what is drawn on them."""
    return files("kdpinn.report").joinpath("style.css").read_text(encoding="utf-8")


def page(title: str, header: str, sections: Iterable[tuple[str, str, str]]) -> str:
    """The whole document; no script, no outside resource.

    Args:
        header: HTML.
        sections: id, heading as text, HTML; those without HTML are left out.
    """
    body = "".join(
        f'<section id="{key}"><h2>{esc(heading)}</h2>{html}</section>'
        for key, heading, html in sections
        if html
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{esc(title)}</title><style>{style()}</style></head>"
        f"<body><main>{header}{body}</main></body></html>\n"
    )
