"""The normal distribution in extended precision, with small relative errors in both tails.

Abramowitz & Stegun, Handbook of Mathematical Functions (1964): the series 26.2.11 near 0, the
continued fraction 26.2.14 elsewhere.
"""

import numpy as np

TERMS, LEVELS = 40, 200  # both beyond the precision of long doubles at BORDER
BORDER = 2


def density(z):
    """e^(-z^2 / 2) / sqrt(2 pi)."""
    z = np.asarray(z, np.longdouble)
    return np.exp(-(z**2) / 2) / np.sqrt(8 * np.arctan(np.longdouble(1)))


def distribution(z):
    """Its integral from -inf to z."""
    z = np.asarray(z, np.longdouble)
    size = np.abs(z)
    near, far = np.minimum(size, BORDER), np.maximum(size, BORDER)
    term = total = near
    for k in range(1, TERMS):
        term = term * near**2 / (2 * k + 1)
        total = total + term
    fraction = far
    for k in range(LEVELS, 0, -1):
        fraction = far + k / fraction
    below = np.longdouble(0.5) - density(near) * total
    tail = np.where(size < BORDER, below, density(far) / fraction)
    return np.where(z < 0, tail, 1 - tail)
