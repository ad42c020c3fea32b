"""Read the tensors, and make the parts that hold them: layers and baseline."""

from __future__ import annotations

from typing import Any, NamedTuple

from numpy.typing import NDArray

from ._baseline import LIMITED_ROLES, ROLES, Baseline
from ._layer import Layer
from ._limits import MAX_BASELINE_POINTS, MAX_WIDTH
from ._parts import ACTIVATIONS
from ._precision import INTEGER_BITS, PRECISIONS, decoded, packed_bytes, tensor_bytes
from ._program import Fields, Program
from ._records import BASELINE_SECTION, TENSORS_SECTION, padded
from ._refusals import FormatError, Problems


class Tensor(NamedTuple):
    """Values (rows, cols), the type they are stored in, and scales (rows,) of an integer type."""

    values: NDArray[Any]
    precision: str
    scale: NDArray[Any] | None


Tensors = list[Tensor]

_UNLIMITED = {number for number, role in enumerate(ROLES, start=1) if role not in LIMITED_ROLES}


def parse_tensors(program: Program, tensors: bytes, baseline: bytes) -> Tensors:
    """Every tensor of the program, by index; floats as views of their section.

    Raises FormatError (PADDING, TENSOR, DTYPE).
    """
    sections = (tensors, baseline)
    problems, ends = Problems(), [0, 0]
    for index, fields in enumerate(program.tensors):
        if fields["section"] >= len(sections):
            problems.add(
                "TENSOR", f"tensor {index} lies in section {fields['section']}, expected 0 or 1"
            )
            continue
        _check_dtype(problems, index, fields)
        section = sections[fields["section"]]
        _check_place(problems, index, fields, ends[fields["section"]], section)
        ends[fields["section"]] = fields["offset"] + fields["bytes"]
    for number, (section, end) in enumerate(zip(sections, ends, strict=True)):
        problems.require(
            len(section) == end,
            "TENSOR",
            f"section {number} has {len(section)} bytes, its tensors end at byte {end}",
        )
    problems.raise_if_any()
    for index, fields in enumerate(program.tensors):
        _check_filling(problems, index, fields, sections[fields["section"]])
    problems.raise_if_any()
    return [_tensor(fields, sections[fields["section"]]) for fields in program.tensors]


def _check_dtype(problems: Problems, index: int, fields: Fields) -> None:
    code = fields["dtype"]
    if not 1 <= code <= len(PRECISIONS):
        known = ", ".join(f"{k} ({name})" for k, name in enumerate(PRECISIONS, start=1))
        problems.add(
            "DTYPE",
            f"tensor {index} has the number type {code}, this runtime reads {known}: update it, or "
            "export the model in one of them",
        )
        return
    rows, cols, size = fields["rows"], fields["cols"], fields["bytes"]
    problems.require(
        rows <= MAX_BASELINE_POINTS and cols <= MAX_WIDTH,
        "TOO_LARGE",
        f"tensor {index} has the shape ({rows}, {cols}), the caps are "
        f"({MAX_BASELINE_POINTS}, {MAX_WIDTH})",
    )
    expected = tensor_bytes(PRECISIONS[code - 1], rows, cols)
    problems.require(
        rows > 0 and cols > 0 and size == expected,
        "TENSOR",
        f"tensor {index} of shape ({rows}, {cols}), {PRECISIONS[code - 1]}, claims {size} bytes, "
        f"expected {expected} > 0",
    )


def _check_place(problems: Problems, index: int, fields: Fields, end: int, section: bytes) -> None:
    start, stop = fields["offset"], fields["offset"] + fields["bytes"]
    where = f"tensor {index} claims bytes [{start}, {stop}) of section {fields['section']}"
    problems.require(
        start == padded(end), "TENSOR", f"{where}, expected to start at byte {padded(end)}"
    )
    problems.require(
        stop <= len(section), "TENSOR", f"{where}, which has {len(section)}: it was cut off"
    )
    if start == padded(end):
        problems.require(
            not any(section[end:start]),
            "PADDING",
            f"bytes [{end}, {start}) of section {fields['section']} are not all zero",
        )


def _check_use(
    problems: Problems, program: Program, section: int, used: list[int], code: str
) -> None:
    """A section's tensors are used in order, each once: no hidden content, one way to store."""
    stored = [k for k, fields in enumerate(program.tensors) if fields["section"] == section]
    problems.require(
        used == stored,
        code,
        f"the tensors {used} are used, section {section} holds {stored}: expected each one once "
        "and in order",
    )


def _check_filling(problems: Problems, index: int, fields: Fields, section: bytes) -> None:
    """Codes that end within a byte leave its highest bits 0."""
    bits = INTEGER_BITS.get(PRECISIONS[fields["dtype"] - 1])
    if bits is None:
        return
    count = fields["rows"] * fields["cols"]
    free = 8 * packed_bytes(count, bits) - count * bits
    last = section[fields["offset"] + fields["bytes"] - 1]
    problems.require(
        last >> (8 - free) == 0,
        "PADDING",
        f"the last byte of tensor {index} is {last}, expected its highest {free} bits to be 0",
    )


def _tensor(fields: Fields, section: bytes) -> Tensor:
    precision, shape = PRECISIONS[fields["dtype"] - 1], (fields["rows"], fields["cols"])
    data = memoryview(section)[fields["offset"] : fields["offset"] + fields["bytes"]]
    values, scale = decoded(precision, data, shape)
    return Tensor(values, precision, scale)


