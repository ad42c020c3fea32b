"""The page of a search: what was found, why it is believed, what it bought."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

from kdpinn.report._maps import colorbar
from kdpinn.report._shell import page
from kdpinn.report._svg import size_of
from kdpinn.report._text import count, duration, esc, number, scientific
from kdpinn.report.discovery import _cost, _orbits, _symmetry, _tables, _weights
from kdpinn.report.discovery._content import Clusters, SearchPage
from kdpinn.structure.evidence import SHOWN
from kdpinn.structure.portrait import Portrait

Section = tuple[str, str, str]


def render(search: SearchPage) -> str:
    """The whole HTML document; no script, no outside resource."""
    sections: list[Section] = [
        ("evidence", "Evidence", _evidence(search)),
        ("weights", "Weights before and after", _weights_section(search)),
        ("orbits", "Orbits of the neurons", _orbits_section(search)),
        ("symmetry", "Where the symmetry is broken", _symmetry_section(search)),
        ("cost", "Error against free parameters", _cost_section(search)),
        ("clusters", "The published method", _clusters_section(search)),
        ("provenance", "How it was made", _provenance(search)),
    ]
    return page(f"{search.title}: kdpinn structure report", _header(search), sections)


def _header(search: SearchPage) -> str:
    facts = search.facts
    words, cls = "No structure", "none"
    if facts["kept"]:
        words, cls = f"Group of order {facts['group_order']}", "pass"
    elif facts["method"] == "hac":
        words = "Clusters"
    elif facts["group_order"] > 1:
        words, cls = "Rejected", "fail"
    of = f"{esc(facts['problem'])} · " if facts["problem"] else ""
    statement = facts["statement"].removeprefix("No structure: ")
    return (
        f'<header><p class="crumb">kdpinn structure report · {of}'
        f"preset {esc(facts['preset'])} · seed {facts['seed']}</p><h1>{esc(search.title)}</h1>"
        f'<p class="verdict {cls}"><b>{words}</b><span>{esc(_tables.arrows(statement))}</span></p>'
        f"{_tiles(search)}</header>"
    )


def _tiles(search: SearchPage) -> str:
    facts, tiles = search.facts, []
    plain = facts.get("plain") or {}
    if facts["free_parameters"] is not None:
        tiles.append(
            (
                "Free parameters",
                count(facts["free_parameters"]),
                f"of {count(facts['dense_parameters'])}",
            )
        )
    if facts["rel_l2"] is not None:
        below = f"plain {number(plain['rel_l2'])}" if plain.get("rel_l2") is not None else ""
        tiles.append(("Relative L² error", number(facts["rel_l2"]), below))
    if facts.get("symmetry_error") is not None:
        below = f"plain {number(plain['symmetry_error'], 2)}" if plain else ""
        tiles.append(("Symmetry error", number(facts["symmetry_error"], 2), below))
    candidates = facts.get("candidates")
    if candidates:
        tried = sum(len(found) for found in candidates.values())
        tiles.append(("Maps accepted", str(len(candidates["accepted"])), f"of {tried} candidates"))
    if "seconds" in facts and "discovery" in facts["seconds"]:
        tiles.append(("Search", duration(facts["seconds"]["discovery"]), "from the teacher"))
    cells = "".join(f"<li><span>{a}</span><b>{b}</b><small>{c}</small></li>" for a, b, c in tiles)
    return f'<ul class="tiles">{cells}</ul>' if tiles else ""


def _evidence(search: SearchPage) -> str:
    found = _tables.evidence(search.facts)
    note = (
        "The teacher may break a symmetry by its own error, twice over, and no more. A student, "
        "trained under a penalty that makes neurons repeat each other, is then tied by the map and "
        "trained on: a symmetry costs it nothing, J stays, anything else costs it dearly. Maps "
        "that the teacher contradicts are tied in one student only, for a scale."
    )
    gate = search.facts.get("gate")
    verdict = f"<p><b>The gate.</b> {esc(gate['reason'])}</p>" if gate else ""
    told = _tables.students(search.facts)
    parts = f'{found}<p class="note">{note}</p>' if found else ""
    return parts + verdict + (f"<h3>Students</h3>{told}" if told else "")


def _weights_section(search: SearchPage) -> str:
    networks = [
        (search.trained, "Before: a student as it was trained under the penalty, which makes rows "
         "repeat each other up to sign; nothing is tied yet."),
        (search.student, "The same after its repeats were merged. Weights of one color are those "
         f"that the symmetry makes one number: {_shown(search.misalignment)}"),
        (search.rebuilt, "After: the rebuilt network. Every color is one free parameter; the lines "
         "part the copies that belong to the elements of the group."),
    ]  # fmt: skip
    parts = [
        f"<h3>{esc(network.name)}</h3><p>{esc(words)}</p>{drawn(network, search)}"
        for network, words in networks
        if network is not None
    ]
    if not parts:
        return ""
    legend = (
        '<p class="note">Area is size, relative to the largest of the layer; filled squares are '
        "positive, hollow ones negative. One color: one free parameter, up to sign; colors are "
        "counted anew in each layer. A cross is a weight that the symmetry makes zero; b is the "
        "bias. Rows are the layer's neurons.</p>"
    )
    return "".join(parts) + legend


def _shown(misalignment: float) -> str:
    """Whether the student's own weights have the symmetry."""
    off = scientific(misalignment, 2)
    if misalignment <= SHOWN:
        return f"nothing has tied them, and yet they differ by no more than {off}, relatively."
    return (
        f"this student does not show it by itself, they differ by {off}, relatively; what speaks "
        "for the symmetry is that the tie costs nothing."
    )


