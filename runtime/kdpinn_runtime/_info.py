"""What a model file says about itself, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ._map_text import map_texts
from ._model_file import ModelFile
from ._parts import Equation, Factor, Term
from ._symmetry import Generator
from ._text import aligned, plain


def derivative_name(field: str, *by: str) -> str:
    """u_x, u_xt; with longer names u_theta, u_theta_theta."""
    separator = "" if all(len(name) == 1 for name in by) else "_"
    return f"{field}_{separator.join(by)}"


def formula(file: ModelFile, equation: Equation) -> str:
    """The residual of `equation` as text, e.g. u_t + u*u_x - nu*u_xx."""
    text = " ".join(_term(file, term) for term in equation.terms)
    return text.removeprefix("+ ")


def _term(file: ModelFile, term: Term) -> str:
    factors = [_factor(file, factor) for factor in term.factors]
    size = abs(term.coefficient)
    if size != 1.0 or not factors:
        factors.insert(0, f"{size:.17g}")
    return ("- " if term.coefficient < 0 else "+ ") + "*".join(factors)


def _factor(file: ModelFile, factor: Factor) -> str:
    inputs, outputs = [v.name for v in file.inputs], [v.name for v in file.outputs]
    if factor.kind == "coordinate":
        return inputs[factor.a]
    if factor.kind == "value":
        return outputs[factor.a]
    if factor.kind == "first":
        return derivative_name(outputs[factor.a], inputs[factor.b])
    if factor.kind == "second":
        i, j = file.pairs[factor.b]
        return derivative_name(outputs[factor.a], inputs[i], inputs[j])
    if factor.kind == "parameter":
        return file.parameters[factor.a].name
    return f"data[{factor.a}]"


def symmetry_text(file: ModelFile, generator: Generator) -> str:
    """What a generator says of the outputs, e.g. u(-x, t) = -u(x, t).

    With features or exact conditions it is said of the network alone, on its own inputs.
    """
    own = file.features is not None or file.exact is not None
    names, moved = [v.name for v in file.inputs], []
    if file.features is not None:
        names = [f"f{k}" for k in range(len(file.input_shift))]
    for sign, source in zip(generator.signs, generator.order, strict=True):
        middle = 2 * file.input_shift[source]
        reflected = f"{middle:g} - {names[source]}" if middle else f"-{names[source]}"
        moved.append(names[source] if sign > 0 else reflected)
    given, taken = ", ".join(moved), ", ".join(names)
    return "; ".join(
        f"{name}({given}) = {'-' if sign < 0 else ''}{name}({taken})"
        for name, sign in zip(
            [f"network of {v.name}" if own else v.name for v in file.outputs],
            generator.outputs,
            strict=True,
        )
    )


def describe(file: ModelFile, digest: str, size: int) -> dict[str, Any]:
    """Everything but the tensors, ready for JSON; `size` is that of the file in bytes."""
    names = [v.name for v in file.inputs]
    widths = [len(file.input_shift), *(len(layer.bias) for layer in file.layers)]
    described: dict[str, Any] = {
        "digest": digest,
        "bytes": size,
        "inputs": [vars(v) for v in file.inputs],
        "outputs": [vars(v) for v in file.outputs],
        "widths": widths,
        "activations": [layer.activation for layer in file.layers],
        "dtype": str(file.dtype),
        "precisions": list(file.precisions),
        "weights": file.weight_count,
        "weight_bytes": file.weight_bytes,
        "symmetry": [
            symmetry_text(file, g) for g in (file.symmetry.generators if file.symmetry else ())
        ],
        "features": map_texts(file.features, names) if file.features else [],
        "exact": _exact(file, names),
        "parameters": [p._asdict() for p in file.parameters],
        "equations": [
            {"name": e.name, "residual": formula(file, e), "limit": e.limit} for e in file.equations
        ],
        "targets": [vars(t) for t in file.targets],
        "baseline": None,
        "card": file.card,
    }
    if file.baseline is not None:
        described["baseline"] = {
            "points": len(file.baseline.points),
            "tables": list(file.baseline.tables()),
            "limits": dict(file.baseline.limits),
        }
    return described


def _exact(file: ModelFile, names: list[str]) -> list[dict[str, str]]:
    if file.exact is None:
        return []
    texts, m = map_texts(file.exact, names), len(file.outputs)
    return [
        {"output": v.name, "base": texts[k], "factor": texts[m + k]}
        for k, v in enumerate(file.outputs)
    ]


def as_text(described: Mapping[str, Any]) -> str:
    """The same for people, one fact per line."""
    return aligned([(key, value) for key, value in _lines(described)])


def _lines(d: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "digest", d["digest"]
    yield "file", f"{d['bytes']} bytes"
    precisions = list(dict.fromkeys(d["precisions"]))
    stored = precisions[0] if len(precisions) == 1 else ", ".join(d["precisions"])
    yield "weights", f"{d['weights']} in {stored}: {d['weight_bytes']} bytes with scales and biases"
    yield "network", "-".join(map(str, d["widths"])) + f", {d['activations'][0]}"
    for symmetry in d["symmetry"]:
        yield "symmetry", symmetry
    for feature in d["features"]:
        yield "feature", feature
    for output in d["exact"]:
        yield "exact", f"{output['output']} = {output['base']} + ({output['factor']})*network"
    for what in ("input", "output"):
        for v in d[f"{what}s"]:
            span = f"{v['name']} in [{v['lower']:g}, {v['upper']:g}] {v['unit']}"
            yield what, span.rstrip()
    for p in d["parameters"]:
        yield "parameter", f"{p['name']} = {p['value']:.17g} {p['unit']}".rstrip()
    for e in d["equations"]:
        yield "equation", f"{e['name']}: {e['residual']} = 0, RMS at most {e['limit']:.4g}"
    for t in d["targets"]:
        share = f"p{100 * t['quantile']:g}"
        yield "target", f"{t['points']} points: {share} at most {t['limit_ms']:g} ms"
    if d["baseline"] is not None:
        limits = "".join(f", {role} {x:.4g}" for role, x in d["baseline"]["limits"].items())
        yield "baseline", f"{d['baseline']['points']} points; limits{limits.removeprefix(',')}"
    for key, value in _flat(d["card"]):
        yield "card", f"{key}: {value}"


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested objects as (dotted key, text); lists stay in one line."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flat(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, plain(str(value))
