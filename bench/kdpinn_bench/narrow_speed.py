"""How long narrow weights take in the core, in units of f32.

    python -m kdpinn_bench.narrow_speed [--store]

Same network, f32 and narrow by turns in shuffled rounds, in processor time; the median of the
rounds' ratios, and the noise of the run, that of f32 against itself. Exit code 1 above the goal.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from kdpinn_bench import baselines
from kdpinn_bench.cases import random_model
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.timing import Call, Schedule, interleaved, noise, ratio
from kdpinn_export.narrowing import narrowed
from kdpinn_export.target import Precision
from kdpinn_runtime import load, pack

NAME = "narrow_speed"
SLOWER = 1.3
"""Times as long as f32 that f16 and i8 may take."""
PRECISIONS: tuple[Precision, ...] = ("f16", "i8")
NETWORKS = ((2, 20, 20, 20, 1), (3, 64, 64, 64, 64, 3), (2, 128, 128, 128, 128, 1))
POINTS = (1, 100, 10_000)
ISAS = ("avx512", "avx2", "neon")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One network evaluated in one way: times f32, and the noise of the run, relative."""

    network: str
    isa: str
    computes: str
    points: int
    precision: str
    times: float
    noise: float

    @property
    def reached(self) -> bool:
        """Whether the goal holds."""
        return self.times <= SLOWER


def rows(schedule: Schedule) -> Iterator[Row]:
    """All networks on all instruction sets of this machine."""
    for sizes in NETWORKS:
        for isa in _present():
            for computes in ("values", "jets"):
                for points in POINTS:
                    yield from _case(sizes, isa, computes, points, schedule)


def _present() -> list[str]:
    found = []
    for isa in ISAS:
        try:
            load(pack(random_model((1, 1, 1))), isa=isa)
        except (ValueError, RuntimeError):
            continue
        found.append(isa)
    return found


def _case(
    sizes: tuple[int, ...], isa: str, computes: str, points: int, schedule: Schedule
) -> Iterator[Row]:
    wide = random_model(sizes)
    calls = {"f32": _call(pack(wide), isa, computes, points)}
    calls |= {p: _call(pack(narrowed(wide, p)), isa, computes, points) for p in PRECISIONS}
    samples = interleaved(calls, schedule, control="f32", clock=time.process_time)
    for precision in PRECISIONS:
        yield Row(
            network="-".join(map(str, sizes)),
            isa=isa,
            computes=computes,
            points=points,
            precision=precision,
            times=ratio(samples[precision], samples["f32"]).median,
            noise=noise(samples, "f32"),
        )


def _call(content: bytes, isa: str, computes: str, points: int) -> Call:
    model = load(content, isa=isa)
    x = np.random.default_rng(0).uniform(-1, 1, (points, len(model.inputs))).astype(np.float32)
    if computes == "jets":
        return model.bind_jet(x)[0]
    return model.bind(x, np.empty((points, len(model.outputs)), np.float32))


def table(found: list[Row]) -> Table:
    """For people."""
    out = Table("network", "isa", "computes", "points", "weights", "times f32", "noise", box=None)
    for r in found:
        figures = (f"{r.times:.2f}", f"{r.noise:.2f}")
        out.add_row(r.network, r.isa, r.computes, str(r.points), r.precision, *figures)
    return out


def main() -> int:
    """Measure, print, and with --store write the baseline."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.narrow_speed")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each case")
    parser.add_argument("--store", action="store_true")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    found = list(rows(Schedule(budget_s=options.seconds)))
    console = Console(width=120)
    console.print(table(found))
    slow = [r for r in found if not r.reached]
    worst = max(found, key=lambda r: r.times)
    console.print(
        f"slowest: {worst.precision} of {worst.network}, {worst.computes} of {worst.points} on "
        f"{worst.isa}, {worst.times:.2f} times f32; goal {SLOWER:g}: "
        f"{'MISSED' if slow else 'reached'}"
    )
    if options.store:
        figures = {"rows": [asdict(r) for r in found], "machine": fingerprint()}
        baselines.write(NAME, figures, options.baselines)
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
