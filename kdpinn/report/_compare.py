"""Several runs on one page: a table, and error against parameters, bytes and latency."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kdpinn.comparison import Network, Run
from kdpinn.report._curves import HEIGHT, SHAPES, WIDTH
from kdpinn.report._sections import table
from kdpinn.report._shell import page
from kdpinn.report._svg import Scale, curve, frame, limits, marker, svg, text
from kdpinn.report._text import (
    MISSING,
    count,
    duration,
    esc,
    milliseconds,
    number,
    ratio,
    scientific,
    size,
)

HUES = 12
"""Colors of the style sheet, .hue0 to .hue11; more problems begin anew."""
_ERRORS_HEAD = (
    "relative L² error", "teacher<small>parameters</small>", "teacher",
    "student<small>parameters</small>", "student<small>as shipped</small>",
    "matched to teacher", "tuned on physics", "from scratch", "pruned",
)  # fmt: skip
_COST_HEAD = (
    "cost of the student", "RMSE", "file", "10\u202f000 points<small>one thread</small>",
    "faster than teacher<small>in torch eager</small>", "whole run", "verify",
)  # fmt: skip

NONE = Network(role="", parameters=0, error=None, rmse=None)
"""Stands for a network that a run does not have."""

Cost = Callable[[Network], float | None]


def compare(runs: Sequence[Run]) -> str:
    """The whole HTML document; no script, no outside resource."""
    problems = tuple(dict.fromkeys(run.problem for run in runs))
    many = f"{count(len(runs))} run{'s' if len(runs) != 1 else ''}"
    few = f"{count(len(problems))} problem{'s' if len(problems) != 1 else ''}"
    header = f'<header><p class="crumb">kdpinn report</p><h1>{many}, {few}</h1></header>'
    sections = [
        ("frontier", "Error against cost", _pictures(runs, problems)),
        ("runs", "Runs", _tables(runs)),
    ]
    return page(f"kdpinn: {many} compared", header, sections)


def _pictures(runs: Sequence[Run], problems: Sequence[str]) -> str:
    names = "".join(
        f'<li><i class="swatch {_hue(problems, name)}"></i>{esc(name)}</li>' for name in problems
    )
    costs: tuple[tuple[str, Cost], ...] = (
        ("trainable parameters", lambda n: float(n.parameters)),
        ("bytes of the model file", lambda n: n.octets and float(n.octets)),
        ("ms for 10\u202f000 points, one thread", lambda n: n.latency_ms),
    )
    drawn = [_frontier(runs, problems, label, cost) for label, cost in costs]
    return (
        f'<ul class="legend">{names}</ul><div class="pair">{"".join(filter(None, drawn))}</div>'
        '<p class="note">Squares are teachers, circles distilled students, diamonds the same '
        "student trained from scratch, small circles pruned teachers. A student is first matched "
        "to its teacher, then fine-tuned on the physics; the better of the two is shipped. Errors "
        "are relative L², over all fields, on each problem's evaluation grid.</p>"
    )


def _frontier(runs: Sequence[Run], problems: Sequence[str], label: str, cost: Cost) -> str:
    """One picture, both axes logarithmic; "" where nothing has that cost."""
    dots = [
        (run, network, at, network.error)
        for run in runs
        for network in run.networks
        if network.error and (at := cost(network))
    ]
    if not dots:
        return ""
    low, high = limits([np.array([at for _, _, at, _ in dots])], log=True)
    x = Scale(low / 1.25, high * 1.25, 62, WIDTH - 14, log=True)
    low, high = limits([np.array([error for *_, error in dots])], log=True)
    y = Scale(low / 1.6, high * 1.6, HEIGHT - 46, 34, log=True)
    parts = [frame(x, y, label, "relative L² error")]
    for run in runs:
        joined = sorted((at, e) for r, n, at, e in dots if r is run and n.role == "student")
        xs, ys = (np.array([point[k] for point in joined]) for k in (0, 1))
        parts.append(curve(xs, ys, x, y, f"curve thin {_hue(problems, run.problem)}"))
    for run, network, at, error in dots:
        title = f"{run.title}: {network.role}, {network.parameters} parameters, {number(error)}"
        shape, radius = SHAPES.get(network.role, "circle"), 3.0 if network.role == "pruned" else 5.0
        hue = _hue(problems, run.problem)
        parts.append(marker(shape, x(at), y(error), f"dot {hue}", title, radius))
    parts.append(text(WIDTH - 14, 20, "lower left is better", anchor="end"))
    return svg(WIDTH, HEIGHT, "".join(parts), f"error against {label}")


def _hue(problems: Sequence[str], name: str) -> str:
    return f"hue{problems.index(name) % HUES}"


def _tables(runs: Sequence[Run]) -> str:
    errors = table(_ERRORS_HEAD, [_errors(run) for run in runs], "runs")
    return errors + "<h3>Cost</h3>" + table(_COST_HEAD, [_cost(run) for run in runs], "runs")


def _errors(run: Run) -> list[str]:
    teacher, student, scratch, pruned = (
        run.network(role) or NONE for role in ("teacher", "student", "scratch", "pruned")
    )
    found = ", ".join(f"{esc(name)} = {number(v, 5)}" for name, v in run.found.items())
    return [
        _first(run) + (f"<small>found {found}</small>" if found else ""),
        count(teacher.parameters) if teacher is not NONE else MISSING,
        scientific(teacher.error),
        count(student.parameters) if student is not NONE else MISSING,
        *map(scientific, (student.error, student.matched, student.tuned)),
        *map(scientific, (scratch.error, pruned.error)),
    ]


def _cost(run: Run) -> list[str]:
    student = run.network("student") or NONE
    verdict = {True: '<span class="ok">pass</span>', False: '<span class="bad">fail</span>'}
    return [
        _first(run),
        scientific(student.rmse),
        size(student.octets),
        milliseconds(student.latency_ms),
        ratio(run.speedup) if run.speedup else MISSING,
        duration(run.seconds),
        verdict.get(run.passed, MISSING) if run.passed is not None else MISSING,
    ]


def _first(run: Run) -> str:
    return f"{esc(run.problem)}<small>{esc(run.preset)}, seed {run.seed}</small>"
