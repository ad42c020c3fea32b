"""What the page says about a model, as JSON: names, units, equations, holes, card."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kdpinn_runtime.format import Equation, Factor, ModelFile, Term

_LETTERS = "alpha beta gamma delta epsilon eta theta kappa mu nu xi pi rho sigma tau phi psi omega"
GREEK = dict(zip(_LETTERS.split(), "αβγδεηθκμνξπρστφψω", strict=True))
MULTIPLIED, EVERYWHERE, TABULATED = "multiplied", "everywhere", "tabulated"
_LONG = ("recipe", "versions")
"""Parts of the card that the page folds away."""
_ELSEWHERE = ("title", "holes", "parameters")
_WORDS = {
    "accuracy.rmse": "RMSE",
    "accuracy.rel_l2": "relative L² error",
    "accuracy.rel_l2_fields": "of each field",
    "accuracy.max_abs": "largest error",
    "parent": "made from",
}


def page_facts(file: ModelFile, digest: str, size: int) -> dict[str, Any]:
    """All that the page's script and text need beside the bytes of the file."""
    card = file.card
    return {
        "title": spoken(str(card.get("title") or card.get("problem") or "Model")),
        "digest": digest,
        "bytes": size,
        "weights": file.weight_count,
        "dtype": str(file.dtype),
        "widths": [len(file.input_shift), *(len(layer.bias) for layer in file.layers)],
        "activation": file.layers[0].activation,
        "inputs": [_variable(v) for v in file.inputs],
        "outputs": [_variable(v) for v in file.outputs],
        "pairs": [list(pair) for pair in file.pairs or _pure(file)],
        "equations": [_equation(file, e) for e in file.equations],
        "parameters": [
            {"label": label(p.name), "unit": p.unit, "value": p.value} for p in file.parameters
        ],
        "holes": _holes(file),
        "card": _rows({k: v for k, v in card.items() if k not in (*_LONG, *_ELSEWHERE)}),
        "recipe": _rows({k: card[k] for k in _LONG if k in card}),
    }


def label(name: str) -> str:
    """A name as it is read: ν for nu, what follows an underscore lowered; HTML."""
    head, _, tail = name.partition("_")
    lowered = f"<sub>{html.escape(GREEK.get(tail, tail))}</sub>" if tail else ""
    return html.escape(GREEK.get(head, head)) + lowered


def spoken(text: str) -> str:
    """Text with Greek letters for their names."""
    return re.sub(r"\b[a-z]+\b", lambda word: GREEK.get(word[0], word[0]), text)


def _variable(variable: Any) -> dict[str, Any]:
    return {**vars(variable), "label": label(variable.name)}


def _pure(file: ModelFile) -> list[tuple[int, int]]:
    """Second derivatives to offer where no equation says which: by one input twice."""
    return [(i, i) for i in range(len(file.inputs))]


def _holes(file: ModelFile) -> list[dict[str, Any]]:
    """Disks that the domain leaves out, those that name inputs of this file."""
    names = {v.name for v in file.inputs}
    holes = file.card.get("holes", [])
    known = holes if isinstance(holes, list) else []
    return [h for h in known if isinstance(h, dict) and set(h.get("center", ())) <= names]


def shown(equation: Equation) -> str:
    """Where the page can compute the residual, by the tabulated data that it uses.

    "everywhere": there is none. "multiplied": every term has the same columns as factors, a weight
    of the problem's; the residual without it is known everywhere. "tabulated": a source term, known
    at the points of the baseline only.
    """
    columns = [Counter(f.a for f in t.factors if f.kind == "data") for t in equation.terms]
    if not any(columns):
        return EVERYWHERE
    return MULTIPLIED if all(c == columns[0] for c in columns) else TABULATED


def _equation(file: ModelFile, equation: Equation) -> dict[str, Any]:
    where = shown(equation)
    return {
        "name": equation.name,
        "label": label(equation.name) if len(equation.name) < 4 else html.escape(equation.name),
        "residual": formula(file, equation, without_data=where == MULTIPLIED),
        "limit": equation.limit,
        "shown": where,
    }


def formula(file: ModelFile, equation: Equation, *, without_data: bool = False) -> str:
    """The residual as HTML, e.g. u<sub>t</sub> + u u<sub>x</sub> − ν u<sub>xx</sub>."""
    sizes = {abs(term.coefficient) for term in equation.terms}
    common = sizes.pop() if len(sizes) == 1 else 1.0
    terms = sorted(equation.terms, key=lambda term: _order(file, term))
    text = " ".join(_term(file, term, common, without_data) for term in terms).removeprefix("+ ")
    return text if common == 1.0 else f"{common:.6g} ({text})"


def _order(file: ModelFile, term: Term) -> tuple[int, bool]:
    """Terms stand by the order of their derivatives, those by time first."""
    orders = [{"first": 1, "second": 2}.get(f.kind, 0) for f in term.factors]
    by_time = any(f.kind == "first" and file.inputs[f.b].name == "t" for f in term.factors)
    return max(orders, default=0), not by_time


def _term(file: ModelFile, term: Term, common: float, without_data: bool) -> str:
    kinds = ("parameter", "coordinate", "data", "value", "first", "second")
    factors = sorted(term.factors, key=lambda f: kinds.index(f.kind))
    parts = [_factor(file, f) for f in factors if not (without_data and f.kind == "data")]
    size = abs(term.coefficient) / common
    if size != 1.0 or not parts:
        parts.insert(0, f"{size:.6g}")
    return ("− " if term.coefficient < 0 else "+ ") + " ".join(parts)


def _factor(file: ModelFile, factor: Factor) -> str:
    inputs, outputs = [v.name for v in file.inputs], [v.name for v in file.outputs]
    match factor.kind:
        case "coordinate":
            return label(inputs[factor.a])
        case "value":
            return label(outputs[factor.a])
        case "first":
            return _derivative(outputs[factor.a], [inputs[factor.b]])
        case "second":
            return _derivative(outputs[factor.a], [inputs[i] for i in file.pairs[factor.b]])
        case "parameter":
            return label(file.parameters[factor.a].name)
        case "data":
            return f"data<sub>{factor.a}</sub>"


def _derivative(output: str, by: list[str]) -> str:
    return f"{label(output)}<sub>{' '.join(map(label, by)).replace(' ', '')}</sub>"


def _rows(card: Mapping[str, Any]) -> list[list[str]]:
    return [[_WORDS.get(key, key), text] for key, text in _flat(card)]


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested objects as (dotted key, text)."""
    if not isinstance(value, Mapping):
        yield prefix, ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)
        return
    for key, item in value.items():
        yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {text}" for key, text in _flat(value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
