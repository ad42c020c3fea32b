"""Prints `core/coefficients.h`: polynomials and constants of the core's exp, tanh, sin, gelu.

Each polynomial interpolates its function at Chebyshev nodes in 60-digit arithmetic, which is
within a small factor of the minimax error; the degrees are the lowest whose error lies below a
quarter of the rounding unit.
Run: python fit_functions.py > ../core/coefficients.h (needs mpmath and numpy).
"""

from collections.abc import Callable

import mpmath as mp
import numpy as np

mp.mp.dps = 60
HALF_LN2 = mp.log(2) / 2 * mp.mpf("1.0001")
TANH_LIMIT = 7.9  # tanh is 1 - 2.7e-7 there: rounding errors cannot lift the fit above 1
HALF_PI = mp.pi / 2 * mp.mpf("1.0001")


def interpolate(
    function: Callable[[mp.mpf], mp.mpf], low: mp.mpf, high: mp.mpf, degree: int
) -> list[mp.mpf]:
    """Coefficients, lowest first, of the polynomial through the Chebyshev nodes of [low, high]."""
    n = degree + 1
    nodes = [
        (low + high) / 2 + (high - low) / 2 * mp.cos((2 * k + 1) * mp.pi / (2 * n))
        for k in range(n)
    ]
    vandermonde = mp.matrix(n, n)
    for row, node in enumerate(nodes):
        for column in range(n):
            vandermonde[row, column] = node**column
    return list(mp.lu_solve(vandermonde, mp.matrix([function(node) for node in nodes])))


def exp_tail(r: mp.mpf) -> mp.mpf:
    """(e^r - 1 - r) / r^2."""
    return mp.mpf(1) / 2 + r / 6 if abs(r) < 1e-20 else (mp.expm1(r) - r) / r**2


def sin_tail(s: mp.mpf) -> mp.mpf:
    """(sin r - r) / r^3 with s = r^2."""
    r = mp.sqrt(s)
    return -mp.mpf(1) / 6 if s == 0 else (mp.sin(r) - r) / r**3


def cos_tail(s: mp.mpf) -> mp.mpf:
    """(cos r - 1 + s/2) / s^2 with s = r^2."""
    return mp.mpf(1) / 24 if s == 0 else (mp.cos(mp.sqrt(s)) - 1 + s / 2) / s**2


def mills(center: mp.mpf) -> Callable[[mp.mpf], mp.mpf]:
    """(a + center) Phi(-a) e^(a^2 / 2) as a function of t = (a - center) / (a + center).

    Phi is the normal distribution, Phi(-a) e^(a^2 / 2) sqrt(2 pi) its Mills ratio, which falls like
    1 / a: the product varies little. Its map of [0, inf) to [-1, 1) is that of Schonfelder, Math.
    Comp. 32 (1978) 1232, doi:10.1090/S0025-5718-1978-0494846-8.
    """

    def product(t: mp.mpf) -> mp.mpf:
        a = center * (1 + t) / (1 - t)
        return (a + center) * mp.exp(a**2 / 2) * mp.erfc(a / mp.sqrt(2)) / 2

    return product


def split(value: mp.mpf, bits: int, parts: int) -> list[mp.mpf]:
    """`value` as a sum of numbers of `bits` bits: small multiples of these are exact."""
    out = []
    for _ in range(parts - 1):
        scale = mp.mpf(2) ** (bits - 1 - mp.floor(mp.log(abs(value), 2)))
        head = mp.nint(value * scale) / scale
        out.append(head)
        value -= head
    return [*out, value]


