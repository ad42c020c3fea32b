"""The page: order of the sections, headline and verdict."""

from __future__ import annotations

from kdpinn.metrics import RunResult
from kdpinn.report import _fields, _sections
from kdpinn.report._shell import page
from kdpinn.report._text import count, duration, esc, milliseconds, number, size, times

OURS = "kdpinn"
_HEADLINE_POINTS = 10_000


def render(result: RunResult) -> str:
    """The whole HTML document; no script, no outside resource."""
    return page(f"{result.problem.title}: kdpinn run report", _header(result), _bodies(result))


def _bodies(result: RunResult) -> list[tuple[str, str, str]]:
    return [
        ("models", "Models", _sections.models(result)),
        ("problem", "The problem", _sections.problem(result)),
        ("fields", _fields_heading(result), _fields_body(result)),
        ("size", "Error against parameters", _sections.frontier(result)),
        ("training", "Training", _sections.training(result)),
        ("latency", "Latency on this machine", _sections.latency(result)),
        ("verify", "Verification", _sections.verify(result)),
        ("use", "How to use the file", _sections.usage(result)),
        ("provenance", "Provenance", _sections.provenance(result)),
    ]


def _fields_heading(result: RunResult) -> str:
    return "Fields and errors" if "reference" in result.values else "Fields and residuals"


def _fields_body(result: RunResult) -> str:
    if not result.values:
        return ""
    return _fields.fields(result) + _fields.worst(result)


def _header(result: RunResult) -> str:
    verdict = {True: ("pass", "Pass"), False: ("fail", "Fail"), None: ("none", "Not verified")}
    cls, word = verdict[result.passed]
    return (
        f'<header><p class="crumb">kdpinn run report · {esc(result.problem.name)} · '
        f"preset {esc(result.preset)} · seed {result.seed}</p>"
        f'<h1>{esc(result.problem.title)}</h1><p class="verdict {cls}"><b>{word}</b>'
        f"<span>{_sentence(result)}</span></p>{_tiles(result)}</header>"
    )


def _sentence(result: RunResult) -> str:
    """The outcome in words: accuracy, what distillation gained, speed."""
    student = result.models.get("student")
    if student is None:
        return "This run holds no student."
    scratch = result.models.get("scratch")
    parts = [f"The distilled student has {count(student.parameters)} parameters"]
    if student.rmse is not None:
        parts.append(f" and an RMSE of {number(student.rmse)} against the reference")
        if scratch is not None and scratch.rmse is not None and student.rmse > 0:
            better = compared(scratch.rmse / student.rmse, "lower", "higher")
            parts.append(f", {better} than the same network trained from scratch")
    parts.append(".")
    failed = [c for c in result.verify.get("checks", []) if c["passed"] is False]
    if failed:
        names = ", ".join(esc(str(c["name"])) for c in failed)
        parts.append(f" <strong>Failed checks: {names}.</strong>")
    return "".join(parts) + _speed_words(result)


def _speed_words(result: RunResult) -> str:
    ours, rival = fastest(result)
    if ours is None:
        return ""
    text = f" It evaluates {count(_HEADLINE_POINTS)} points in {milliseconds(ours)} on one thread"
    if rival is None:
        return text + "."
    name, ms = rival
    noise = result.latency_noise.get(_HEADLINE_POINTS, 0.0)
    if abs(ms / ours - 1) <= noise:
        return f"{text}, within the noise of {esc(name)}, the fastest other engine here."
    word = compared(ms / ours, "faster", "slower")
    return f"{text}, {word} than {esc(name)}, the fastest other engine here."


def compared(ratio: float, better: str, worse: str) -> str:
    """`4.2 times faster`, or per cent where the ratio is near one."""
    size, word = (ratio, better) if ratio >= 1 else (1 / ratio, worse)
    return f"{times(size)} {word}" if size >= 1.5 else f"{number(100 * (size - 1), 2)} % {word}"


def fastest(result: RunResult) -> tuple[float | None, tuple[str, float] | None]:
    """Our median at 10,000 points in ms, and the best other engine; None where not measured."""
    rows = {row.engine: row.median_ms.get(_HEADLINE_POINTS) for row in result.latency}
    ours = next((ms for name, ms in rows.items() if name.startswith(OURS)), None)
    others = [(ms, name) for name, ms in rows.items() if ms and not name.startswith(OURS)]
    return ours, (min(others)[1], min(others)[0]) if others else None


def _tiles(result: RunResult) -> str:
    student, teacher = result.models.get("student"), result.models.get("teacher")
    tiles: list[tuple[str, str, str]] = []
    if student is not None and student.rmse is not None:
        below = f"teacher {number(teacher.rmse)}" if teacher is not None else ""
        tiles.append(("Student RMSE", number(student.rmse), below))
        tiles.append(("Student relative L²", number(student.rel_l2), "at the evaluation points"))
    if student is not None:
        small = f"{count(student.parameters)} parameters" + (
            f", teacher {count(teacher.parameters)}" if teacher is not None else ""
        )
        tiles.append(("Model file", size(student.file_bytes), small))
    ours, rival = fastest(result)
    if ours is not None:
        below = f"{esc(rival[0])} {milliseconds(rival[1])}" if rival else "one thread"
        tiles.append((f"{count(_HEADLINE_POINTS)} points", milliseconds(ours), below))
    checks = [c for c in result.verify.get("checks", []) if c["passed"] is not None]
    if checks:
        good = sum(bool(c["passed"]) for c in checks)
        tiles.append(("Checks passed", f"{good} of {len(checks)}", "by kdpinn verify"))
    tiles.append(("Whole run", duration(result.seconds), f"preset {esc(result.preset)}"))
    cells = "".join(f"<li><span>{a}</span><b>{b}</b><small>{c}</small></li>" for a, b, c in tiles)
    return f'<ul class="tiles">{cells}</ul>'
