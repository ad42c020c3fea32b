"""Accuracy and latency benchmarks, peers side by side."""

from kdpinn_bench.engine import Engine, Prepared
from kdpinn_bench.engines import Native, TorchEager, default_engines, present
from kdpinn_bench.latency import Cell, Latency, measure
from kdpinn_bench.machine import fingerprint
from kdpinn_bench.timing import Ratio, Samples, Schedule, Summary, interleaved, noise, ratio

__all__ = [
    "Cell",
    "Engine",
    "Latency",
    "Native",
    "Prepared",
    "Ratio",
    "Samples",
    "Schedule",
    "Summary",
    "TorchEager",
    "default_engines",
    "fingerprint",
    "interleaved",
    "measure",
    "noise",
    "present",
    "ratio",
]
