"""Throughput of `kdpinn eval` into zarr: beside the bare core, and of two workers beside one.

    python -m kdpinn_bench.fields MODEL.kdp [--points 4000] [--store]

MODEL has two inputs. The bare core evaluates prepared points, in slabs of the same size, and keeps
nothing; by two threads it shows what this machine gives a second worker at most. Wall seconds say
little on a shared machine: the CPU seconds of all threads are there too, and beside the medians the
least of all rounds.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich.console import Console

from kdpinn.fields import Grid, parse_grid, write_field
from kdpinn.fields.chunk import SLAB
from kdpinn_bench import baselines
from kdpinn_bench.machine import fingerprint
from kdpinn_runtime import load

NAME = "fields"


def candidates(content: bytes, grid: Grid, folder: Path) -> dict[str, Callable[[], object]]:
    """What is timed: each computes the whole grid once."""
    model = load(content)
    part = tuple(slice(0, min(n, int(SLAB**0.5))) for n in grid.shape)
    points = grid.points(part, np.float64)
    repeats = round(np.prod(grid.shape) / len(points))

    def bare(threads: int) -> Callable[[], None]:
        room = (len(points), len(model.outputs))
        steps = [model.bind(points.copy(), np.empty(room)) for _ in range(threads)]

        def share(step: Callable[[], None]) -> None:
            for _ in range(repeats // threads):
                step()

        def call() -> None:
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(share, steps))

        return call

    def written(workers: int) -> Callable[[], None]:
        def call() -> None:
            shutil.rmtree(folder / "f.zarr", ignore_errors=True)
            write_field(content, grid, folder / "f.zarr", workers=workers)

        return call

    return {
        "bare core": bare(1),
        "bare core, 2 threads": bare(2),
        "1 worker": written(1),
        "2 workers": written(2),
    }


def measure(content: bytes, grid: Grid, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Wall and CPU seconds of each candidate, in turns."""
    samples: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name, call in candidates(content, grid, Path(folder)).items():
                wall, cpu = time.perf_counter(), time.process_time()
                call()
                spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
                for key, value in spent.items():
                    if number > 0:  # the first round warms up
                        samples.setdefault(name, {}).setdefault(key, []).append(value)
    return samples


def main() -> int:
    """Measure, print, and with --store replace the baseline."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.fields")
    parser.add_argument("model", type=Path)
    parser.add_argument("--points", type=int, default=4000, help="along each dimension")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--store", action="store_true")
    options = parser.parse_args()
    content = options.model.read_bytes()
    model = load(content)
    text = ",".join(f"{v.name}={v.lower!r}:{v.upper!r}:{options.points}" for v in model.inputs)
    samples = measure(content, parse_grid(text, model.inputs), options.rounds)
    middle = {n: {k: statistics.median(v) for k, v in s.items()} for n, s in samples.items()}
    least = {n: {k: min(v) for k, v in s.items()} for n, s in samples.items()}

    def speedup(one: str, two: str) -> dict[str, float]:
        pairs = zip(samples[one]["wall_s"], samples[two]["wall_s"], strict=True)
        return {
            "median": statistics.median(a / b for a, b in pairs),
            "of_least": least[one]["wall_s"] / least[two]["wall_s"],
        }

    def share(clock: str) -> dict[str, float]:
        return {
            "median": middle["bare core"][clock] / middle["1 worker"][clock],
            "of_least": least["bare core"][clock] / least["1 worker"][clock],
        }

    figures = {
        "grid": text,
        "parameters": model.parameters,
        "median": middle,
        "least": least,
        "share_of_bare_core_cpu": share("cpu_s"),
        "share_of_bare_core_wall": share("wall_s"),
        "speedup_of_2_workers_wall": speedup("1 worker", "2 workers"),
        "speedup_of_2_bare_threads_wall": speedup("bare core", "bare core, 2 threads"),
        "samples": samples,
        "machine": fingerprint(),
    }
    Console().print({k: v for k, v in figures.items() if k not in ("samples", "machine")})
    if options.store:
        baselines.write(NAME, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
