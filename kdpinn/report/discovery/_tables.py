"""The tables of the page: evidence, students, clusters, networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kdpinn.report._sections import table
from kdpinn.report._text import MISSING, count, esc, number, scientific
from kdpinn.report.discovery._content import Clusters
from kdpinn.structure.hac import ClusteredStudent

RULES = {
    "fixed": "fixed at 0.1",
    "gap": "in the widest gap",
    "silhouette": "by silhouette",
}


def evidence(facts: Mapping[str, Any]) -> str:
    """A row per candidate: what the teacher and the students say, and the verdict."""
    candidates = facts.get("candidates") or {}
    rows = [
        _candidate(found, verdict)
        for verdict in ("accepted", "noticed", "rejected")
        for found in candidates.get(verdict, ())
    ]
    if not rows:
        return ""
    allowed = ", ".join(number(limit, 2) for limit in facts["allowed_asymmetry"])
    ratio = facts["allowed_ratio"]
    head = (
        "map",
        f"teacher's asymmetry<small>at most {allowed}</small>",
        "J<sub>tied</sub> / J<sub>free</sub>"
        + (f"<small>at most {number(ratio, 4)}</small>" if ratio is not None else ""),
        "misalignment<small>of the weights</small>",
        "seen in weights",
        "verdict",
    )
    return table(head, rows, "models")


def _candidate(found: Mapping[str, Any], verdict: str) -> list[str]:
    words = {
        "accepted": '<b class="ok">✓ symmetry</b>',
        "rejected": '<span class="bad">✗ none</span>',
        "noticed": "noticed, moves the domain",
    }
    ratios, residuals = found["ratios"], found["residuals"]
    many = f"<small>of {len(ratios)} students</small>" if len(ratios) > 1 else ""
    return [
        esc(arrows(found["map"])),
        ", ".join(scientific(a, 2) for a in found["asymmetry"]),
        f"{number(min(ratios), 4)}{many}" if ratios else f"{MISSING}<small>not asked</small>",
        scientific(min(residuals), 2) if residuals else MISSING,
        "yes" if found["in_weights"] else "no",
        words[verdict],
    ]


def arrows(words: str) -> str:
    """A map in words as it is printed: x → −x."""
    return words.replace("->", "→").replace("-", "−")


def students(facts: Mapping[str, Any]) -> str:
    """What was trained under the penalty, and what came of it."""
    rows = [
        [
            f"seed {found['seed']}",
            "-".join(map(str, found["settings"]["hidden"])),
            number(found["settings"]["penalty"]),
            "-".join(map(str, found["widths"])),
            scientific(found["misfit"], 2),
            f'<span class="bad">{esc(found["failure"])}</span>' if found["failure"] else "good",
        ]
        for found in facts.get("students") or ()
    ]
    head = ("student", "hidden widths", "penalty λ", "after merging", "misfit to the teacher", "")
    return table(head, rows, "models") if rows else ""


def networks(facts: Mapping[str, Any]) -> str:
    """The rebuilt network beside its rivals."""
    rows = []
    named = (
        ("rebuilt, tied", facts),
        ("plain, same widths", facts["plain"]),
        ("plain, as many free parameters", facts.get("equal")),
    )
    for name, found in named:
        if found and found.get("sizes"):
            rows.append(
                [
                    name,
                    "-".join(map(str, found["sizes"])),
                    count(found["parameters"]),
                    scientific(found["rel_l2"]),
                    scientific(found["held_out"]),
                    scientific(found["symmetry_error"], 2),
                ]
            )
    head = (
        "network",
        "widths",
        "free parameters",
        "relative L²",
        "held-out loss",
        "symmetry error",
    )
    return table(head, rows, "models") if rows else ""


def rules(clusters: Clusters) -> str:
    """A row per rule of the published method."""
    head = (
        "threshold", "free parameters", "clusters by layer<small>weights + biases, cut at</small>",
        "related rows", "misfit<small>of the student</small>",
        "centroids<small>in place of weights</small>", "centroids<small>trained again</small>",
    )  # fmt: skip
    rows = [_rule(outcome) for outcome in clusters.outcomes]
    if None in clusters.symmetry:
        return table(head, rows, "runs")
    for row, error in zip(rows, clusters.symmetry, strict=True):
        row.append(scientific(error, 2))
    return table([*head, "symmetry error<small>after that</small>"], rows, "runs")


def _rule(outcome: ClusteredStudent) -> list[str]:
    related: dict[str, int] = {}
    for row in outcome.rows:
        for kind, n in row.items():
            related[kind] = related.get(kind, 0) + n
    return [
        RULES[outcome.rule],
        f"{count(outcome.relation.free)}<small>of {count(len(outcome.relation.index))}</small>",
        "<br>".join(
            f"{len(w.centroids)} + {len(b.centroids)} at {number(w.threshold, 2)}"
            for w, b in outcome.clusters
        ),
        "<br>".join(f"{n} {kind}" for kind, n in related.items()) or "none",
        *(scientific(v, 2) for v in (outcome.before, outcome.replaced, outcome.retrained)),
    ]


def costs_note(kinds: Sequence[str]) -> str:
    """What the dots of the picture of costs are."""
    told = {
        "equal": " Equal: a plain network with as many free parameters.",
        "clusters": " Clusters: the published method, each rule for its threshold, on the teacher.",
    }
    return "".join(text for kind, text in told.items() if kind in kinds)
