"""The published figures of Psi-NN beside ours, with its optimizer and with ours.

    python -m kdpinn_bench.published

Ours are rows of bench/baselines/structure_rebuilt.json, which `kdpinn_bench.rebuilding` measures:
medians over seeds or sets of samples.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from kdpinn_bench import baselines
from kdpinn_bench.rebuilding import NAME, NETWORKS, figure

SOURCE = "Liu et al., Nat. Commun. 16 (2025) 9558, doi:10.1038/s41467-025-64624-3"

OPTIMIZERS = {
    ", Adam": "Adam, 1e-4, 80,000 steps",
    "": "self-scaled Broyden",
}
"""Suffix of a case's name -> how its networks were trained."""

NAMES = {
    "plain": "plain, same widths",
    "equal": "plain, same free parameters",
    "mean": "plain, mean over the group",
    "tied": "tied by the group",
}


@dataclass(frozen=True)
class Published:
    """Figures of the paper for one case.

    Attributes:
        title: of the case.
        cases: of `kdpinn_bench.rebuilding_cases`, without the optimizer's suffix.
        figures: of its plain network, of that made symmetric afterwards, and of Psi-NN: relative
            errors, or per cent by which a viscosity is off.
        parameters: free ones of the three, where they are known.
    """

    title: str
    cases: tuple[str, ...]
    figures: tuple[float, float, float]
    parameters: tuple[int | None, int | None, int | None] = (None, None, None)


def _off(found: float, truth: float) -> float:
    return 100 * abs(found / truth - 1)


PUBLISHED = (
    Published(
        "laplace, relative L2 error",
        ("laplace, width 8-8-16", "laplace, width 8"),
        (1.159e-3, 4.017e-4, 7.42e-5),
        (257, 257, 321),
    ),
    Published("poisson, relative L2 error", ("poisson",), (2.633e-2, 2.563e-2, 2.464e-2)),
    Published(
        "burgers, 20 samples, per cent that nu = 0.01 is off",
        ("burgers_inverse_samples, nu = 0.01",),
        (_off(2.82, 1.0), _off(1.898, 1.0), _off(1.465, 1.0)),
    ),
    Published(
        "burgers, 20 samples, per cent that nu = 0.04 is off",
        ("burgers_inverse_samples, nu = 0.04",),
        (_off(6.625, 4.0), _off(4.960, 4.0), _off(4.084, 4.0)),
    ),
)


@dataclass(frozen=True)
class Line:
    """One line of the table; runs is 0 for what is published."""

    network: str
    optimizer: str
    parameters: int | None
    figure: float
    runs: int = 0


def lines(published: Published, rows: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """What is published, then ours: case by case, optimizer by optimizer."""
    names = ("PINN", "PINN-post", "Psi-NN")
    for name, parameters, value in zip(names, published.parameters, published.figures, strict=True):
        yield Line(f"{name}, published", "Adam", parameters, value)
    for case in published.cases:
        for suffix, optimizer in OPTIMIZERS.items():
            here = [row["networks"] for row in rows if row["case"] == case + suffix]
            for network in sorted(NETWORKS, key=list(NAMES).index):
                have = [row[network] for row in here if network in row]
                if have:
                    median = statistics.median(figure(row) for row in have)
                    yield Line(
                        f"{NAMES[network]}, {'-'.join(map(str, have[0]['sizes']))}",
                        optimizer,
                        have[0]["parameters"],
                        median,
                        len(have),
                    )


def table(published: Published, rows: Sequence[Mapping[str, Any]]) -> Table:
    """One case."""
    out = Table("network", "optimizer", "free parameters", "figure", "runs", box=None)
    out.title, out.title_justify = published.title, "left"
    for line in lines(published, rows):
        out.add_row(
            line.network,
            line.optimizer,
            "-" if line.parameters is None else str(line.parameters),
            f"{line.figure:.3g}",
            str(line.runs) if line.runs else "",
        )
    return out


def main() -> int:
    """Print all cases."""
    rows = (baselines.read(NAME) or {}).get("rows", [])
    console = Console(width=120)
    for published in PUBLISHED:
        console.print(table(published, rows))
        console.print()
    console.print(f"Published: {SOURCE}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
