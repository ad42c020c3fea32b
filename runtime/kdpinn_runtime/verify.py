"""Check a model on this device: its answers, its accuracy, its physics, its latency."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ._baseline import Baseline
from ._evaluator import Evaluator, domain_points, finite_or_none, inside_domain
from ._latency import BUDGET_S, model_times, quantile, summary
from ._model_file import ModelFile
from ._parts import Target
from ._rounding import float64_bound
from ._text import aligned
from .model import load

if TYPE_CHECKING:
    from .signatures import Trust

Array = NDArray[np.float64]

_SEARCHED_POINTS = 4096
_CORNERS_UP_TO = 10  # inputs; 2^10 corners


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check. `passed` is None when the file does not carry what it needs.

    It passes when measured <= limit, both in `unit` (empty for a ratio or a count).
    """

    name: str
    passed: bool | None
    measured: float | None = None
    limit: float | None = None
    unit: str = ""
    note: str = ""
    detail: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON; numbers that are not finite become None."""
        return finite_or_none(asdict(self)) | {"detail": finite_or_none(self.detail)}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All checks of one model on this device."""

    digest: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """True if no check failed; skipped ones do not count."""
        return all(check.passed is not False for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        checks = [check.to_dict() for check in self.checks]
        return {"passed": self.passed, "digest": self.digest, "checks": checks}

    def __str__(self) -> str:
        """The checks as a table of plain text."""
        words = {True: "pass", False: "FAIL", None: "skipped"}
        rows = [("check", "result", "measured", "limit", "note")]
        rows += [
            (c.name, words[c.passed], _number(c.measured, c.unit), _number(c.limit, c.unit), c.note)
            for c in self.checks
        ]
        failed = sum(check.passed is False for check in self.checks)
        skipped = sum(check.passed is None for check in self.checks)
        end = "passed" if self.passed else f"FAILED: {failed} of {len(self.checks)} checks"
        return aligned(rows) + f"\n{end}" + (f", {skipped} skipped" if skipped else "")


def _number(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.4g} {unit}".rstrip()


def verify(
    model: str | os.PathLike[str] | bytes | Evaluator,
    *,
    latency: bool = True,
    latency_seconds: float = BUDGET_S,
    trust: Trust | None = None,
) -> Verdict:
    """Replay the model's baseline on this device and compare with the limits in the file.

    Args:
        model: a path, the bytes of a file, or a loaded model.
        latency: whether to measure the latency targets.
        latency_seconds: longest time to spend on each target.
        trust: whose signature the file (a path) has to have; without it nothing else is looked at.
    Returns:
        The verdict; a file that cannot be loaded raises (FormatError, OSError) instead.
    """
    if trust is not None:
        return _verify_signed(model, trust, latency, latency_seconds)
    if isinstance(model, (str, os.PathLike, bytes)):
        loaded: Evaluator = load(model, outside="count")
    else:
        loaded = model
    with np.errstate(invalid="ignore", over="ignore"):  # NaN and infinities fail their checks
        checks = [_integrity(loaded), *_baseline_checks(loaded), _finite_check(loaded)]
    if latency:
        checks += [_latency_check(loaded, t, latency_seconds) for t in loaded.file.targets]
    return Verdict(digest=loaded.digest, checks=tuple(checks))


def _verify_signed(
    model: str | os.PathLike[str] | bytes | Evaluator, trust: Trust, latency: bool, seconds: float
) -> Verdict:
    """The verdict on the bytes that the signature covers, or on the signature alone."""
    from .signatures import SignatureError

    if not isinstance(model, (str, os.PathLike)):
        raise ValueError("a signature stands beside a file: `verify` with `trust` needs a path")
    try:
        content, said = trust.admit(model)
    except SignatureError as error:
        return Verdict(digest="", checks=(Check(name="signature", passed=False, note=str(error)),))
    verdict = verify(content, latency=latency, latency_seconds=seconds)
    note = f"'{said.name}', version {said.version}, key {said.key[:16]}..."
    signed = Check(name="signature", passed=True, note=note)
    return Verdict(digest=verdict.digest, checks=(signed, *verdict.checks))


def _integrity(model: Evaluator) -> Check:
    note = f"SHA-256 {model.digest[:12]}..., compared when the file was loaded"
    return Check(name="integrity", passed=True, note=note)


def _at_most(name: str, measured: float, limit: float, **more: Any) -> Check:
    """A check that passes when measured <= limit; NaN fails."""
    passed = bool(measured <= limit)
    return Check(name=name, passed=passed, measured=measured, limit=limit, **more)


def _absent(name: str, what: str) -> Check:
    return Check(name=name, passed=None, note=f"{what} not carried in the file")


def _baseline_checks(model: Evaluator) -> Iterator[Check]:
    baseline = model.file.baseline
    if baseline is None:
        yield _absent("known answers", "a baseline is")
        yield _absent("reference", "a reference is")
        yield _absent("teacher", "a teacher's outputs are")
    else:
        yield from _known_answers(model, baseline)
        yield from _accuracy(model, baseline)
    yield from _physics(model, baseline)


def _known_answers(model: Evaluator, baseline: Baseline) -> Iterator[Check]:
    """Outputs against those stored: in float64 within rounding, in float32 within the limit."""
    stored = baseline.limits["expected"]
    scale = float(np.abs(baseline.expected).max()) or 1.0
    bound = min(float64_bound(model.file, baseline.points) / scale, stored)
    for dtype, limit in ((np.float64, bound), (np.float32, stored)):
        if dtype not in model.dtypes:
            note = "the engine does not compute in this type"
            yield Check(name=f"known answers {np.dtype(dtype)}", passed=None, note=note)
            continue
        outputs = model(baseline.points.astype(dtype)).astype(np.float64)
        measured = float(np.abs(outputs - baseline.expected).max()) / scale
        yield _at_most(
            f"known answers {np.dtype(dtype)}",
            measured,
            limit,
            note=f"largest deviation at {len(baseline.points)} points, of {scale:.4g}",
        )


def _accuracy(model: Evaluator, baseline: Baseline) -> Iterator[Check]:
    dtype = model.file.dtype
    outputs = model(baseline.points.astype(dtype)).astype(np.float64)
    for role, what in (("reference", "a reference is"), ("teacher", "a teacher's outputs are")):
        table = getattr(baseline, role)
        if table is None:
            yield _absent(role, what)
            continue
        note = f"relative L2 over {len(table)} points in {dtype}"
        yield _at_most(role, relative_l2(outputs, table), baseline.limits[role], note=note)


def relative_l2(outputs: Array, table: Array) -> float:
    """|outputs - table| / |table| over all entries; the absolute norm where the table is zero."""
    scale = float(np.linalg.norm(table)) or 1.0
    return float(np.linalg.norm(outputs - table)) / scale


def _physics(model: Evaluator, baseline: Baseline | None) -> Iterator[Check]:
    """RMS of each equation in float64, so that rounding does not hide or mimic a residual."""
    equations = model.file.equations
    if not equations:
        yield _absent("equations", "equations are")
        return
    if baseline is None:
        for equation in equations:
            yield _absent(f"equation {equation.name}", "points to evaluate it at are")
        return
    residual = model.residual(baseline.points, baseline.data)
    for equation, column in zip(equations, residual.T, strict=True):
        measured = float(np.sqrt(np.mean(np.square(column, dtype=np.float64))))
        note = f"residual RMS over {len(column)} points in float64"
        yield _at_most(f"equation {equation.name}", measured, equation.limit, note=note)


def _finite_check(model: Evaluator) -> Check:
    points = _searched_points(model.file)
    outputs = model(points)
    bad = int(np.count_nonzero(~np.isfinite(outputs).all(axis=1)))
    note = f"points of {len(points)} in the domain with an output that is not finite"
    return _at_most("finite outputs", bad, 0, note=note)


def _searched_points(file: ModelFile) -> NDArray[Any]:
    """Random points of the domain, and its corners, where there are not too many."""
    points = domain_points(file, _SEARCHED_POINTS)
    if len(file.inputs) > _CORNERS_UP_TO:
        return points
    corners = np.array(list(product(*file.domain.values())))
    return np.concatenate([points, inside_domain(file, corners)])


def _latency_check(model: Evaluator, target: Target, budget_s: float) -> Check:
    times = model_times(model, target.points, budget_s=budget_s)
    timing = summary(target.points, times)
    misses = int(np.count_nonzero(times > target.limit_ms * 1e6))
    note = (
        f"{misses} misses in {timing.count} calls; p50 {timing.p50_ms:.4g}, "
        f"p99 {timing.p99_ms:.4g}, p99.9 {timing.p999_ms:.4g}, max {timing.max_ms:.4g} ms"
    )
    if timing.count * (1 - target.quantile) < 1:
        note += f"; too few calls in {budget_s:g} s for this quantile, judged by the slowest"
    return _at_most(
        f"latency {target.points} point{'s' if target.points > 1 else ''} "
        f"p{100 * target.quantile:g}",
        quantile(times, target.quantile) / 1e6,
        target.limit_ms,
        unit="ms",
        note=note,
        detail={**timing.to_dict(), "misses": misses},
    )
