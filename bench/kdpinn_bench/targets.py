"""Every student on every target: bytes, error, latency or instructions, verdict; no row left out.

python -m kdpinn_bench.targets runs/suite [--store]      all students of a folder of runs
python -m kdpinn_bench.targets --mcu runs/suite/burgers  microcontrollers alone, with the goals
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kdpinn.atomic import write_text
from kdpinn_bench.baselines import FOLDER
from kdpinn_export.boards import BOARDS, HOSTS, run_hosted
from kdpinn_export.check import default_points
from kdpinn_export.exporting import export, request_of
from kdpinn_export.target import Refused, Request, Target
from kdpinn_export.targets import known
from kdpinn_export.taylor import evaluate
from kdpinn_runtime import Check

PRECISIONS = ("f32", "i8")
STORED = FOLDER / "targets.json"
FASTEST = ("-O3", "-march=native", "-ffp-contract=off")
CALLS = 200
FLASH, RAM, PER_WEIGHT = 12 * 1024, 2 * 1024, 6.0
"""Goals of the 261-parameter student on a Cortex-M4F: bytes, bytes, instructions."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One student on one target. error: largest |difference| from the model at its points.

    cost: what an evaluation of one point takes, with its unit; verdict: "pass", or why not.
    """

    student: str
    parameters: int
    target: str
    precision: str
    size: int | None = None
    error: float | None = None
    cost: str = "-"
    verdict: str


def rows_of(path: Path, targets: Sequence[Target], scratch: Path) -> Iterator[Row]:
    """The rows of one student, target by target."""
    for target in targets:
        for precision in PRECISIONS:
            request, moved = _request(path, precision)
            out = scratch / precision  # one folder holds exports of one model alone
            about: dict[str, Any] = {
                "student": _called(path, request),
                "parameters": request.model.weight_count,
                "target": target.name,
                "precision": precision,
            }
            if precision not in target.precisions:
                offered = ", ".join(target.precisions)
                yield Row(**about, verdict=f"not offered: it writes {offered}")
                continue
            try:
                done = export(target, request, out)
            except Refused as refused:
                yield Row(
                    **about, error=_error(refused.checks), verdict=f"refused: {_why(refused)}"
                )
                continue
            except ValueError as error:
                yield Row(**about, verdict=f"not here: {error}")
                continue
            folder = out / done.label
            cost = _cost(target, folder, request, done.checks)
            yield Row(
                **about, size=done.size, error=_error(done.checks, moved), cost=cost, verdict="pass"
            )


def _request(path: Path, precision: str) -> tuple[Request, float]:
    """The file quantized with a refit if it lies beside the student, and what that moved.

    `kdpinn quantize student.kdp --precision i8` writes student-i8.kdp.
    """
    narrow = path.with_name(f"{path.stem}-{precision}.kdp")
    if not narrow.exists():
        return request_of(path, precision), 0.0
    request, wide = request_of(narrow, precision), request_of(path).model
    points = default_points(wide)
    difference = evaluate(request.model, points).value - evaluate(wide, points).value
    return request, float(np.abs(difference).max())


def _called(path: Path, request: Request) -> str:
    """Problem and preset, where the card has them."""
    card = request.model.card
    name = f"{card.get('problem', path.parent.name)} {card.get('preset', '')}".strip()
    return name if path.stem == "student" else f"{name} {path.stem}"


def _why(refused: Refused) -> str:
    failed = [c for c in refused.checks if c.passed is False]
    return "; ".join(f"{c.name} {c.measured:.2g}, permitted {c.limit:.2g}" for c in failed)


def _error(checks: Sequence[Check], moved: float = 0.0) -> float | None:
    """What fewer bits moved, and the largest error of the engines on top of it."""
    weights = [c.detail["error"] for c in checks if "weights" in c.name and "error" in c.detail]
    engines = [c.detail["error"] for c in checks if "weights" not in c.name and "error" in c.detail]
    return moved + sum(weights) + max(engines, default=0.0) if weights or engines else None


def _cost(target: Target, folder: Path, request: Request, checks: Sequence[Check]) -> str:
    """Instructions on a microcontroller; here the time of one point."""
    counted = {c.name.split(":")[0]: c.detail.get("instructions") for c in checks}
    boards = [f"{counted[b.name]:.0f} ({b.name})" for b in BOARDS if counted.get(b.name)]
    if boards:
        return "instructions: " + ", ".join(boards)
    if target.name == "c":
        ran = run_hosted(HOSTS[0], folder, ["main.c", "kdpinn.c"], FASTEST)
        return "-" if ran.nanoseconds is None else f"{ran.nanoseconds / 1e3:.2g} µs"
    if target.name == "onnx":
        return f"{_onnx_time(folder / f'{request.name}.onnx', request) * 1e6:.2g} µs"
    return "-"


def _onnx_time(path: Path, request: Request) -> float:
    """Median seconds of one call for one point in onnxruntime."""
    from kdpinn_export.check import open_session
    from kdpinn_export.onnx_graph import INPUT

    session = open_session(path.read_bytes())
    feed = {INPUT: default_points(request.model)[:1].astype(np.float32)}
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        session.run(None, feed)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def table_of(rows: Sequence[Row]) -> Table:
    """For people."""
    table = Table("student", "parameters", "target", "weights", "bytes", "error", box=None)
    for name in ("one evaluation", "verdict"):
        table.add_column(name)
    for row in rows:
        error = "-" if row.error is None else f"{row.error:.2g}"
        size = "-" if row.size is None else str(row.size)
        table.add_row(
            row.student,
            str(row.parameters),
            row.target,
            row.precision,
            size,
            error,
            row.cost,
            escape(row.verdict),
        )
    return table


def microcontrollers(path: Path) -> tuple[Table, bool]:
    """Flash, memory and instructions on every board, and whether the goals hold on a Cortex-M4F."""
    table = Table("board", "weights", "flash", "RAM", "instructions", "a parameter", box=None)
    table.add_column("error / bound")
    target, met, counts = known()["mcu"], True, {}
    with tempfile.TemporaryDirectory() as scratch:
        for precision in target.precisions:
            request = request_of(path, precision, budget=1e9)
            for check in export(target, request, Path(scratch)).checks:
                board = check.name.split(":")[0]
                figures = check.detail
                if "instructions" not in figures:
                    continue
                each = figures["instructions"] / request.model.weight_count
                if board == "cortex-m4f":
                    counts[precision] = each
                    met &= figures["flash"] <= FLASH and figures["ram"] <= RAM
                    met &= each <= PER_WEIGHT
                words = [f"{figures[k]:.0f}" for k in ("flash", "ram", "instructions")]
                table.add_row(board, precision, *words, f"{each:.2f}", f"{check.measured:.2g}")
    met &= bool(counts) and counts["i8"] <= counts["f32"]
    return table, met


def students(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and all student.kdp below the folders."""
    found = []
    for path in paths:
        found += sorted(path.rglob("student.kdp")) if path.is_dir() else [path] * path.exists()
    if not found:
        raise ValueError(
            f"no student.kdp in {', '.join(map(str, paths))}: kdpinn run all makes them"
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 where every row is there, with --mcu where the goals are met."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.targets", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, help="model files, or folders of runs")
    parser.add_argument("--mcu", action="store_true", help="microcontrollers alone")
    parser.add_argument("--store", action="store_true", help=f"write {STORED}")
    options = parser.parse_args(arguments)
    console = Console(width=200)
    try:
        found = students(options.paths)
    except ValueError as error:
        parser.error(str(error))
    if options.mcu:
        table, met = microcontrollers(found[0])
        console.print(table)
        console.print(
            f"Cortex-M4F: at most {FLASH} bytes of flash, {RAM} of RAM, {PER_WEIGHT:g} "
            f"instructions a parameter, i8 not slower than f32: {'met' if met else 'MISSED'}"
        )
        return 0 if met else 1
    rows: list[Row] = []
    for path in found:
        with tempfile.TemporaryDirectory() as scratch:
            for row in rows_of(path, list(known().values()), Path(scratch)):
                rows.append(row)
                sys.stderr.write(f"{row.student}, {row.target} {row.precision}: {row.verdict}\n")
    console.print(table_of(rows))
    if options.store:
        content = {"version": 1, "rows": [asdict(row) for row in rows]}
        write_text(STORED, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
