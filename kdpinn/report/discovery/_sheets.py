"""The page's pictures as SVG files that stand alone, light or dark as their reader's screen."""

from __future__ import annotations

from collections.abc import Sequence

from kdpinn.report._shell import style
from kdpinn.report._svg import size_of, svg, text
from kdpinn.report.discovery import _cost, _orbits, _symmetry, _tables, _weights
from kdpinn.report.discovery._content import SearchPage
from kdpinn.structure.portrait import Portrait

_GAP, _TITLE = 18, 30

Row = tuple[str, Sequence[str]]


def sheets(search: SearchPage) -> dict[str, str]:
    """Name -> file: weights, orbits, symmetry, cost, clusters, those that there are."""
    networks = [n for n in (search.trained, search.student, search.rebuilt) if n is not None]
    tied = [n for n in (search.student, search.rebuilt) if n is not None]
    rows: dict[str, list[Row]] = {
        "weights": [(n.name, _layers(n, search)) for n in networks],
        "orbits": [(n.name, _orbits.arcs(n)) for n in tied] + _generators(search),
        "symmetry": _symmetry_rows(search),
        "cost": [("", [picture]) for picture in [_cost.picture(search.costs)] if picture],
    }
    if search.clusters is not None:
        portrait = search.clusters.portrait
        rows["clusters"] = [(portrait.name, _layers(portrait, search))]
    return {name: _sheet(name, found) for name, found in rows.items() if found}


def _layers(network: Portrait, search: SearchPage) -> list[str]:
    return _weights.layers(network, search.inputs, search.outputs)


def _generators(search: SearchPage) -> list[Row]:
    """Which arcs belong to which generator."""
    words = [_tables.arrows(g["map"]) for g in search.facts["generators"]]
    return [("", [_orbits.legend(words)])] if words else []


def _symmetry_rows(search: SearchPage) -> list[Row]:
    scale = _symmetry.coloring(search.symmetry)
    return [
        (
            _tables.arrows(row.map.describe(search.inputs, search.outputs)),
            _symmetry.panels(row, scale),
        )
        for row in search.symmetry
    ]


def _sheet(name: str, rows: Sequence[Row]) -> str:
    """Rows of drawings with titles in one drawing, the style sheet inside."""
    parts, width, y = [], 0.0, float(_GAP)
    for title, pictures in rows:
        if title:
            parts.append(text(_GAP, y + 14, title, anchor="start", cls="label"))
            y += _TITLE
        x, height = float(_GAP), 0.0
        for picture in pictures:
            w, h = size_of(picture)
            body = picture[picture.index(">") + 1 : picture.rindex("</svg>")]
            parts.append(f'<g transform="translate({x:g} {y:g})">{body}</g>')
            x, height = x + w + _GAP, max(height, h)
        width, y = max(width, x), y + height + _GAP
    paper = f'<style>{style()}</style><rect width="100%" height="100%" class="paper"/>'
    return svg(round(width), round(y), paper + "".join(parts), name) + "\n"
