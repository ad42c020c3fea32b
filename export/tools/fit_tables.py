#!/usr/bin/env python3
"""Writes kdpinn_export/device/mcu/tanh_table.h: tanh in pieces, for small processors.

Cubics through the Chebyshev nodes of each interval of 1/8 in [-8, 8]: within
h^4 max|tanh''''| / 3072 = 3.3e-7 of tanh, the rounding of the evaluation apart. Outside it is +-1.
Run: python fit_tables.py > ../kdpinn_export/device/mcu/tanh_table.h (needs mpmath).
"""

from __future__ import annotations

import sys

import mpmath as mp
import numpy as np

INTERVALS, WIDTH, LIMIT, DEGREE = 128, mp.mpf(1) / 8, 8, 3
STEPS = 64
"""Points a unit of the table for fixed point."""


def cubic(lower: mp.mpf) -> list[mp.mpf]:
    """Coefficients, lowest first, in powers of the distance from `lower`."""
    count = DEGREE + 1
    nodes = [(1 + mp.cos((2 * k + 1) * mp.pi / (2 * count))) * WIDTH / 2 for k in range(count)]
    powers = mp.matrix([[node**k for k in range(count)] for node in nodes])
    return list(mp.lu_solve(powers, mp.matrix([mp.tanh(lower + node) for node in nodes])))


def rows() -> list[list[mp.mpf]]:
    """All intervals; the outermost are constant, so that they also serve what lies beyond."""
    inner = [cubic(-LIMIT + k * WIDTH) for k in range(1, INTERVALS - 1)]
    return [[mp.mpf(-1), 0, 0, 0], *inner, [mp.mpf(1), 0, 0, 0]]


def point(k: int) -> int:
    """32767 times the value at k / 64 of the polygon that lies above tanh as far as below.

    A chord errs by h^2 / 8 tanh'' to one side, hence half of that is taken off.
    """
    t = mp.tanh(mp.mpf(k) / STEPS)
    return int(mp.nint(32767 * (t + 2 * t * (1 - t**2) / (16 * STEPS**2))))


def literal(value: mp.mpf) -> str:
    """A float, as short as it can be."""
    return f"{np.float32(float(value))!s}f"


def main() -> None:
    """Both tables, on stdout."""
    mp.mp.dps = 40
    lines = ["/* Written by export/tools/fit_tables.py. */"]
    values = [point(k) for k in range(-LIMIT * STEPS, LIMIT * STEPS + 1)]
    lines += ["/* 32767 tanh(k / 64 - 8) */"]
    lines += ["static const int16_t tanh_points[] __attribute__((unused)) = {"]
    lines += [f"    {', '.join(map(str, values[k : k + 16]))}," for k in range(0, len(values), 16)]
    lines += ["};", "/* Cubics in x - x_k, x_k = k / 8 - 8. */"]
    lines += [f"static const float tanh_table[{INTERVALS}][4] __attribute__((unused)) = {{"]
    lines += [f"    {{{', '.join(map(literal, row))}}}," for row in rows()]
    sys.stdout.write("\n".join([*lines, "};"]) + "\n")


if __name__ == "__main__":
    main()
