"""The README's picture of a finished run: the field, where the student errs, error against size.

python -m kdpinn_bench.pictures runs/accuracy/burgers-best-0 docs/images/burgers.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

import kdpinn_runtime
from kdpinn.geometry import FloatArray
from kdpinn.problems import load_problem

INK, TEACHER, STUDENT, SCRATCH = "#1c2226", "#2a62a5", "#d04f0a", "#7561a8"


def draw(folder: Path) -> Figure:
    """Three panels for a run of a problem with two inputs and a reference."""
    metrics = json.loads((folder / "metrics.json").read_text("utf-8"))
    problem = load_problem(metrics["problem"])
    if problem.domain.dim != 2 or problem.reference is None:
        raise ValueError(f"{problem.owner} has no picture: it needs two inputs and a reference.")
    points = problem.evaluation_points()
    student = kdpinn_runtime.load(folder / "student.kdp")(points)[:, 0]
    error = np.abs(student - problem.reference_at(points)[:, 0])
    with mpl.rc_context({"font.size": 9, "axes.edgecolor": INK, "text.color": INK}):
        figure = Figure(figsize=(11, 3.1), dpi=160, layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        rms = np.sqrt(np.mean(student**2))
        field_map(left, problem.domain, problem.grid, student, cmap="RdBu_r")
        left.set_title(f"student, {metrics['student']['parameters']} parameters")
        norm = LogNorm(rms * 1e-8, max(error.max(), rms * 1e-6))
        field_map(middle, problem.domain, problem.grid, error, cmap="magma", norm=norm)
        middle.set_title(f"|error|, largest {error.max():.1e}")
        frontier(right, metrics)
    return figure


def field_map(
    axes: Axes, domain: Any, grid: tuple[int, ...], values: FloatArray, **style: Any
) -> None:
    """Values (n,) over the grid, the second coordinate to the right."""
    (low, high), (start, stop) = (domain.bounds(name) for name in domain.names)
    picture = np.maximum(values, style["norm"].vmin) if "norm" in style else values
    image = axes.imshow(
        picture.reshape(grid),
        origin="lower",
        aspect="auto",
        extent=(start, stop, low, high),
        interpolation="bilinear",
        **style,
    )
    axes.set(xlabel=domain.names[1], ylabel=domain.names[0])
    axes.figure.colorbar(image, ax=axes, pad=0.02)


def frontier(axes: Axes, metrics: dict[str, Any]) -> None:
    """RMSE against parameters: teacher, students, and the same network from scratch."""
    looks = {"teacher": (TEACHER, "s"), "student": (STUDENT, "o"), "scratch": (SCRATCH, "D")}
    labels = {"student": "distilled", "scratch": "from scratch"}
    for kind, (color, marker) in looks.items():
        points = [p for p in metrics["frontier"] if p["kind"] == kind]
        across, up = [p["parameters"] for p in points], [p["rmse"] for p in points]
        axes.loglog(across, up, marker, color=color, label=labels.get(kind, kind), ls="--", lw=0.8)
    axes.set(xlabel="parameters", ylabel="RMSE against the reference", title="error against size")
    sizes = sorted({p["parameters"] for p in metrics["frontier"]})
    axes.set_xticks(sizes, map(str, sizes))
    axes.set_xticks([], minor=True)
    axes.margins(x=0.15, y=0.15)
    axes.grid(alpha=0.25, which="major")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_bench.pictures", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished run")
    parser.add_argument("out", type=Path, help="PNG file")
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    draw(options.run).savefig(options.out)


if __name__ == "__main__":
    main()
