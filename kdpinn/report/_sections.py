"""The sections of the report, each a function from the run to HTML ("" leaves it out)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kdpinn.metrics import POINT_COUNTS, ROLES, EngineLatency, ModelMetrics, RunResult
from kdpinn.report import _curves
from kdpinn.report._text import (
    MISSING,
    count,
    duration,
    esc,
    formula,
    milliseconds,
    number,
    plain,
    ratio,
    scientific,
    size,
)

_WORDS = {
    True: '<b class="ok">✓ pass</b>',
    False: '<b class="bad">✗ fail</b>',
    None: "skipped",
}
_ROLE_NAMES = {
    "teacher": "teacher",
    "student": "student (distilled)",
    "pruned": "student (pruned)",
    "scratch": "same network, from scratch",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]], cls: str = "") -> str:
    """A table; cells are HTML, the first cell of each row is its header."""
    body = ""
    for first, *rest in rows:
        body += f"<tr><th>{first}</th>{''.join(f'<td>{cell}</td>' for cell in rest)}</tr>"
    heads = "".join(f"<th>{cell}</th>" for cell in head)
    return (
        f'<div class="scroll"><table class="{cls}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def models(result: RunResult) -> str:
    """Sizes and accuracies side by side; then by field, and what was found, where there is any."""
    named = [(_ROLE_NAMES[r], r, result.models[r]) for r in ROLES if r in result.models]
    selected = result.models["student"].parameters if "student" in result.models else None
    named += [
        ("smaller student", "student", m) for m in result.students if m.parameters != selected
    ]
    with_residual = any(m.residual is not None for _, _, m in named)
    head = ["", "parameters", "relative L²", "RMSE", "largest |error|"]
    head += ["PDE residual, RMS"] if with_residual else []
    rows = [_model_row(name, role, m, with_residual) for name, role, m in named]
    text = table([*head, "training", "file"], rows, "models") + _rise(result)
    return text + _by_field(result, named) + _found(result, named)


def _by_field(result: RunResult, named: Sequence[tuple[str, str, ModelMetrics]]) -> str:
    """Relative errors field by field, where there are several."""
    fields = result.problem.fields
    rows = [
        [f'<i class="swatch {role}"></i>{name}', *map(scientific, m.rel_l2_fields)]
        for name, role, m in named
        if len(m.rel_l2_fields) == len(fields) > 1
    ]
    head = ["relative L² by field", *(esc(name) for name, _ in fields)]
    return table(head, rows, "models") if rows else ""


def _found(result: RunResult, named: Sequence[tuple[str, str, ModelMetrics]]) -> str:
    """Unknown parameters as each training found them, beside the truth where it is known."""
    rows = []
    for name, role, m in named:
        for key, value in m.found.items():
            true = result.truth.get(key)
            off = MISSING if not true else f"{number(100 * abs(value / true - 1))} %"
            first = f'<i class="swatch {role}"></i>{name}: {esc(key)}'
            rows.append([first, number(value, 6), number(true, 6), off])
    return table(["found", "value", "truth", "off by"], rows, "models") if rows else ""


def _model_row(name: str, role: str, m: ModelMetrics, with_residual: bool) -> list[str]:
    return [
        f'<i class="swatch {role}"></i>{name}',
        count(m.parameters),
        scientific(m.rel_l2),
        scientific(m.rmse),
        scientific(m.max_abs),
        *([scientific(m.residual)] if with_residual else []),
        duration(m.seconds) if m.seconds is not None else MISSING,
        f"{size(m.file_bytes)}<small><code>{esc(m.file)}</code></small>" if m.file else MISSING,
    ]


def _rise(result: RunResult) -> str:
    rise = result.to_dict().get("student", {}).get("rmse_rise_pct")
    text = (
        "Errors are taken against the reference at all evaluation points. Student and teacher are "
        "evaluated from the shipped files by the runtime."
    )
    if not result.problem.has_reference:
        text = "This problem has no reference solution: judge the models by the PDE residual."
    elif rise is not None and rise < 1000:
        text += f" The student's RMSE lies {number(abs(rise))} % "
        text += "above" if rise >= 0 else "below"
        text += " its teacher's."
    elif rise is not None:
        text += f" The student's RMSE is {number(1 + rise / 100, 2)} times its teacher's."
    return f'<p class="note">{text}</p>'


def problem(result: RunResult) -> str:
    """Equation, domain, conditions, reference."""
    facts = result.problem
    equations = "".join(f'<p class="equation">{formula(e)}</p>' for e in facts.equations)
    domain = " × ".join(
        f"{esc(a.name)} ∈ [{plain(float(a.positions[0]))}, {plain(float(a.positions[-1]))}]"
        + (f" {esc(a.unit)}" if a.unit else "")
        for a in result.axes
    )
    grid = " × ".join(count(a.positions.size) for a in result.axes)
    rows = [("Domain", domain), ("Conditions", "<br>".join(esc(c) for c in facts.conditions))]
    if facts.parameters:
        rows.append(
            (
                "Parameters",
                ", ".join(f"{esc(k)} = {number(v, 5)}" for k, v in facts.parameters.items()),
            )
        )
    rows.append(("Reference", esc(facts.source) if facts.has_reference else "none"))
    if facts.scattered:
        where = f"{count(facts.scattered)}, scattered; drawn on a grid of {grid}"
        rows.append(("Evaluation points", where))
    else:
        rows.append(("Evaluation grid", f"{grid} points"))
    about = f"<p>{esc(facts.description)}</p>" if facts.description else ""
    return about + equations + _pairs(rows)


def _pairs(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<dt>{esc(k)}</dt><dd>{v}</dd>" for k, v in rows if v)
    return f"<dl>{cells}</dl>"


def training(result: RunResult) -> str:
    """Error and held-out residual against iterations and seconds."""
    histories = {r: result.histories[r] for r in ROLES if r in result.histories}
    if not histories:
        return ""
    error = "relative L² error"
    if not result.problem.has_reference:
        error = "relative L² distance from the teacher"
    wanted = [("rel_l2", error), ("held_out", "held-out residual")]
    drawn = ""
    for quantity, label in wanted:
        shown = {
            r: h
            for r, h in histories.items()
            if np.isfinite(np.asarray(getattr(h, quantity))).any()
        }
        if shown:
            pair = "".join(
                _curves.training(shown, clock=c, quantity=quantity, label=label)
                for c in ("iteration", "seconds")
            )
            drawn += f'<div class="pair">{pair}</div>'
    note = (
        "Each network counts from its own start. Open circles mark where a stage begins (rest the "
        "mouse on one for its name). The held-out residual is the weighted mean square of equation "
        "and conditions on points that nothing trains on; a student that is being matched to its "
        "teacher has none. The reference draws these curves, it never trains."
    )
    return _curves.legend(list(histories)) + drawn + f'<p class="note">{note}</p>'


def frontier(result: RunResult) -> str:
    """The picture of error against parameters."""
    points = [p for p in result.frontier if p.rmse > 0]
    if len(points) < 2:
        return ""
    kinds = [r for r in ROLES if any(p.kind == r for p in points)]
    picture = _curves.frontier(points, "RMSE against the reference")
    rows = [
        [f'<i class="swatch {p.kind}"></i>{esc(p.label)}', count(p.parameters), scientific(p.rmse)]
        for p in sorted(points, key=lambda p: (p.parameters, -p.rmse))
    ]
    return (
        f'{_curves.legend(kinds)}<div class="pair">{picture}'
        f"{table(['network', 'parameters', 'RMSE'], rows)}</div>"
    )


def latency(result: RunResult) -> str:
    """Median times by engine, with the ratio to ours."""
    if not result.latency:
        return ""
    ours = result.latency[0]
    head = [
        "engine",
        *(f"{count(n)} point{'s' if n > 1 else ''}" for n in POINT_COUNTS),
        "largest difference from float64",
    ]
    rows = [_latency_row(row, ours, row is ours) for row in result.latency]
    note = (
        "Median per call, one thread, float32, engines interleaved in shuffled rounds; "
        "below it the time relative to ours. Every engine evaluates the same student, and its "
        "output was compared with a float64 evaluation before the clock ran. " + result.latency_note
    )
    return table(head, rows, "latency") + f'<p class="note">{esc(note.strip())}</p>'


def _latency_row(row: EngineLatency, ours: EngineLatency, first: bool) -> list[str]:
    name = f"<b>{esc(row.engine)}</b>" if first else esc(row.engine)
    if row.note:
        name += f"<small>{esc(row.note)}</small>"
    cells = [name]
    for n in POINT_COUNTS:
        ms, base = row.median_ms.get(n), ours.median_ms.get(n)
        below = f"<small>{ratio(ms / base)}</small>" if ms and base and not first else ""
        cells.append((f"<b>{milliseconds(ms)}</b>" if first else milliseconds(ms)) + below)
    return [*cells, scientific(row.max_error, 2)]


def verify(result: RunResult) -> str:
    """Every check with its measured value and limit."""
    checks = result.verify.get("checks")
    if not checks:
        return '<p class="note">The file was not verified in this run.</p>'
    rows = []
    for c in checks:
        word = _WORDS[c["passed"]]
        unit = f" {esc(c.get('unit') or '')}".rstrip()
        rows.append(
            [
                esc(c["name"]),
                f"{_value(c.get('measured'))}{unit}",
                f"{_value(c.get('limit'))}{unit}",
                word,
                esc(c.get("note") or ""),
            ]
        )
    note = "The same checks run on any device: <code>kdpinn-runtime verify student.kdp</code>."
    return (
        table(["check", "measured", "limit", "result", ""], rows, "checks")
        + f'<p class="note">{note}</p>'
    )


def _value(value: Any) -> str:
    if value is None:
        return MISSING
    return number(float(value)) if isinstance(value, int | float) else esc(value)


def usage(result: RunResult) -> str:
    """Three lines of Python, for the names of this problem."""
    student = result.models.get("student")
    if student is None or student.file is None:
        return ""
    middle = ", ".join(f"{float(a.positions[a.positions.size // 3]):.4g}" for a in result.axes)
    field, names = result.problem.fields[0][0], [a.name for a in result.axes]
    lines = [
        ("import kdpinn_runtime", "numpy only, no torch"),
        (f'model = kdpinn_runtime.load("{student.file}")', "every byte is checked"),
        (f"{field} = model([[{middle}]])", f"a row per point: {', '.join(names)}"),
        (f"jet = model.jet([[{middle}]])", "exact derivatives"),
        (f'jet["{field}"], jet["{field}_{names[0]}"]', ""),
    ]
    width = max(len(left) for left, _ in lines) + 2
    code = "\n".join(f"{a:{width}}# {b}" if b else a for a, b in lines)
    return (
        f'<pre><code>{esc(code)}</code></pre><p class="note">On the command line: '
        f"<code>kdpinn-runtime info {esc(student.file)}</code>, "
        f"<code>kdpinn-runtime verify {esc(student.file)}</code>. "
        "<code>student.onnx</code> holds the same network for ONNX engines, "
        "<code>student_derivatives.onnx</code> adds its derivatives as ordinary operators.</p>"
    )


def provenance(result: RunResult) -> str:
    """What is needed to do it again."""
    rows: list[tuple[str, str]] = [
        ("Machine", _flat(result.machine)),
        ("Versions", _flat(result.versions)),
        ("Seed", str(result.seed)),
        (
            "Seconds by stage",
            ", ".join(f"{esc(k)} {number(v)}" for k, v in result.stage_seconds.items()),
        ),
        ("Notes", "<br>".join(esc(n) for n in result.notes)),
    ]
    recipe = json.dumps(dict(result.recipe), indent=2, ensure_ascii=False, default=str)
    return (
        f"{_pairs(rows)}<details><summary>Recipe</summary><pre><code>{esc(recipe)}</code></pre>"
        "</details>"
    )


def _flat(values: Mapping[str, Any]) -> str:
    return "<br>".join(
        f"{esc(key.replace('_', ' '))}: {esc(_joined(value))}"
        for key, value in values.items()
        if value not in (None, "", [], {})
    )


def _joined(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
