"""The cavity flows that travel with the package, and the command that makes them anew.

    python -m kdpinn.problems.solvers.cavity_table

takes about two minutes and 4 GB, and overwrites `kdpinn/problems/data/cavity.npz`.
"""

from __future__ import annotations

import io
import sys
from functools import cache
from pathlib import Path

import numpy as np

from kdpinn.atomic import write_bytes
from kdpinn.geometry import FloatArray
from kdpinn.problems.solvers.cavity import extrapolated

PATH = Path(__file__).parent.parent / "data" / "cavity.npz"
REYNOLDS = (100, 400)
INTERVALS = 128
FIELDS = ("u", "v", "p")


@cache
def stored(reynolds: int) -> FloatArray:
    """u, v, p on the nodes [i, j] at x = i / 128, y = j / 128: (3, 129, 129).

    Stored in float32; its rounding, 6e-8, is below the error of the solution, which the difference
    of two extrapolations puts at 5e-6 (root mean square) for the velocity, and for the pressure
    at 1e-5 further than 0.05 from the ends of the lid.

    Raises:
        ValueError: a Reynolds number that is not stored.
    """
    if reynolds not in REYNOLDS:
        raise ValueError(
            f"The stored cavity flows are those at Re = {', '.join(map(str, REYNOLDS))}, got "
            f"{reynolds}: solve it with `kdpinn.problems.solvers.cavity.extrapolated`."
        )
    with np.load(PATH) as file:
        table: FloatArray = file[f"re{reynolds}"].astype(np.float64)
    table.setflags(write=False)
    return table


def main() -> int:
    """Solve and store."""
    tables = {}
    for reynolds in REYNOLDS:
        flow, _ = extrapolated(reynolds, INTERVALS)
        tables[f"re{reynolds}"] = np.stack([flow.u, flow.v, flow.p]).astype(np.float32)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **tables)  # type: ignore[arg-type]
    write_bytes(PATH, buffer.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
