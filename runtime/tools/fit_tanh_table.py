"""Prints `core/tanh_table.h`: tanh in 32 intervals, a polynomial in |x| for each.

The upper bits of u = OFFSET + SCALE |x|, from START on, number the intervals: 8 to each doubling of
u, so that they widen as tanh flattens. Offset and scale are those with the least error among such
intervals that reach LIMIT, 1 - tanh(LIMIT) = 2.3e-7: rounding errors cannot lift the fit above 1.

A coefficient is rounded to float32 before the lower ones are fitted (at Chebyshev nodes), which
then make up for its error. The lowest interval's polynomial has no constant: small numbers keep all
of their digits. The two highest share a number: its upper 12 bits and whatever follows are the
highest, the other 20 the next one, less its last bits. Both are small beside the others.
Run: python fit_tanh_table.py > ../core/tanh_table.h (needs numpy).
"""

import numpy as np

START, PER_DOUBLING, INTERVALS, DEGREE = 2.0, 8, 32, 4
OFFSET, SCALE, LIMIT = 2.25, 3.6, 8.0
HEAD = 12  # bits of the highest coefficient
SLACK = 1e-6  # relative, at the ends of an interval: u is rounded


def ends(k: int) -> tuple[float, float]:
    """Where |x| lies in interval k."""
    octave, step = divmod(k, PER_DOUBLING)
    edges = START * 2.0**octave * (1 + np.array([step, step + 1]) / PER_DOUBLING)
    lower, upper = (edges - OFFSET) / SCALE * (1 + SLACK * np.array([-1, 1]))
    return max(lower, 0.0), min(upper, LIMIT)


def fitted(lower: float, upper: float, higher: dict[int, float], order: int) -> float:
    """The coefficient of |x|^order, with those of higher orders as they are."""
    lowest = 1 if lower == 0 else 0
    count = order + 1 - lowest
    nodes = np.cos((2 * np.arange(count) + 1) * np.pi / (2 * count))
    x = (lower + upper) / 2 + (upper - lower) / 2 * nodes
    rest = np.tanh(x) - sum(value * x**k for k, value in higher.items())
    return float(np.linalg.solve(x[:, None] ** np.arange(lowest, order + 1), rest)[-1])


def bits(value: float) -> int:
    """The pattern of the number in float32."""
    return int(np.float32(value).view(np.uint32))


def number(pattern: int) -> float:
    """The float32 number with the lower 32 bits of this pattern."""
    return float(np.uint32(pattern % 2**32).view(np.float32))


def packed(lower: float, upper: float) -> int:
    """The two highest coefficients as one pattern of bits."""
    exact = highest = fitted(lower, upper, {}, DEGREE)
    for _ in range(3):  # each depends on the other, a little
        second = fitted(lower, upper, {DEGREE: highest}, DEGREE - 1)
        tail = (bits(second) + 2 ** (HEAD - 1) >> HEAD) % 2 ** (32 - HEAD)
        heads = (bits(exact) >> 32 - HEAD) + np.arange(-1, 2)
        patterns = [int(head) << 32 - HEAD | tail for head in heads]
        pattern = min(patterns, key=lambda p: abs(number(p) - exact))
        highest = number(pattern)
    return pattern


def column(lower: float, upper: float) -> list[float]:
    """Of the table: the lower coefficients, lowest first, and the two highest packed."""
    pattern = packed(lower, upper)
    known = {DEGREE: number(pattern), DEGREE - 1: number(pattern << HEAD)}
    for order in range(DEGREE - 2, -1, -1):
        kept = order > 0 or lower > 0
        known[order] = float(np.float32(fitted(lower, upper, known, order))) if kept else 0.0
    return [*(known[order] for order in range(DEGREE - 1)), number(pattern)]


def main() -> None:
    """Prints the header."""
    columns = [column(*ends(k)) if ends(k)[1] > 0 else [0.0] * DEGREE for k in range(INTERVALS)]
    table = np.array(columns)
    print(
        "/* Written by tools/fit_tanh_table.py: a row for each power of |x|, lowest first, "
        "the last for two. */"
    )
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
