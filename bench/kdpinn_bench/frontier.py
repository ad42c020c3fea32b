"""The README's picture and the table of docs/figures.md, from the stored baselines.

python -m kdpinn_bench.frontier docs/images/frontier.png
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console

from kdpinn.comparison import over_teacher
from kdpinn.problems import available
from kdpinn_bench import baselines

Run = Mapping[str, Any]

# Okabe and Ito's palette, told apart by the color-blind, and three of Tol's.
COLORS = (
    "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#332288", "#882255",
    "#999999", "#117733", "#AA4499", "#44AA99", "#661100",
)  # fmt: skip
INK = "#1c2226"
MARKERS = {"teacher": "s", "student": "o", "scratch": "D"}


def stored(preset: str, folder: Path) -> dict[str, list[Run]]:
    """Problem -> its runs on the preset, of those that have a baseline."""
    found = {p.name: baselines.read(p.name, folder) or {} for p in available()}
    return {name: facts[preset]["runs"] for name, facts in found.items() if preset in facts}


def networks(run: Run) -> Iterator[tuple[str, Run]]:
    """Role and figures of each network of a run."""
    yield "teacher", run["teacher"]
    for student in run["students"]:
        yield "student", student
    if "scratch" in run:
        yield "scratch", run["scratch"]


def draw(suite: Mapping[str, Sequence[Run]]) -> Figure:
    """Relative L2 error against parameters and against bytes of the file, first seed each."""
    with mpl.rc_context({"font.size": 9, "axes.edgecolor": INK, "text.color": INK}):
        figure = Figure(figsize=(11, 4.6), dpi=160, layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, key, label in (
            (left, "parameters", "trainable parameters"),
            (right, "file_bytes", "bytes of the model file"),
        ):
            for color, (name, runs) in zip(COLORS, suite.items(), strict=False):
                _curves(axes, runs[0], key, color, name)
            axes.set(xscale="log", yscale="log", xlabel=label)
            if key == "file_bytes":  # less than a factor of ten: powers of ten would not do
                axes.set_xscale("linear")
            axes.grid(alpha=0.25)
            axes.spines[["top", "right"]].set_visible(False)
        left.set_ylabel("relative L2 error")
        left.set_title("squares: teachers, circles: students, diamonds: from scratch", fontsize=9)
        handles, labels = left.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside right upper", frameon=False)
    return figure


def _curves(axes: Axes, run: Run, key: str, color: str, name: str) -> None:
    for role, marker in MARKERS.items():
        points = sorted(
            (n[key], n["rel_l2"])
            for kind, n in networks(run)
            if kind == role and n.get(key) and n["rel_l2"]
        )
        if points:
            across, up = zip(*points, strict=True)
            style = "--" if role == "student" else ""
            label = name if role == "student" else None
            axes.plot(across, up, marker + style, color=color, ms=5, lw=0.8, label=label)


def table(suite: Mapping[str, Sequence[Run]], preset: str) -> str:
    """Markdown: a row per problem, medians over the seeds, the worst in brackets."""
    lines = [
        "| problem, preset | seeds | teacher: parameters, error | student: parameters, error | "
        "matched / tuned | scratch | file | over teacher in torch | whole run |",
        "|---" * 9 + "|",
    ]
    lines += [_row(name, preset, runs) for name, runs in suite.items()]
    return "\n".join(lines)


def _row(name: str, preset: str, runs: Sequence[Run]) -> str:
    def errors(role: str) -> str:
        values = [run[role]["rel_l2"] for run in runs if role in run]
        return spread([v for v in values if v is not None])

    first, last = runs[0], [run["student"] for run in runs]
    stages = " / ".join(
        spread([s[key] for s in last if s.get(key) is not None]) for key in ("matched", "tuned")
    )
    cells = (
        f"{name}, {preset}",
        str(len(runs)),
        f"{first['teacher']['parameters']}: {errors('teacher')}",
        f"{first['student']['parameters']}: {errors('student')}",
        stages,
        errors("scratch"),
        f"{first['student']['file_bytes'] / 1000:.1f} kB",
        f"{faster:.0f} ×" if (faster := statistics.median(map(over_teacher, runs))) else "–",
        f"{statistics.median(run['seconds'] for run in runs):.0f} s",
    )
    return "| " + " | ".join(cells) + " |"


def spread(values: Sequence[float]) -> str:
    """`7.9e-5 (8.1e-5)`: the median, and the worst of several."""
    if not values:
        return "–"
    text = _short(statistics.median(values))
    return text if len(values) == 1 else f"{text} ({_short(max(values))})"


def _short(value: float) -> str:
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def main() -> None:
    """Write the picture, print the table."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.frontier", description=__doc__)
    parser.add_argument("out", type=Path, help="PNG file")
    parser.add_argument("--preset", choices=("quick", "best"), default="best")
    parser.add_argument("--baselines", type=Path, default=baselines.FOLDER)
    options = parser.parse_args()
    suite = stored(options.preset, options.baselines)
    if not suite:
        parser.error(f"{options.baselines} has no baseline of the preset {options.preset}.")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(suite).savefig(options.out)
    Console(width=400).print(table(suite, options.preset), markup=False, highlight=False)


if __name__ == "__main__":
    main()
