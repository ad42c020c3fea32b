"""The picture of a run: latency against points, and the share of the FMA peak."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from kdpinn_bench.latency import Cell
from kdpinn_bench.suite import AVX2, OURS, Measured, Results

SUFFIXES = (".png", ".svg", ".pdf")
# Okabe & Ito's palette, told apart by the color-blind; ours darkest.
STYLES: dict[str, tuple[str, str, str]] = {
    OURS: ("#0072B2", "o", "kdpinn-runtime"),
    AVX2: ("#56B4E9", "o", "kdpinn-runtime, AVX2 (of its own peak)"),
    "onnxruntime": ("#D55E00", "s", "ONNX Runtime"),
    "openvino": ("#009E73", "^", "OpenVINO"),
    "torch eager": ("#999999", "D", "PyTorch"),
    "torch.compile": ("#CC79A7", "v", "torch.compile"),
    "torch.compile frozen": ("#E69F00", "v", "torch.compile, frozen"),
}
_INK, _FAINT = "#333333", "#DDDDDD"


def check_suffix(path: Path) -> None:
    """Raises ValueError for a kind of picture that cannot be drawn."""
    if path.suffix not in SUFFIXES:
        raise ValueError(f"a picture is one of {', '.join(SUFFIXES)}, got {str(path)!r}.")


def draw(results: Results, path: Path) -> None:
    """Write the picture of the values section: one column per network."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    check_suffix(path)
    measured = results.tables("values")
    nets = list(dict.fromkeys(m.net for m in measured))
    style: Any = {
        "font.size": 9,
        "text.color": _INK,
        "axes.labelcolor": _INK,
        "axes.edgecolor": "#888888",
        "xtick.color": _INK,
        "ytick.color": _INK,
        "svg.hashsalt": "kdpinn",
    }
    with plt.rc_context(style):
        figure, axes = plt.subplots(
            2,
            len(nets),
            figsize=(1.2 + 2.3 * max(len(nets), 2), 5.6),
            squeeze=False,
            sharey="row",
            sharex="row",
            height_ratios=(3, 2),
            layout="constrained",
        )
        for column, net in enumerate(nets):
            tables = [m for m in measured if m.net == net]
            _latency(axes[0, column], tables)
            _shares(axes[1, column], tables)
            axes[0, column].set_title(_title(tables[0]), fontsize=9, color=_INK)
        axes[0, 0].set_ylabel("time of one call, less is better")
        axes[1, 0].set_ylabel("share of FMA peak")
        figure.suptitle(
            f"{_machine(results)}, one thread, float32",
            fontsize=9,
            color=_INK,
        )
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=min(len(labels), 2 + len(nets)),
            frameon=False,
        )
        metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {}
        figure.savefig(path, dpi=160, metadata=metadata)
        plt.close(figure)


def _title(measured: Measured) -> str:
    """A   2-20x3-1, from the scenario."""
    return f"{measured.net}:  {measured.table.scenario.split('/')[1].replace('x', '×')}"


def _machine(results: Results) -> str:
    name: str = results.machine["cpu"]
    for noise in ("(R)", "(TM)", "CPU", "Processor"):
        name = name.replace(noise, "")
    return " ".join(name.split())


def _series(tables: list[Measured]) -> dict[str, list[tuple[int, Cell]]]:
    """Engine -> (points, cell), timed ones only, engines in the order of STYLES."""
    found: dict[str, list[tuple[int, Cell]]] = {}
    for engine in STYLES:
        for measured in sorted(tables, key=lambda m: m.points):
            for cell in measured.table.cells:
                if cell.engine == engine and cell.samples is not None:
                    found.setdefault(engine, []).append((measured.points, cell))
    return found


def _latency(axes: Any, tables: list[Measured]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    for engine, row in _series(tables).items():
        color, marker, label = STYLES[engine]
        x = [points for points, _ in row]
        y = [cell.samples.summary().median for _, cell in row if cell.samples is not None]
        ours = engine == OURS
        axes.plot(
            x,
            y,
            color=color,
            marker=marker,
            label=label,
            markersize=4.5,
            linewidth=2.2 if ours else 1.2,
            linestyle="--" if engine == AVX2 else "-",
            zorder=3 if ours else 2,
        )
    axes.set(xscale="log", yscale="log", xlabel="points")
    axes.set_xticks([m.points for m in tables], [_short(m.points) for m in tables])
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(which="minor", bottom=False)
    axes.yaxis.set_major_locator(LogLocator(numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _duration(value)))
    _clean(axes)


def _shares(axes: Any, tables: list[Measured]) -> None:
    """Bars at the two largest batches."""
    from matplotlib.ticker import PercentFormatter

    series = _series(tables)
    counts = sorted({m.points for m in tables if m.points >= 100})[-2:] or [tables[0].points]
    width = 0.8 / max(len(series), 1)
    for index, (engine, row) in enumerate(series.items()):
        color, _, _ = STYLES[engine]
        for place, count in enumerate(counts):
            shares = [c.share for points, c in row if points == count and c.share is not None]
            for share in shares:
                middle = place + (index - (len(series) - 1) / 2) * width
                axes.bar(middle, share.best, 0.9 * width, color=color)
                if engine == OURS:
                    _inside(axes, middle, share.best)
    axes.set_xticks(np.arange(len(counts)), [f"{_count(count)} points" for count in counts])
    axes.tick_params(axis="x", length=0)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))
    _clean(axes)


def _inside(axes: Any, middle: float, share: float) -> None:
    """The figure in its bar, or above one that is too short."""
    fits = share > 0.25
    axes.annotate(
        f"{100 * share:.0f} %",
        (middle, share),
        xytext=(0, -3 if fits else 3),
        textcoords="offset points",
        ha="center",
        va="top" if fits else "bottom",
        rotation=90,
        fontsize=8,
        fontweight="bold",
        color="white" if fits else _INK,
    )


def _clean(axes: Any) -> None:
    axes.grid(axis="y", color=_FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _count(points: int) -> str:
    return f"{points:,}".replace(",", "\u202f")


def _short(points: int) -> str:
    return f"{points / 1000:.0f}k" if points >= 10_000 else _count(points)


def _duration(value: float) -> str:
    for scale, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if value >= 0.999 * scale:
            return f"{value / scale:.0f} {unit}"
    return f"{value * 1e9:.0f} ns"
