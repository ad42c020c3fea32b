"""Results as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from kdpinn_bench.conditions import Condition
from kdpinn_bench.goals import Verdict, judge
from kdpinn_bench.instructions import Instructions
from kdpinn_bench.latency import Cell
from kdpinn_bench.solver import Comparison
from kdpinn_bench.suite import Measured, Results
from kdpinn_bench.timing import Ratio

BUSY_LOAD = 0.5
"""Runnable processes before a run, above which its times are doubtful."""


def show(results: Results, console: Console) -> None:
    """Everything that was measured, the goals last."""
    machine = results.machine
    load = f"load {machine['load_before']} before, {results.load_after} after"
    console.print(f"{machine['cpu']}, {machine['cores']} cores; {load}", highlight=False)
    if machine["load_before"] is not None and machine["load_before"] > BUSY_LOAD:
        console.print(
            Text(
                "The machine was busy: these figures say little. Repeat it when it is idle.", "red"
            )
        )
    for note in results.notes:
        console.print(note, highlight=False, markup=False)
    titles = {
        "values": "Values: time of a call, and how many times as long the others take",
        "derivatives": "Values, all first and one second derivative",
        "tied": "Tied layers, and the same network written out",
        "python": "One point from Python",
        "threads": "Two threads",
    }
    for section, title in titles.items():
        tables = results.tables(section)
        if tables:
            _print(console, title, comparison(tables))
    rows = [c for c in results.sections.get("conditions", []) if isinstance(c, Condition)]
    if rows:
        _print(console, "Single calls against their budget, ms", budgets(rows))
    counts = [c for c in results.sections.get("instructions", []) if isinstance(c, Instructions)]
    if counts:
        _print(console, "Instructions for one point of a batch", instructions(counts))
    for item in results.sections.get("solver", []):
        if isinstance(item, Comparison):
            _print(console, f"{item.net}: network and solver, the whole field", solvers(item))
            console.print(_worth(item), highlight=False, soft_wrap=True)
    verdicts = judge(results)
    if any(verdict.figure is not None for verdict in verdicts):
        _print(console, "Goals", goals(verdicts))


def _print(console: Console, title: str, table: Table) -> None:
    console.print()
    console.print(Text(title, style="bold"))
    console.print(table)


def plain(*columns: str, left: int = 1) -> Table:
    """Without lines; all but the first `left` columns are numbers."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for index, name in enumerate(columns):
        table.add_column(name, justify="left" if index < left else "right", no_wrap=index < left)
    return table


def comparison(tables: list[Measured]) -> Table:
    """A row per network and number of points, a column per engine; the first is the base."""
    engines = list(dict.fromkeys(c.engine for t in tables for c in t.table.cells))
    first, *others = engines
    table = plain("net", "points", first, "of peak", *others, "A/A", "error", left=1)
    for measured in tables:
        cells = {cell.engine: cell for cell in measured.table.cells}
        own = cells.get(first)
        noise = measured.table.noise[measured.points]
        table.add_row(
            measured.net,
            f"{measured.points}",
            time_of(own),
            share_of(own),
            *(_slowdown(cells.get(name)) for name in others),
            "-" if noise != noise else f"{100 * noise:.1f} %",
            "-" if own is None or own.error != own.error else f"{own.error:.1e}",
        )
    return table


def time_of(cell: Cell | None) -> str:
    """Median with its unit; what went wrong where there is none."""
    if cell is None:
        return "-"
    if cell.samples is None:
        return cell.note
    return seconds(cell.samples.summary().median)


def share_of(cell: Cell | None) -> str:
    """Of the FMA peak; one call of few points has no meaningful one."""
    if cell is None or cell.share is None or cell.share.best < 0.02:
        return "-"
    return f"{100 * cell.share.best:.0f} %"


def _slowdown(cell: Cell | None) -> str:
    if cell is None:
        return "-"
    if cell.samples is None or cell.slowdown is None:
        return cell.note or "-"
    return interval(cell.slowdown)


def interval(ratio: Ratio) -> str:
    """2.31 (2.28-2.35)."""
    digits = 2 if ratio.median < 20 else 0
    return f"{ratio.median:.{digits}f} ({ratio.low:.{digits}f}-{ratio.high:.{digits}f})"


def seconds(value: float) -> str:
    """Four digits with a unit that suits."""
    for scale, unit in ((1e6, "us"), (1e3, "ms")):
        if value * scale < 1000:
            return f"{value * scale:.4g} {unit}"
    return f"{value:.4g} s"


def budgets(rows: list[Condition]) -> Table:
    """Quantiles and misses of every condition."""
    names = ("net", "caches", "company", "points", "calls", "p50", "p99", "p99.9", "max", "misses")
    table = plain(*names, left=3)
    for row in rows:
        t = row.timing
        figures = (f"{ms:.4g}" for ms in (t.p50_ms, t.p99_ms, t.p999_ms, t.max_ms))
        misses = Text(f"{row.misses} of {row.limit_ms:g} ms", style="red" if row.misses else "")
        table.add_row(
            row.net, row.caches, row.company, str(t.points), str(t.count), *figures, misses
        )
    return table


def instructions(rows: list[Instructions]) -> Table:
    """What was counted, and by what."""
    table = plain("net", "path", "counted by", "instructions", left=3)
    for row in rows:
        count = "-" if row.per_point is None else f"{row.per_point:.1f}"
        table.add_row(row.net, row.isa or "-", row.tool, count)
    return table


def solvers(item: Comparison) -> Table:
    """Error and time of every way."""
    table = plain("", "relative L2", "max error", "time")
    for way in item.ways:
        median = way.samples.summary().median
        table.add_row(way.name, f"{way.rel_l2:.2e}", f"{way.max_abs:.2e}", seconds(median))
    return table


def _worth(item: Comparison) -> str:
    point = seconds(item.one_point.summary().median)
    if item.equal is None or item.gain is None:
        return f"No resolution is as accurate as the network. One point of it: {point}."
    return (
        f"The cheapest one as accurate as the network ({item.equal}) takes {interval(item.gain)} "
        f"times as long. One point of the network: {point}; the solver has to march there."
    )


def goals(verdicts: list[Verdict]) -> Table:
    """Reached, or missed by how much."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("goal", "wanted", "measured", "", "judged on"):
        table.add_column(name, justify="right" if name in ("wanted", "measured") else "left")
    for verdict in verdicts:
        table.add_row(*_goal_row(verdict))
    return table


def _goal_row(verdict: Verdict) -> Iterator[str | Text]:
    goal, figure = verdict.goal, verdict.figure

    def number(value: float) -> str:
        return f"{goal.scale * value:.3g}"

    yield goal.name
    yield f"{'>=' if goal.at_least else '<='} {number(goal.limit)}{goal.unit}"
    if figure is None:
        yield from ("-", Text("not measured", style="yellow"), "")
        return
    spread = "" if figure.low == figure.high else f" ({number(figure.low)}-{number(figure.high)})"
    yield f"{number(figure.value)}{spread}{goal.unit}"
    doubt = "" if verdict.certain else ", within the noise"
    if verdict.reached:
        yield Text(f"reached{doubt}", style="green")
    else:
        by = f"{100 * verdict.missed_by:.2g} %" if goal.limit else number(figure.value)
        yield Text(f"missed by {by}{doubt}", style="red")
    yield figure.note
