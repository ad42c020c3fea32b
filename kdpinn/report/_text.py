"""Numbers and words as a reader wants them: few digits, honest units, no markup surprises."""

from __future__ import annotations

import html
import math
import re

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
MISSING = "–"


def esc(text: object) -> str:
    """Text made safe for HTML and SVG, attributes included."""
    return html.escape(str(text), quote=True)


def power(exponent: int) -> str:
    """`10⁻³` for -3."""
    return "10" + str(exponent).translate(_SUPERSCRIPT)


def number(value: float | None, digits: int = 3) -> str:
    """`value` to significant digits: 0.0123, 12.3, 1.23 × 10⁻⁵; a dash for None."""
    if value is None:
        return MISSING
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    if -2 <= int(exponent) < 5:
        text = f"{value:.{max(0, digits - 1 - int(exponent))}f}"
        if int(exponent) >= digits:
            text = f"{value:,.0f}".replace(",", "\u202f")
    else:
        text = f"{mantissa} × {power(int(exponent))}"
    return text.replace("-", "−")


def scientific(value: float | None, digits: int = 3) -> str:
    """`value` as 1.23 × 10⁻⁵ below 0.1, so that a column of errors compares at a glance."""
    if value is None or not math.isfinite(value) or value == 0 or 0.1 <= abs(value) < 100:
        return number(value, digits)
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa} × {power(int(exponent))}".replace("-", "−")


def formula(text: str) -> str:
    """HTML of an equation written as `u_t + u u_x`: what follows the underscore is lowered."""
    return re.sub(r"_(\w+)", r"<sub>\1</sub>", esc(text))


def count(value: int) -> str:
    """10 000 with a narrow space."""
    return f"{value:,}".replace(",", "\u202f")


def plain(value: float) -> str:
    """A coordinate or parameter: shortest text to three significant digits."""
    if 1000 <= abs(value) < 1e6 and value == round(value):
        return count(round(value))
    return f"{value:.3g}".replace("-", "−")


def milliseconds(value: float | None) -> str:
    """A time in ms with the unit that keeps it readable."""
    if value is None:
        return MISSING
    if value < 1.0:
        return f"{number(value * 1e3)} µs"
    return f"{number(value)} ms" if value < 1e4 else f"{number(value / 1e3)} s"


def duration(seconds: float) -> str:
    """`47.3 s` or `12 min 05 s`."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def size(octets: int | None) -> str:
    """`3.4 KiB`."""
    if octets is None:
        return MISSING
    return f"{octets} B" if octets < 1024 else f"{number(octets / 1024)} KiB"


def times(value: float) -> str:
    """`4.2 times`."""
    return f"{number(value, 2)} times"


def ratio(value: float) -> str:
    """`4.2 ×`."""
    return f"{number(value, 2)} ×"