def drawn(network: Portrait, search: SearchPage) -> str:
    """The layers of a network side by side, as wide as they are."""
    return strip(_weights.layers(network, search.inputs, search.outputs))


def strip(pictures: Sequence[str]) -> str:
    """Drawings in a row at their own size; the row breaks where the page ends."""
    sized = [
        picture.replace("<svg", f'<svg style="width:{size_of(picture)[0]:g}px"', 1)
        for picture in pictures
    ]
    return f'<div class="strip">{"".join(sized)}</div>'


def _orbits_section(search: SearchPage) -> str:
    networks = [n for n in (search.student, search.rebuilt) if n is not None]
    if not networks:
        return ""
    names = "".join(
        f'<li><i class="swatch {hue}"></i>{esc(_tables.arrows(g["map"]))}</li>'
        for hue, g in zip(cycle(_orbits.HUES), search.facts["generators"], strict=False)
    )
    lines = [_orbits.hyperplanes(n, search.inputs, search.bounds) for n in networks]
    first = ""
    if all(lines):
        first = (
            "<h3>First layer</h3><p>Each neuron is zero on a line. The group takes the lines of an "
            "orbit, one color, to each other; shaded is the domain, lines far from it are left "
            f"out.</p>{strip(lines)}"
        )
    parts = [f"<h3>{esc(n.name)}</h3>{strip(_orbits.arcs(n))}" for n in networks]
    note = (
        '<p class="note">Dots are neurons, those of one color an orbit. An arc joins a neuron to '
        "its image under a generator, dashed where the image is its negative; a small ring is a "
        "neuron that the generator leaves in place, dashed where it becomes its own negative.</p>"
    )
    return f'<ul class="legend">{names}</ul>{first}{"".join(parts)}{note}'


def _symmetry_section(search: SearchPage) -> str:
    if not search.symmetry:
        return ""
    scale = _symmetry.coloring(search.symmetry)
    parts = []
    for row in search.symmetry:
        words = esc(_tables.arrows(row.map.describe(search.inputs, search.outputs)))
        at = ", ".join(f"{name} = {number(value)}" for name, value in row.plane.fixed.items())
        pictures = "".join(_symmetry.panels(row, scale))
        parts.append(
            f'<h3>{words}{f" at {esc(at)}" if at else ""}</h3><div class="maps">{pictures}</div>'
        )
    what = (
        "|u(g x) − χ u(x)| over the field's standard deviation, the largest of the fields, with "
        "the largest value above each map. "
    )
    if search.facts["generators"]:
        what += "The student is the one above, before anything is tied."
    else:
        what += "No map is a symmetry: this one comes nearest."
    bar = colorbar(scale, "symmetry error, logarithmic")
    return f'<figure>{bar}</figure>{"".join(parts)}<p class="note">{what}</p>'


def _cost_section(search: SearchPage) -> str:
    picture = _cost.picture(search.costs)
    told = _tables.networks(search.facts)
    if not picture and not told:
        return ""
    note = (
        '<p class="note">Rebuilt and plain network: same widths, same optimizer, same budget.'
        f"{_tables.costs_note([c.kind for c in search.costs])}</p>"
    )
    return f'{told}<div class="pair">{picture}</div>{note}'


def _clusters_section(search: SearchPage) -> str:
    clusters = search.clusters
    if clusters is None:
        return ""
    return _clusters_words(clusters) + _tables.rules(clusters) + _clusters_picture(clusters, search)


def _clusters_words(clusters: Clusters) -> str:
    return (
        "<p>Liu et al. (Ψ-NN, 2025) cluster the absolute values of single weights, put centroids "
        "in their place and train these again with the relation frozen; a person then reads the "
        "matrices and writes the network by hand. Here the student above is clustered by average "
        "linkage, with three ways to choose the threshold; misfits are relative, to the teacher."
        "</p>"
    )


def _clusters_picture(clusters: Clusters, search: SearchPage) -> str:
    return (
        f"<h3>{esc(clusters.portrait.name)}</h3><p>Each color is a cluster of the layer's weights "
        f'or of its biases.</p>{drawn(clusters.portrait, search)}<p class="note">Clusters of '
        "numbers name no map, and hold none exactly.</p>"
    )


def _provenance(search: SearchPage) -> str:
    facts = search.facts
    rows = [("Method", "groups of maps" if facts["method"] == "group" else "clusters of weights")]
    if facts.get("teacher_error"):
        rows.append(
            ("Teacher's relative error", ", ".join(map(scientific, facts["teacher_error"])))
        )
    if facts.get("seconds"):
        told = ", ".join(f"{esc(k)} {duration(v)}" for k, v in facts["seconds"].items())
        rows.append(("Time", told))
    if facts.get("elements"):
        rows.append(("Elements", "<br>".join(esc(_tables.arrows(g)) for g in facts["elements"])))
    cells = "".join(f"<dt>{esc(k)}</dt><dd>{v}</dd>" for k, v in rows)
    return (
        f'<dl>{cells}</dl><p class="note">discovery.json holds all figures; relation.json, where a '
        "structure was kept, the maps and how they permute the neurons; the pictures stand in "
        "figures/.</p>"
    )
