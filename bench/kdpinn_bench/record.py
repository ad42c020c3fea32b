"""A run of the benchmark as JSON: raw samples, the machine, the goals."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

from kdpinn.atomic import write_bytes
from kdpinn_bench.goals import judge
from kdpinn_bench.suite import Results

VERSION = 1
_DIGITS = 5


def to_dict(results: Results) -> dict[str, Any]:
    """Everything; numbers have five digits, times are in s unless their name says otherwise."""
    order = results.order
    content = {
        "version": VERSION,
        "started": results.started,
        "complete": results.complete,
        "seconds": results.seconds,
        "notes": results.notes,
        "machine": results.machine | {"load_after": results.load_after},
        "order": {
            "models": list(order.models),
            "points": list(order.points),
            "engines": list(order.engines),
            "sections": list(order.sections),
            "seconds": order.seconds,
        },
        "goals": [verdict.to_dict() for verdict in judge(results)],
        **{name: [item.to_dict() for item in items] for name, items in results.sections.items()},
    }
    rounded: dict[str, Any] = _rounded(content)
    return rounded


def write(path: Path, results: Results) -> None:
    """Whole or not at all; compressed if the name ends in .gz. One line for each table."""
    lines = []
    for key, value in to_dict(results).items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join("  " + _line(item) for item in value)
            lines.append(f" {json.dumps(key)}: [\n{inner}\n ]")
        else:
            lines.append(f" {json.dumps(key)}: {_line(value)}")
    data = ("{\n" + ",\n".join(lines) + "\n}\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
    return value