def tanh_ratio(limit: float, degree: int) -> tuple[list[mp.mpf], list[mp.mpf]]:
    """P and Q of one degree in s = x^2, Q(0) = 1, with x P / Q near tanh x on [0, limit].

    Least squares on the linearized problem P - Q f = 0, reweighted by Q (Sanathanan & Koerner,
    IEEE Trans. Autom. Control 8 (1963) 56) and by the error (Lawson), which makes it minimax.
    """
    k = np.arange(3000)
    x = limit / 2 * (1 - np.cos((k + 0.5) * np.pi / len(k)))
    f = np.tanh(x) / x
    powers = np.vander((x / limit) ** 2, degree + 1, increasing=True)
    weight, q = np.ones_like(x), np.ones_like(x)
    best, least = np.zeros(2 * degree + 1), np.inf
    for _ in range(400):
        root = np.sqrt(weight) / (np.abs(q) * f)
        matrix = np.hstack([powers, -f[:, None] * powers[:, 1:]]) * root[:, None]
        norms = np.linalg.norm(matrix, axis=0)
        fit = np.linalg.lstsq(matrix / norms, f * root, rcond=1e-17)[0] / norms
        q = 1 + powers[:, 1:] @ fit[degree + 1 :]
        error = np.abs(powers @ fit[: degree + 1] / q / f - 1)
        if error.max() < least:
            best, least = fit, error.max()
        weight = weight * (error / error.max() + 1e-3)
        weight /= weight.sum()
    scale = [mp.mpf(limit) ** (-2 * i) for i in range(degree + 1)]
    above = [mp.mpf(c) * w for c, w in zip(best[: degree + 1], scale, strict=True)]
    below = [
        mp.mpf(1),
        *(mp.mpf(c) * w for c, w in zip(best[degree + 1 :], scale[1:], strict=True)),
    ]
    return above, below


def literal(value: mp.mpf, suffix: str) -> str:
    """The number in C, with as many digits as its type has."""
    return mp.nstr(value, 9 if suffix else 17, min_fixed=0, max_fixed=0) + suffix


def define(name: str, values: list[mp.mpf], suffix: str) -> None:
    """Prints an array of constants."""
    print(f"#define {name} {{{', '.join(literal(v, suffix) for v in values)}}}")


def precision(
    suffix: str, exp_degree: int, sin_degree: int, cos_degree: int, bits: int, parts: int
) -> None:
    """Prints what both precisions have; ln 2 in two and pi in `parts` numbers of `bits` bits."""
    define("KD_EXP_TAIL", interpolate(exp_tail, -HALF_LN2, HALF_LN2, exp_degree), suffix)
    define("KD_SIN_TAIL", interpolate(sin_tail, mp.mpf(0), HALF_PI**2, sin_degree), suffix)
    define("KD_COS_TAIL", interpolate(cos_tail, mp.mpf(0), HALF_PI**2, cos_degree), suffix)
    define("KD_LN2", split(mp.log(2), bits, 2), suffix)
    define("KD_PI", split(mp.pi, bits, parts), suffix)


def normal_tail(suffix: str, center: float, limit: float, degree: int) -> None:
    """Prints the fit of `mills` for |z| up to `limit`: its density is subnormal there, e is not."""
    k, end = mp.mpf(center), mp.mpf(limit)
    fit = interpolate(mills(k), mp.mpf(-1), (end - k) / (end + k), degree)
    define("KD_MILLS", fit, suffix)
    print(f"#define KD_MILLS_CENTER {center}{suffix}")
    print(f"#define KD_GELU_LIMIT {limit}{suffix}")


def main() -> None:
    """Prints the header."""
    print("/* Written by tools/fit_functions.py; lowest order first. */")
    print("#if KD_BITS == 32")
    precision("f", 4, 3, 3, 11, 4)
    above, below = tanh_ratio(TANH_LIMIT, 4)
    define("KD_TANH_ABOVE", above, "f")
    define("KD_TANH_BELOW", below, "f")
    print(f"#define KD_TANH_LIMIT {TANH_LIMIT}f")
    normal_tail("f", 3.5, 13.19, 9)
    print("#else")
    precision("", 10, 7, 7, 30, 3)
    normal_tail("", 5.0, 37.62, 21)
    print("#endif")


if __name__ == "__main__":
    main()
