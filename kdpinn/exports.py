"""`kdpinn export`: several targets and precisions of one model, one row for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from kdpinn_export.exporting import export, request_of
from kdpinn_export.fmu import PLATFORMS, FmuOptions
from kdpinn_export.target import BUDGET, Refused, Request, Target, Unavailable
from kdpinn_export.targets import chosen, known
from kdpinn_runtime import Check


@dataclass(frozen=True, kw_only=True)
class Row:
    """What became of one target. passed is None where it cannot be made here, `note` says why."""

    target: str
    precision: str
    folder: str = ""
    size: int | None = None
    passed: bool | None = None
    checks: tuple[Check, ...] = ()
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return vars(self) | {"checks": [check.to_dict() for check in self.checks]}


def exported_all(
    model: Path,
    to: str,
    precisions: Sequence[str],
    derivatives: bool,
    out: Path,
    budget: float = BUDGET,
    fmu: FmuOptions | None = None,
) -> list[Row]:
    """Export `model` to every target in every precision.

    What was asked for by name and cannot be made raises; of "all", it becomes a row that says why.
    A refusal is a row that failed, and nothing is written for it.
    """
    targets = chosen(to)
    asked = "all" not in to.split(",")
    requests = [request_of(model, p.strip(), derivatives, budget, fmu) for p in precisions]
    return [_row(target, request, out, asked) for target in targets for request in requests]


def fmu_options(
    version: int, time: str, parameters: str, points: int, single: bool, platforms: str
) -> FmuOptions:
    """What the command line says about an FMU; lists are separated by commas."""
    return FmuOptions(
        version=3 if version == 3 else 2,
        precision="f32" if single else "f64",
        time=time,
        parameters=_names(parameters),
        points=points,
        platforms=tuple(PLATFORMS) if platforms == "all" else _names(platforms),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _row(target: Target, request: Request, out: Path, asked: bool) -> Row:
    try:
        done = export(target, request, out)
    except Refused as refused:
        return Row(
            target=target.name,
            precision=request.precision,
            passed=False,
            checks=tuple(refused.checks),
            note=str(refused),
        )
    except (Unavailable, ValueError) as error:
        if asked:
            raise
        return Row(target=target.name, precision=request.precision, note=str(error))
    return Row(
        target=target.name,
        precision=request.precision,
        folder=str(out / done.label),
        size=done.size,
        passed=True,
        checks=done.checks,
    )


def table(rows: Sequence[Row]) -> Table:
    """One line for each check, or for the reason that there is none."""
    table = Table("target", "weights", "bytes", "check", "measured", "limit", "verdict", box=None)
    words = {True: "pass", False: "REFUSED", None: "not here"}
    for row in rows:
        start = [row.target, row.precision, "-" if row.size is None else str(row.size)]
        for check in row.checks:
            figures = [_figure(check.measured, check.unit), _figure(check.limit, check.unit)]
            verdict = words[row.passed] if check.passed is not None else "skipped"
            table.add_row(
                *start, check.name, *figures, escape(f"{verdict}: {check.note}".rstrip(": "))
            )
            start = ["", "", ""]
        if not row.checks:
            table.add_row(*start, "", "", "", escape(f"{words[row.passed]}: {row.note}"))
    return table


def listing() -> Table:
    """The targets, what they write and in which precisions."""
    table = Table("target", "writes", "weights", "here", box=None)
    for target in known().values():
        table.add_row(
            target.name,
            target.summary,
            " ".join(target.precisions),
            escape(target.missing()) or "yes",
        )
    return table


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}".rstrip()
