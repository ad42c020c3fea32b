"""Prints `core/tanh_table.h`: tanh in 32 intervals, a polynomial in |x| for each.

The upper bits of u = OFFSET + SCALE |x|, from START on, number the intervals: 8 to each doubling of
u, so that they widen as tanh flattens. Offset and scale are those with the least error among such
intervals that reach LIMIT, 1 - tanh(LIMIT) = 2.3e-7: rounding errors cannot lift the fit above 1.

A coefficient is rounded to float32 before the lower ones are fitted (at Chebyshev nodes), which
then make up for its error. The lowest interval's polynomial has no constant: small numbers keep all
of their digits. Run: python fit_tanh_table.py > ../core/tanh_table.h (needs numpy).
"""

import numpy as np
from numpy.typing import NDArray

START, PER_DOUBLING, INTERVALS, DEGREE = 2.0, 8, 32, 4
OFFSET, SCALE, LIMIT = 2.25, 3.6, 8.0
SLACK = 1e-6  # relative, at the ends of an interval: u is rounded


def ends(k: int) -> tuple[float, float]:
    """Where |x| lies in interval k."""
    octave, step = divmod(k, PER_DOUBLING)
    edges = START * 2.0**octave * (1 + np.array([step, step + 1]) / PER_DOUBLING)
    lower, upper = (edges - OFFSET) / SCALE * (1 + SLACK * np.array([-1, 1]))
    return max(lower, 0.0), min(upper, LIMIT)


def polynomial(lower: float, upper: float) -> NDArray[np.float32]:
    """Coefficients in float32, lowest first."""
    lowest = 1 if lower == 0 else 0
    rounded = np.zeros(DEGREE + 1)
    for order in range(DEGREE, lowest - 1, -1):
        count = order + 1 - lowest
        nodes = np.cos((2 * np.arange(count) + 1) * np.pi / (2 * count))
        x = (lower + upper) / 2 + (upper - lower) / 2 * nodes
        powers = x[:, None] ** np.arange(DEGREE + 1)
        rest = np.tanh(x) - powers @ rounded
        rounded[order] = np.float32(np.linalg.solve(powers[:, lowest : order + 1], rest)[-1])
    return rounded.astype(np.float32)


def main() -> None:
    fits = [polynomial(*ends(k)) if ends(k)[1] > 0 else None for k in range(INTERVALS)]
    table = np.array([np.zeros(DEGREE + 1) if fit is None else fit for fit in fits])
    print("/* Written by tools/fit_tanh_table.py: a row for each power of |x|, lowest first. */")
    print(f"#define KD_TABLE_OFFSET {OFFSET}f")
    print(f"#define KD_TABLE_SCALE {SCALE}f")
    print(f"#define KD_TABLE_LIMIT {LIMIT}f")
    print("#define KD_TANH_TABLE { \\")
    for row in table.T:
        print("    { \\")
        for four in row.reshape(-1, 4):
            print("        " + " ".join(f"{value:.8e}f," for value in four) + " \\")
        print("    }, \\")
    print("}")


if __name__ == "__main__":
    main()
