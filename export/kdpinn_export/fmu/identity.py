"""What both model descriptions say alike, and the helpers to write it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from kdpinn_runtime._core import version
from kdpinn_runtime.format import ModelFile

from .options import FmuOptions
from .units import base_unit
from .variables import FmuVariable

GENERATOR = f"kdpinn {version()}"
CATEGORIES = {
    "logStatusWarning": "the inputs leave the domain (with debug logging alone)",
    "logStatusDiscard": "an output could not be computed",
    "logStatusError": "a call was refused",
}
KEYWORDS = """
    auto break case char const continue default do double else enum extern float for goto if inline
    int long register restrict return short signed sizeof static struct switch typedef union
    unsigned void volatile while
"""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who an FMU is.

    name: for people; identifier: a name in C, of the binaries; token: binds binaries and model
    description to each other and to the model's digest.
    """

    name: str
    identifier: str
    token: str
    digest: str

    @property
    def description(self) -> str:
        """One sentence for tools that list their models."""
        return f"kdpinn model {self.name}, SHA-256 {self.digest}"


def identifier_of(name: str) -> str:
    """`name` as an identifier in C."""
    text = re.sub(r"\W", "_", name, flags=re.ASCII) or "model"
    return f"model_{text}" if text[0].isdigit() or text in KEYWORDS.split() else text


def experiment(model: ModelFile, options: FmuOptions) -> dict[str, str]:
    """Attributes of the default experiment: the model's own span of time, or 1 s."""
    start, stop = 0.0, 1.0
    if options.time:
        clock = model.inputs[options.time_input(model)]
        start, stop = clock.lower, clock.upper
    return attributes(startTime=start, stopTime=stop, stepSize=(stop - start) / 100)


def attributes(**given: Any) -> dict[str, str]:
    """XML attributes of what is neither None nor empty; numbers so that they read back exactly."""
    return {
        name: _text(value) for name, value in given.items() if value is not None and value != ""
    }


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def add_units(parent: ElementTree.Element, variables: Sequence[FmuVariable]) -> None:
    """The definitions of all units that are used, if any."""
    units = list(dict.fromkeys(v.unit for v in variables if v.unit))
    if not units:
        return
    definitions = ElementTree.SubElement(parent, "UnitDefinitions")
    for name in units:
        unit = ElementTree.SubElement(definitions, "Unit", name=name)
        known = base_unit(name)
        if known is not None:
            scaled = {} if known.factor == 1 else {"factor": known.factor}
            moved = {"offset": known.offset} if known.offset else {}
            ElementTree.SubElement(
                unit, "BaseUnit", attributes(**known.exponents, **scaled, **moved)
            )


def add_categories(parent: ElementTree.Element) -> None:
    """The categories of messages."""
    categories = ElementTree.SubElement(parent, "LogCategories")
    for name, description in CATEGORIES.items():
        ElementTree.SubElement(categories, "Category", name=name, description=description)


def xml_bytes(root: ElementTree.Element) -> bytes:
    """The document, indented, with its declaration; equal trees give equal bytes."""
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text + b"\n"