def build_layers(problems: Problems, program: Program, tensors: Tensors) -> tuple[Layer, ...]:
    """The layers that can be made; what is wrong with the others is noted."""
    made = []
    used = [fields[name] for fields in program.dense for name in ("weight", "bias")]
    _check_use(problems, program, TENSORS_SECTION, used, "LAYER")
    for index, fields in enumerate(program.dense):
        try:
            made.append(_layer(fields, _shape(program, index), program.tensors, tensors))
        except FormatError as error:
            problems.extend(error, f"layer {index}")
    if program.symmetry is None or len(made) < max(2, len(program.dense)):
        return tuple(made)
    return program.symmetry.expand(made)


def _shape(program: Program, index: int) -> tuple[int, int]:
    """Rows and columns of a layer's weight: of tied layers only the free part is stored."""
    n_out, n_in = program.dense[index]["n_out"], program.dense[index]["n_in"]
    order = program.symmetry.order if program.symmetry is not None else 1
    if index == len(program.dense) - 1:
        if index == 0:
            return n_out, n_in
        before = program.dense[index - 1]["n_out"]
        if n_in != before:  # the shape of the free part may not show it
            raise FormatError("LAYER", f"it takes {n_in} values, the layer before gives {before}")
        return n_out, n_in // order
    if n_out % order:
        raise FormatError(
            "SYMMETRY", f"it gives {n_out} values, expected a multiple of the {order} copies"
        )
    return n_out // order, n_in


def _layer(
    fields: Fields, shape: tuple[int, int], records: list[Fields], tensors: Tensors
) -> Layer:
    problems = Problems()
    n_out = fields["n_out"]
    problems.require(
        n_out <= MAX_WIDTH, "TOO_LARGE", f"it gives {n_out} values, the cap is {MAX_WIDTH}"
    )
    for role, cols in (("weight", shape[1]), ("bias", 1)):
        index = fields[role]
        found = tensors[index].values.shape if index < len(tensors) else None
        section = records[index]["section"] if index < len(tensors) else None
        problems.require(
            found == (shape[0], cols) and section == TENSORS_SECTION,
            "LAYER",
            f"the {role} is tensor {index} of shape {found} in section {section}, expected "
            f"({shape[0]}, {cols}) in section {TENSORS_SECTION}",
        )
    problems.require(
        fields["activation"] < len(ACTIVATIONS),
        "LAYER",
        f"the activation is {fields['activation']}, this runtime knows 0 .. "
        f"{len(ACTIVATIONS) - 1} ({', '.join(ACTIVATIONS)}): update it",
    )
    problems.raise_if_any()
    weight, bias = tensors[fields["weight"]], tensors[fields["bias"]]
    problems.require(
        bias.scale is None and bias.precision != "f16",
        "LAYER",
        f"the bias is stored as {bias.precision}, expected f32 or f64",
    )
    problems.raise_if_any()
    return Layer(
        weight=weight.values,
        bias=bias.values[:, 0],
        activation=ACTIVATIONS[fields["activation"]],
        precision=weight.precision,
        scale=weight.scale,
    )


def build_baseline(problems: Problems, program: Program, tensors: Tensors) -> Baseline | None:
    """The baseline, or None where the file has none; what is wrong with it is noted."""
    found = Problems()
    used = [fields["tensor"] for fields in program.baseline]
    _check_use(found, program, BASELINE_SECTION, used, "BASELINE")
    if not program.baseline and not found:
        return None
    roles = [fields["role"] for fields in program.baseline]
    found.require(
        all(1 <= role <= len(ROLES) for role in roles) and roles == sorted(set(roles)),
        "BASELINE",
        f"the tables have the roles {roles}, expected ascending ones of 1 .. {len(ROLES)}",
    )
    tables: dict[str, NDArray[Any]] = {}
    limits: dict[str, float] = {}
    for index, fields in enumerate(program.baseline):
        _check_table(found, index, fields, program.tensors)
        if found:
            continue
        role = ROLES[fields["role"] - 1]
        tables[role] = tensors[fields["tensor"]].values
        if role in LIMITED_ROLES:
            limits[role] = fields["limit"]
    found.require(
        bool(found) or {"points", "expected"} <= tables.keys(),
        "BASELINE",
        f"there are tables for {sorted(tables)}, expected at least points and expected",
    )
    try:
        found.raise_if_any("baseline")
        return Baseline(**tables, limits=limits)
    except FormatError as error:
        problems.extend(error)
        return None


def _check_table(problems: Problems, index: int, fields: Fields, records: list[Fields]) -> None:
    tensor = fields["tensor"]
    record = records[tensor] if tensor < len(records) else {"section": None, "dtype": None}
    problems.require(
        record["section"] == BASELINE_SECTION and record["dtype"] == 2,
        "BASELINE",
        f"table {index} is tensor {tensor} of number type {record['dtype']} in section "
        f"{record['section']}, expected number type 2 (f64) in section {BASELINE_SECTION}",
    )
    problems.require(
        fields["role"] not in _UNLIMITED or fields["limit"] == 0.0,
        "VALUE",
        f"table {index} has the limit {fields['limit']}, expected 0: points and data are not "
        "compared",
    )
