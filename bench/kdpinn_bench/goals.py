"""What the runtime is to reach, in one place, and whether a run did.

The goals are for networks A-D on a processor with AVX-512, one pinned thread, an idle machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from kdpinn_bench.latency import Cell
from kdpinn_bench.suite import AVX2, OURS, Measured, Results
from kdpinn_bench.timing import Ratio

MANY = 10_000
"""Points from which the share of the peak is judged."""
GRAPH_ENGINES = ("onnxruntime", "openvino")


@dataclass(frozen=True)
class Figure:
    """A measured value with its interval and a remark."""

    value: float
    low: float
    high: float
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """A figure that must be at least (or at most) `limit`; scale and unit are for printing."""

    name: str
    limit: float
    measure: Callable[[Results], Figure | None]
    at_least: bool = True
    scale: float = 1.0
    unit: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """reached is None where the run did not measure it; missed_by is relative to the limit."""

    goal: Goal
    figure: Figure | None
    reached: bool | None
    missed_by: float

    @property
    def certain(self) -> bool:
        """The whole interval lies on one side of the limit."""
        figure, limit = self.figure, self.goal.limit
        if figure is None or figure.low == figure.high:
            return True
        ends = (figure.low, figure.high)
        reached = [end >= limit if self.goal.at_least else end <= limit for end in ends]
        return reached[0] == reached[1]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = None if self.figure is None else vars(self.figure)
        return {
            "goal": self.goal.name,
            "limit": self.goal.limit,
            "at_least": self.goal.at_least,
            "figure": found,
            "reached": self.reached,
            "certain": self.certain,
            "missed_by": self.missed_by,
        }


def judge(results: Results) -> list[Verdict]:
    """Every goal against the results."""
    return [_judged(goal, goal.measure(results)) for goal in GOALS]


def _judged(goal: Goal, figure: Figure | None) -> Verdict:
    if figure is None:
        return Verdict(goal=goal, figure=None, reached=None, missed_by=0.0)
    short = goal.limit - figure.value if goal.at_least else figure.value - goal.limit
    return Verdict(
        goal=goal,
        figure=figure,
        reached=short <= 0,
        missed_by=max(0.0, short / (goal.limit or 1.0)),
    )


# -- the figures ------------------------------------------------------------------------------


def _cells(table: Measured) -> dict[str, Cell]:
    """Those that were timed."""
    return {cell.engine: cell for cell in table.table.cells if cell.samples is not None}


def _slowest_first(cells: Iterable[Ratio]) -> Ratio:
    return min(cells, key=lambda r: r.median)


def _over(tables: Iterable[Measured], engines: tuple[str, ...]) -> Iterator[Ratio]:
    """How many times as fast we are as the better of the engines, table by table."""
    for table in tables:
        cells = _cells(table)
        found = [r for n in engines if n in cells and (r := cells[n].slowdown) is not None]
        if OURS in cells and found:
            yield _slowest_first(found)


def _geometric_mean(ratios: list[Ratio], note: str) -> Figure | None:
    """The interval is that of all ratios being low, or high, together: wider than 95 %."""
    if not ratios:
        return None

    def mean(values: list[float]) -> float:
        return float(np.exp(np.mean(np.log(values))))

    return Figure(
        mean([r.median for r in ratios]),
        mean([r.low for r in ratios]),
        mean([r.high for r in ratios]),
        note,
    )


def _values_speed(results: Results) -> Figure | None:
    ratios = list(_over(results.tables("values"), GRAPH_ENGINES))
    return _geometric_mean(ratios, f"{len(ratios)} of 16 cells")


def _cells_lost(results: Results) -> Figure | None:
    """Cells in which a peer is faster."""
    tables = results.tables("values")
    own = (OURS, AVX2)
    peers = [tuple(n for n in _cells(t) if n not in own) for t in tables]
    ratios = [r for t, names in zip(tables, peers, strict=True) for r in _over([t], names)]
    if not ratios:
        return None
    lost = [float(sum(v < 1 for v in part)) for part in zip(*map(_reach, ratios), strict=True)]
    return Figure(lost[1], lost[0], lost[2], f"of {len(ratios)} cells, 16 in all")


def _reach(r: Ratio) -> tuple[float, float, float]:
    """From the highest to the lowest: the highest loses the fewest cells."""
    return r.high, r.median, r.low


def _share(engine: str, isa: str, nets: str) -> Callable[[Results], Figure | None]:
    def measure(results: Results) -> Figure | None:
        shares = [
            (share, f"{table.net}, {table.points} points")
            for table in results.tables("values")
            if table.points >= MANY and table.net in nets
            for cell in [_cells(table).get(engine)]
            if cell is not None and cell.isa == isa and (share := cell.share) is not None
        ]
        if not shares:
            return None
        worst, where = min(shares, key=lambda s: s[0].best)
        return Figure(worst.best, worst.typical, worst.best, f"lowest: {where}")

    return measure


def _derivatives_speed(*engines: str) -> Callable[[Results], Figure | None]:
    def measure(results: Results) -> Figure | None:
        ratios = list(_over(results.tables("derivatives"), engines))
        return _geometric_mean(ratios, f"{len(ratios)} of 8 cells")

    return measure


def _call(engine: str) -> Callable[[Results], Figure | None]:
    def measure(results: Results) -> Figure | None:
        for table in results.tables("python"):
            cell = _cells(table).get(engine)
            if table.net == "A" and cell is not None and cell.samples is not None:
                low, middle, high = np.quantile(cell.samples.seconds, [0.25, 0.5, 0.75])
                return Figure(float(middle), float(low), float(high), "quartiles of the rounds")
        return None

    return measure


def _error(results: Results) -> Figure | None:
    """Largest ratio of our error to onnxruntime's, each at a network's largest batch."""
    ratios = []
    largest = {t.net: t for t in sorted(results.tables("values"), key=lambda t: t.points)}
    for table in largest.values():
        cells = _cells(table)
        if table.points >= MANY and OURS in cells and "onnxruntime" in cells:
            ratio = cells[OURS].error / max(cells["onnxruntime"].error, 1e-300)
            ratios.append((ratio, f"largest: {table.net}, {table.points} points"))
    if not ratios:
        return None
    worst, where = max(ratios)
    return Figure(worst, worst, worst, where)


def _tied(order: int) -> Callable[[Results], Figure | None]:
    def measure(results: Results) -> Figure | None:
        gains = [
            (gain, table.net)
            for table in results.tables("tied")
            for cell in [_cells(table).get("untied")]
            if table.net.endswith(f"order {order}") and cell and (gain := cell.slowdown) is not None
        ]
        if not gains:
            return None
        worst, net = min(gains, key=lambda g: g[0].median)
        return Figure(worst.median, worst.low, worst.high, f"lowest: {net}")

    return measure


def _threads(results: Results) -> Figure | None:
    gains = [
        (gain, table.net)
        for table in results.tables("threads")
        for cell in [_cells(table).get("1 thread")]
        if cell is not None and (gain := cell.slowdown) is not None
    ]
    if not gains:
        return None
    worst, net = min(gains, key=lambda g: g[0].median)
    return Figure(worst.median, worst.low, worst.high, f"lowest: {net}")


_PERCENT: dict[str, Any] = {"scale": 100.0, "unit": " %"}
_MICRO: dict[str, Any] = {"scale": 1e6, "unit": " us", "at_least": False}
GOALS = (
    Goal(
        name="values: times as fast as the better of onnxruntime and OpenVINO, geometric mean",
        limit=2.5,
        measure=_values_speed,
    ),
    Goal(
        name="values: cells in which a peer is faster",
        limit=0,
        at_least=False,
        measure=_cells_lost,
    ),
    *(
        Goal(
            name=f"values: share of the FMA peak from {MANY} points, {net}",
            limit=limit,
            measure=_share(OURS, "avx512", net),
            **_PERCENT,
        )
        for net, limit in (("A", 0.70), ("B", 0.86), ("C", 0.86), ("D", 0.92))
    ),
    Goal(
        name="values: share of the 256-bit peak, AVX2 path, B-D",
        limit=0.75,
        measure=_share(AVX2, "avx2", "BCD"),
        **_PERCENT,
    ),
    Goal(
        name="derivatives: times as fast as the ONNX graph in onnxruntime, geometric mean",
        limit=2.5,
        measure=_derivatives_speed("onnxruntime"),
    ),
    Goal(
        name="derivatives: times as fast as nested torch autograd, geometric mean",
        limit=8.0,
        measure=_derivatives_speed("torch autograd"),
    ),
    Goal(name="one point from Python, A: bind", limit=0.35e-6, measure=_call("bind"), **_MICRO),
    Goal(name="one point from Python, A: call", limit=1.0e-6, measure=_call("call"), **_MICRO),
    *(
        Goal(
            name=f"tied layers: times as fast as untied ones, symmetry of order {order}",
            limit=limit,
            measure=_tied(order),
        )
        for order, limit in ((2, 1.6), (4, 2.4))
    ),
    Goal(
        name="error against float64, relative to onnxruntime's",
        limit=2.0,
        measure=_error,
        at_least=False,
    ),
    Goal(
        name="two threads at 65536 points: times as fast as one",
        limit=1.85,
        measure=_threads,
    ),
)
