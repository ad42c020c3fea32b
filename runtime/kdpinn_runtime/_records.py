"""Binary layout of the preamble and of the program's records, version 1, little-endian."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Any

from ._limits import (
    MAX_EQUATIONS,
    MAX_FACTORS,
    MAX_FEATURES,
    MAX_GENERATORS,
    MAX_INPUTS,
    MAX_LAYERS,
    MAX_OPERATIONS,
    MAX_OUTPUTS,
    MAX_PAIRS,
    MAX_PARAMETERS,
    MAX_ROLES,
    MAX_TARGETS,
    MAX_TERMS,
    NAME_BYTES,
    UNIT_BYTES,
)

MAGIC = b"\x89KDP\r\n\x1a\n"
VERSION = 1
ALIGNMENT = 64
RECORD_BYTES = 64
PREAMBLE = struct.Struct("<8sII6Q32s32x")
"""magic, version, preamble size, file size, four section sizes, reserved, SHA-256, zeros."""
DIGEST_START, DIGEST_STOP = 64, 96
RESERVED_START = 56
SECTIONS = ("program", "card", "tensors", "baseline")

TENSORS_SECTION, BASELINE_SECTION = 0, 1


class Kind(IntEnum):
    """Kinds of records, in the order in which they stand in the program."""

    INPUT = 1
    OUTPUT = 2
    TENSOR = 3
    NORMALIZE = 4
    DENSE = 5
    SYMMETRY = 6
    AFFINE = 7
    SECOND = 8
    PARAMETER = 9
    EQUATION = 10
    TERM = 11
    BASELINE = 12
    TARGET = 13
    FEATURE = 14
    EXACT = 15


_NAME = ("name", 8, f"{NAME_BYTES}s")
_UNIT = ("unit", 32, f"{UNIT_BYTES}s")

_OPERATION = (("value", 8, "d"), ("operation", 16, "I"), ("a", 20, "I"), ("b", 24, "I"))

FIELDS: dict[Kind, tuple[tuple[str, int, str], ...]] = {
    Kind.INPUT: (_NAME, _UNIT, ("lower", 48, "d"), ("upper", 56, "d")),
    Kind.OUTPUT: (_NAME, _UNIT, ("lower", 48, "d"), ("upper", 56, "d")),
    Kind.TENSOR: (
        ("dtype", 8, "I"),
        ("section", 12, "I"),
        ("rows", 16, "Q"),
        ("cols", 24, "Q"),
        ("offset", 32, "Q"),
        ("bytes", 40, "Q"),
    ),
    Kind.NORMALIZE: (("shift", 8, "d"), ("scale", 16, "d"), ("operation", 24, "I")),
    Kind.DENSE: (
        ("activation", 8, "I"),
        ("n_in", 12, "I"),
        ("n_out", 16, "I"),
        ("weight", 20, "I"),
        ("bias", 24, "I"),
    ),
    Kind.SYMMETRY: (
        ("generators", 8, "I"),
        ("elements", 12, "I"),
        ("signs", 16, f"{MAX_GENERATORS}H"),
        ("sources", 24, f"{MAX_GENERATORS}Q"),
        ("characters", 56, "Q"),
    ),
    Kind.AFFINE: (
        ("scale", 8, "d"),
        ("shift", 16, "d"),
        ("base_operation", 24, "I"),
        ("factor_operation", 28, "I"),
    ),
    Kind.SECOND: (("i", 8, "I"), ("j", 12, "I")),
    Kind.PARAMETER: (_NAME, _UNIT, ("value", 48, "d")),
    Kind.EQUATION: (_NAME, ("terms", 32, "I"), ("limit", 40, "d")),
    Kind.TERM: (
        ("equation", 8, "I"),
        ("factors", 12, "I"),
        ("coefficient", 16, "d"),
        ("factor", 24, f"{MAX_FACTORS}I"),
    ),
    Kind.BASELINE: (("role", 8, "I"), ("tensor", 12, "I"), ("limit", 16, "d")),
    Kind.TARGET: (("limit_ms", 8, "d"), ("quantile", 16, "d"), ("points", 24, "Q")),
    Kind.FEATURE: _OPERATION,
    Kind.EXACT: _OPERATION,
}
"""Kind -> (field, offset in the record, struct format). Every record starts with kind, index."""


CAPS = {
    Kind.INPUT: MAX_INPUTS,
    Kind.OUTPUT: MAX_OUTPUTS,
    Kind.TENSOR: 2 * MAX_LAYERS + MAX_ROLES,
    Kind.NORMALIZE: MAX_FEATURES,
    Kind.DENSE: MAX_LAYERS,
    Kind.SYMMETRY: 1,
    Kind.AFFINE: MAX_OUTPUTS,
    Kind.SECOND: MAX_PAIRS,
    Kind.PARAMETER: MAX_PARAMETERS,
    Kind.EQUATION: MAX_EQUATIONS,
    Kind.TERM: MAX_TERMS,
    Kind.BASELINE: MAX_ROLES,
    Kind.TARGET: MAX_TARGETS,
    Kind.FEATURE: MAX_OPERATIONS,
    Kind.EXACT: MAX_OPERATIONS,
}
"""Kind -> most records of it."""


def _used_bytes(kind: Kind) -> frozenset[int]:
    used = set(range(8))
    for _, offset, code in FIELDS[kind]:
        used |= set(range(offset, offset + struct.calcsize("<" + code)))
    return frozenset(used)


_UNUSED = {kind: sorted(set(range(RECORD_BYTES)) - _used_bytes(kind)) for kind in Kind}


def padded(size: int) -> int:
    """`size` rounded up to the next multiple of 64."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def encode(kind: Kind, index: int, **values: Any) -> bytes:
    """One record of 64 bytes. Names and units are bytes, fields of several numbers lists."""
    record = bytearray(RECORD_BYTES)
    struct.pack_into("<II", record, 0, kind, index)
    for name, offset, code in FIELDS[kind]:
        value = values.pop(name)
        struct.pack_into(
            "<" + code, record, offset, *(value if isinstance(value, list) else (value,))
        )
    if values:
        raise TypeError(f"a {kind.name} record has no fields {sorted(values)}")
    return bytes(record)


def decode(kind: Kind, record: bytes) -> dict[str, Any]:
    """The fields of one record of 64 bytes; the inverse of `encode`."""
    values: dict[str, Any] = {}
    for name, offset, code in FIELDS[kind]:
        found = struct.unpack_from("<" + code, record, offset)
        values[name] = found if len(found) > 1 else found[0]
    return values


def stray_byte(kind: Kind, record: bytes) -> int | None:
    """Offset of the first unused byte of the record that is not zero, or None."""
    return next((offset for offset in _UNUSED[kind] if record[offset]), None)
