"""Evaluate a model at one point or over a CSV file, row by row without holding the file."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator
from itertools import combinations_with_replacement, islice
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from ._evaluator import Evaluator
from ._info import derivative_name

_ROWS_AT_ONCE = 4096


class Columns:
    """The columns that `evaluate` gives: outputs, and with derivatives all first and second."""

    def __init__(self, model: Evaluator, derivatives: bool) -> None:
        self._model = model
        self._inputs = [v.name for v in model.file.inputs]
        self._pairs = tuple(combinations_with_replacement(self._inputs, 2))
        self._derivatives = derivatives
        outputs = [v.name for v in model.file.outputs]
        self.names = list(outputs)
        if derivatives:
            self.names += [derivative_name(u, x) for u in outputs for x in self._inputs]
            self.names += [derivative_name(u, *pair) for u in outputs for pair in self._pairs]

    def evaluate(self, x: NDArray[Any]) -> NDArray[Any]:
        """Values of the columns, (n, columns), at x (n, d)."""
        if not self._derivatives:
            return self._model(x)
        jet = self._model.jet(x, self._pairs)
        n = len(x)
        parts = (jet.value, jet.first.reshape(n, -1), jet.second.reshape(n, -1))
        return np.concatenate(parts, axis=1)


def parse_point(pairs: Iterable[str], inputs: list[str]) -> list[float]:
    """Coordinates from ["x=0.3", "t=0.5"] in the order of `inputs`. Raises ValueError."""
    found: dict[str, float] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"{pair!r} is not of the form name=number, e.g. {inputs[0]}=0.5")
        if name not in inputs:
            raise ValueError(f"the model has no input {name!r}, its inputs: {', '.join(inputs)}")
        if name in found:
            raise ValueError(f"input {name!r} is given twice")
        found[name] = number(text, f"input {name!r}")
    missing = [name for name in inputs if name not in found]
    if missing:
        raise ValueError(f"no value for {', '.join(missing)}: give {missing[0]}=number as well")
    return [found[name] for name in inputs]


def number(text: str, what: str) -> float:
    """A finite number from text. Raises ValueError naming `what`."""
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{what} is {text!r}, expected a number") from None
    if not math.isfinite(value):
        raise ValueError(f"{what} is {text!r}, expected a finite number")
    return value


def evaluate_csv(
    model: Evaluator, source: TextIO, target: TextIO, *, dtype: str, derivatives: bool
) -> int:
    """Read points from CSV with a header that names the inputs, write inputs and outputs.

    Other columns are left out. Returns the number of rows. Raises ValueError naming the line.
    """
    inputs = [v.name for v in model.file.inputs]
    columns = Columns(model, derivatives)
    reader = csv.reader(source, strict=True)
    places = _places(next(reader, []), inputs)
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow([*inputs, *columns.names])
    rows = _points(reader, places)
    count = 0
    while chunk := list(islice(rows, _ROWS_AT_ONCE)):
        x = np.array(chunk, dtype=dtype)
        values = columns.evaluate(x)
        writer.writerows([*point, *row] for point, row in zip(chunk, values.tolist(), strict=True))
        count += len(chunk)
    return count


def _places(header: list[str], inputs: list[str]) -> dict[str, int]:
    names = [name.strip().removeprefix("\ufeff") for name in header]
    for name in inputs:
        if names.count(name) != 1:
            raise ValueError(
                f"line 1 names the columns {', '.join(names) or '(none)'}, expected each of "
                f"{', '.join(inputs)} once"
            )
    return {name: names.index(name) for name in inputs}


def _points(reader: Any, places: dict[str, int]) -> Iterator[list[float]]:
    try:
        for row in reader:
            if not row:
                continue
            where = f"line {reader.line_num}"
            if len(row) <= max(places.values()):
                raise ValueError(f"{where} has {len(row)} columns, fewer than the header")
            yield [number(row[at], f"{where}, column {name!r}") for name, at in places.items()]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num} is not CSV: {error}") from error


def text_stream(binary: Any) -> io.TextIOWrapper:
    """A UTF-8 text stream for CSV over a binary one."""
    return io.TextIOWrapper(binary, encoding="utf-8", newline="")
