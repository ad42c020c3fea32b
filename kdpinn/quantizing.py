"""`kdpinn quantize`: from a model file to one with narrow weights, if it passes the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from kdpinn.problems import load_problem
from kdpinn.quantization import (
    Budget,
    Method,
    Subject,
    Wanted,
    advice,
    box_of,
    checked,
    each_layer,
    mixed_precision,
    quantize,
)
from kdpinn.quantization.mixed import CHOICES
from kdpinn.quantization.refit import Progress
from kdpinn.shipping import field_of
from kdpinn_runtime import Check, pack, write
from kdpinn_runtime.format import ModelFile, read

AUTOMATIC = "auto"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a quantization; `refused` says why nothing was written, or is empty."""

    target: Path
    precisions: tuple[str, ...]
    distance: float
    weight_bytes: tuple[int, int]
    file_bytes: tuple[int, int]
    checks: tuple[Check, ...]
    refused: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON; bytes are (before, after)."""
        return vars(self) | {
            "target": str(self.target),
            "checks": [check.to_dict() for check in self.checks],
        }


def quantize_file(
    source: Path,
    target: Path,
    precision: str,
    *,
    among: Sequence[str] | None = None,
    method: Method = "refit",
    budget: Budget | None = None,
    teacher: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Outcome:
    """Quantize `source` and write `target` if the result stays within the budget.

    Args:
        precision: one for all layers, one for each ("i12,i8,i8,i12"), or "auto": the smallest file
            that is at most `budget.error` away from the float model.
        among: precisions that "auto" chooses from; all if None.
        teacher: a model file that the result is fitted to; by default `source` itself.
    Raises:
        ValueError, OSError: a file or a precision that cannot be used.
    """
    if among is not None and precision != AUTOMATIC:
        raise ValueError(
            f"--among is for --precision auto, got --precision {precision}: leave it out"
        )
    file, budget = read(source), budget or Budget()
    taught = None if teacher is None else field_of(read(teacher))
    subject = Subject(file=file, box=_box(file), teacher=taught, seed=seed)
    if precision == AUTOMATIC:
        wanted = Wanted(error=budget.error, among=among or CHOICES)
        found = mixed_precision(subject, wanted, progress=progress)
        quantized = found.quantized
    else:
        precisions = each_layer(file, precision)
        quantized = quantize(subject, precisions, method=method, progress=progress)
    checks = checked(subject, quantized, budget)
    passed = all(check.passed is not False for check in checks)
    if passed:
        write(target, quantized.file)
    return Outcome(
        target=target,
        precisions=quantized.precisions,
        distance=quantized.distance,
        weight_bytes=(file.weight_bytes, quantized.file.weight_bytes),
        file_bytes=(len(pack(file)), len(pack(quantized.file))),
        checks=checks,
        refused="" if passed else advice(subject, quantized, checks),
    )


def table(checks: Sequence[Check]) -> Table:
    """One line for each check."""
    out = Table("check", "measured", "permitted", "", "", box=None)
    for c in checks:
        verdict = "pass" if c.passed else "FAIL"
        out.add_row(c.name, f"{c.measured:.3g}", f"{c.limit:.3g}", verdict, c.note)
    return out


def _box(file: ModelFile) -> Any:
    """The domain of the file's problem, with its holes; without one that is known, the file's."""
    try:
        problem = load_problem(str(file.card.get("problem") or ""))
    except (ValueError, OSError):
        return box_of(file)
    same = problem.domain.names == tuple(v.name for v in file.inputs)
    return problem.domain if same else box_of(file)
