"""Read the program: its records, then the parts that need no tensor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ._coordinates import OPERATION_KINDS, CoordinateMap, Operation
from ._limits import MAX_FACTORS
from ._parts import FACTOR_KINDS, Equation, Factor, Parameter, Target, Term, Variable
from ._records import CAPS, RECORD_BYTES, Kind, decode, stray_byte
from ._refusals import FormatError, Problems
from ._symmetry import Symmetry
from ._symmetry_record import parse_symmetry

Fields = dict[str, Any]
Records = dict[Kind, list[Fields]]
Affine = tuple[NDArray[np.float64], NDArray[np.float64]]
Part = TypeVar("Part")

_RESULTS: tuple[tuple[Kind, Kind, tuple[str, ...]], ...] = (
    (Kind.FEATURE, Kind.NORMALIZE, ("operation",)),
    (Kind.EXACT, Kind.AFFINE, ("base_operation", "factor_operation")),
)
"""Operations of a map, and the records and fields that name its results."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """The program, parts made where they need no tensor; the rest as fields of the records."""

    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    input_affine: Affine
    output_affine: Affine
    pairs: tuple[tuple[int, int], ...]
    parameters: tuple[Parameter, ...]
    equations: tuple[Equation, ...]
    targets: tuple[Target, ...]
    features: CoordinateMap | None
    exact: CoordinateMap | None
    symmetry: Symmetry | None
    tensors: list[Fields]
    dense: list[Fields]
    baseline: list[Fields]


def parse_program(data: bytes) -> Program:
    """The program section. Raises FormatError (PADDING, RECORD, NAME, ...)."""
    records = _split(data)
    problems = Problems()
    for kind in (Kind.INPUT, Kind.OUTPUT, Kind.PARAMETER, Kind.EQUATION):
        for index, fields in enumerate(records[kind]):
            for name in {"name", "unit"} & fields.keys():
                fields[name] = _text(problems, fields[name], f"{name} of {kind.name} {index}")
    problems.raise_if_any()
    program = Program(
        inputs=_parts(problems, records[Kind.INPUT], "INPUT", lambda f: Variable(**f)),
        outputs=_parts(problems, records[Kind.OUTPUT], "OUTPUT", lambda f: Variable(**f)),
        input_affine=_affine(records[Kind.NORMALIZE]),
        output_affine=_affine(records[Kind.AFFINE]),
        pairs=tuple((fields["i"], fields["j"]) for fields in records[Kind.SECOND]),
        parameters=tuple(Parameter(**fields) for fields in records[Kind.PARAMETER]),
        equations=_equations(problems, records[Kind.EQUATION], records[Kind.TERM]),
        targets=_parts(problems, records[Kind.TARGET], "TARGET", lambda f: Target(**f)),
        features=_map(problems, records, *_RESULTS[0]),
        exact=_map(problems, records, *_RESULTS[1]),
        symmetry=parse_symmetry(
            problems,
            records[Kind.SYMMETRY],
            len(records[Kind.NORMALIZE]),
            len(records[Kind.OUTPUT]),
        ),
        tensors=records[Kind.TENSOR],
        dense=records[Kind.DENSE],
        baseline=records[Kind.BASELINE],
    )
    problems.raise_if_any()
    return program


def _split(data: bytes) -> Records:
    """Fields of the records by kind; kinds, order, indices, unused bytes and counts checked."""
    records: Records = {kind: [] for kind in Kind}
    problems, previous = Problems(), 0
    for number in range(len(data) // RECORD_BYTES):
        record = data[number * RECORD_BYTES : (number + 1) * RECORD_BYTES]
        code, index = (int.from_bytes(record[at : at + 4], "little") for at in (0, 4))
        if code not in Kind._value2member_map_:
            problems.add("RECORD", f"record {number} is of the unknown kind {code}")
            continue
        kind = Kind(code)
        expected = len(records[kind])
        if kind < previous:
            problems.add(
                "RECORD",
                f"record {number} is of kind {code} after one of kind {previous}: not ascending",
            )
        elif index != expected:
            problems.add(
                "RECORD",
                f"record {number}, {kind.name}, has the index {index}, expected {expected}",
            )
        else:
            _check_unused(problems, number, kind, record)
        records[kind].append(decode(kind, record))
        previous = kind
    _check_partners(problems, records)
    _check_references(problems, records)
    problems.raise_if_any()
    return records


def _check_references(problems: Problems, records: Records) -> None:
    """Where a program has no map, nothing may refer to it."""
    for kind, owner, names in _RESULTS:
        for index, fields in enumerate(records[owner]):
            stray = [name for name in names if fields[name] and not records[kind]]
            problems.require(
                not stray,
                "PADDING",
                f"{owner.name} {index} has {' and '.join(stray)}, the program has no {kind.name} "
                "record for it",
            )


def _check_unused(problems: Problems, number: int, kind: Kind, record: bytes) -> None:
    stray = stray_byte(kind, record)
    problems.require(
        stray is None,
        "PADDING",
        f"record {number}, {kind.name}, has a non-zero byte at {stray}, which it does not use",
    )
    if kind is Kind.TERM:
        fields = decode(kind, record)
        problems.require(
            not any(fields["factor"][fields["factors"] :]),
            "PADDING",
            f"record {number}, TERM, has a non-zero factor after its {fields['factors']}",
        )


def _check_partners(problems: Problems, records: Records) -> None:
    for kind, cap in CAPS.items():
        problems.require(
            len(records[kind]) <= cap,
            "RECORD",
            f"{len(records[kind])} {kind.name} records, the cap is {cap}",
        )
    for kind in (Kind.INPUT, Kind.OUTPUT, Kind.NORMALIZE, Kind.DENSE):
        problems.require(len(records[kind]) > 0, "RECORD", f"the program has no {kind.name} record")
    partners = [(Kind.AFFINE, Kind.OUTPUT)]
    if not records[Kind.FEATURE]:
        partners.append((Kind.NORMALIZE, Kind.INPUT))
    for kind, partner in partners:
        problems.require(
            len(records[kind]) == len(records[partner]),
            "RECORD",
            f"{len(records[kind])} {kind.name} records for {len(records[partner])} "
            f"{partner.name} records, expected one for each",
        )


def _text(problems: Problems, raw: bytes, what: str) -> str:
    content, zero, rest = raw.partition(b"\0")
    if not zero or any(rest):
        problems.add("NAME", f"{what} is {raw!r}, expected text padded with zeros")
    try:
        return content.decode()
    except UnicodeDecodeError:
        problems.add("NAME", f"{what} is {content!r}, which is not UTF-8")
        return ""


def _parts(
    problems: Problems, records: list[Fields], what: str, make: Callable[[Fields], Part]
) -> tuple[Part, ...]:
    """The parts that can be made; the problems of the others are noted."""
    made = []
    for index, fields in enumerate(records):
        try:
            made.append(make(fields))
        except FormatError as error:
            problems.extend(error, f"{what} {index}")
    return tuple(made)


def _affine(records: list[Fields]) -> Affine:
    shift = np.array([fields["shift"] for fields in records], dtype=np.float64)
    scale = np.array([fields["scale"] for fields in records], dtype=np.float64)
    return shift, scale


def _map(
    problems: Problems, records: Records, kind: Kind, owner: Kind, names: tuple[str, ...]
) -> CoordinateMap | None:
    """The map whose operations are of `kind` and whose results `owner` names; None without one."""
    if not records[kind]:
        return None
    operations = _parts(problems, records[kind], kind.name, _operation)
    if len(operations) < len(records[kind]):
        return None
    results = tuple(fields[name] for name in names for fields in records[owner])
    try:
        return CoordinateMap(operations, results)
    except FormatError as error:
        problems.extend(error, kind.name)
        return None


def _operation(fields: Fields) -> Operation:
    number = fields["operation"]
    if not 1 <= number <= len(OPERATION_KINDS):
        raise FormatError("MAP", f"it is of kind {number}, expected 1 .. {len(OPERATION_KINDS)}")
    kind = OPERATION_KINDS[number - 1]
    return Operation(kind=kind, a=fields["a"], b=fields["b"], value=fields["value"])


def _equations(
    problems: Problems, equations: list[Fields], terms: list[Fields]
) -> tuple[Equation, ...]:
    owners = (
        [index for index, fields in enumerate(equations) for _ in range(fields["terms"])]
        if (sum(fields["terms"] for fields in equations) == len(terms))
        else None
    )
    if owners is None or owners != [fields["equation"] for fields in terms]:
        problems.add(
            "RESIDUAL",
            f"the equations claim {[fields['terms'] for fields in equations]} terms, the "
            f"{len(terms)} TERM records do not follow them in this order",
        )
        return ()
    made = _parts(problems, terms, "TERM", _term)
    if len(made) < len(terms):
        return ()
    own = {
        index: [term for term, owner in zip(made, owners, strict=True) if owner == index]
        for index in range(len(equations))
    }
    numbered = [{**fields, "terms": own[index]} for index, fields in enumerate(equations)]
    return _parts(problems, numbered, "EQUATION", lambda fields: Equation(**fields))


def _term(fields: Fields) -> Term:
    count = fields["factors"]
    if count > MAX_FACTORS:
        raise FormatError("RESIDUAL", f"claims {count} factors, at most {MAX_FACTORS} fit")
    factors = tuple(_factor(code) for code in fields["factor"][:count])
    return Term(coefficient=fields["coefficient"], factors=factors)


def _factor(code: int) -> Factor:
    number = code >> 24
    if not 1 <= number <= len(FACTOR_KINDS):
        raise FormatError(
            "RESIDUAL", f"a factor is of class {number}, expected 1 .. {len(FACTOR_KINDS)}"
        )
    return Factor(kind=FACTOR_KINDS[number - 1], a=code >> 12 & 0xFFF, b=code & 0xFFF)
