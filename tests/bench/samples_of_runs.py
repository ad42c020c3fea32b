"""Results that no clock made: known times, for goals, tables, records and pictures."""

import numpy as np

from kdpinn_bench.cases import NETWORKS, random_model
from kdpinn_bench.conditions import Condition
from kdpinn_bench.latency import Cell, Latency, scenario
from kdpinn_bench.peak import Share
from kdpinn_bench.suite import AVX2, OURS, Measured, Order, Results
from kdpinn_bench.timing import Ratio, Samples
from kdpinn_runtime.latency import Timing


def exactly(value, spread=0.0):
    return Ratio(value, value * (1 - spread), value * (1 + spread))


def cell(engine, points, seconds, base, *, share=None, isa="avx512", error=1e-7, spread=0.0):
    """An engine that took `seconds` where the first one took `base`."""
    return Cell(
        engine=engine,
        points=points,
        error=error,
        note="",
        samples=Samples(np.full(9, seconds), 1),
        slowdown=exactly(seconds / base, spread),
        share=None if share is None else Share(share, share * (1 - spread)),
        isa=isa,
    )


def table(net, points, cells, noise=0.01):
    latency = Latency(
        scenario=scenario(random_model(NETWORKS[net]), net),
        cells=tuple(cells),
        noise={points: noise},
        machine={"cpu": "none"},
    )
    return Measured(net, points, latency)


def values(net, points, *, ort=2.0, openvino=3.0, share=0.9, narrow=0.8, error=1e-7, spread=0.0):
    own = 1e-8 * points
    more = {"spread": spread}
    return table(
        net,
        points,
        [
            cell(OURS, points, own, own, share=share, error=error, **more),
            cell(AVX2, points, 1.5 * own, own, share=narrow, isa="avx2", **more),
            cell("onnxruntime", points, ort * own, own, share=share / ort, **more),
            cell("openvino", points, openvino * own, own, share=share / openvino, **more),
        ],
    )


def results(**sections):
    order = Order(models={"A": random_model(NETWORKS["A"])})
    machine = {"cpu": "Some(R) CPU Processor @ 2 GHz", "cores": 2, "load_before": 0.1}
    return Results(order, machine, "2025-01-01T00:00:00+00:00", dict(sections), 1.0, 0.2, True)


def all_values(**settings):
    return [values(net, n, **settings) for net in "ABCD" for n in (1, 100, 10_000, 65_536)]


def condition(misses=0):
    timing = Timing(points=1, count=100, p50_ms=0.01, p99_ms=0.02, p999_ms=0.03, max_ms=0.04)
    return Condition(
        net="A",
        caches="cold",
        company="neighbor",
        timing=timing,
        limit_ms=0.05,
        misses=misses,
        curve=((0.0, 0.01), (1.0, 0.04)),
    )
