"""The command `python -m kdpinn_bench [MODEL.kdp ...]`: a latency table, raw samples as JSON."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from kdpinn.atomic import write_text
from kdpinn_bench.cases import NETWORKS, random_model
from kdpinn_bench.engines import default_engines
from kdpinn_bench.latency import POINT_COUNTS, measure
from kdpinn_bench.timing import Schedule
from kdpinn_runtime.format import unpack


def main() -> None:
    """Measure, print, and write the samples if asked to."""
    parser = argparse.ArgumentParser(description="Time the engines side by side.")
    parser.add_argument(
        "models", nargs="*", type=Path, help="default: networks with random weights"
    )
    parser.add_argument("--out", type=Path, help="JSON with the raw samples")
    parser.add_argument("--compile", action="store_true", help="torch.compile too: minutes")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each number of points")
    parser.add_argument("--points", type=int, nargs="+", default=POINT_COUNTS)
    options = parser.parse_args()
    models = {path.stem: unpack(path.read_bytes()) for path in options.models}
    models = models or {name: random_model(sizes) for name, sizes in NETWORKS.items()}
    tables = []
    for name, model in models.items():
        engines = default_engines(compile_too=options.compile)
        schedule = Schedule(budget_s=options.seconds)
        tables.append(
            measure(model, points=options.points, engines=engines, schedule=schedule, name=name)
        )
        print(tables[-1].text(), flush=True)  # noqa: T201  a command's output
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(options.out, json.dumps([t.to_dict() for t in tables], allow_nan=False) + "\n")


if __name__ == "__main__":
    main()
