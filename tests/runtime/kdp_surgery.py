"""Change single bytes of a model file and put the right digest back, with the page's offsets.

The offsets stand here as numbers, as in docs/format.md, not taken from the code under test.
"""

import hashlib
import struct

import pytest

from kdpinn_runtime.format import FormatError, unpack

INPUT, OUTPUT, TENSOR, NORMALIZE, DENSE, SYMMETRY, AFFINE = range(1, 8)
SECOND, PARAMETER, EQUATION, TERM, BASELINE, TARGET, FEATURE, EXACT = range(8, 16)
NAMES = "INPUT OUTPUT TENSOR NORMALIZE DENSE SYMMETRY AFFINE SECOND PARAMETER EQUATION TERM"
KIND_NAMES = dict(enumerate([*NAMES.split(), "BASELINE", "TARGET", "FEATURE", "EXACT"], start=1))


def refusal_of_core(data):
    """Name of the C core's refusal, None if it accepts; skips where the core is not built."""
    core = pytest.importorskip("kdpinn_runtime._core", reason="the C core is not built")
    return core.check(data)


def refusal_of_python(data):
    """Code of the Python reader's refusal, None if it accepts."""
    try:
        unpack(data)
    except FormatError as error:
        return error.code
    return None


READERS = {"python": refusal_of_python, "core": refusal_of_core}


def sealed(data):
    """`data` with the digest of its other bytes in [64, 96)."""
    data = bytes(data)
    return data[:64] + hashlib.sha256(data[:64] + data[96:]).digest() + data[96:]


def put(data, offset, form, value):
    """`data` with one little-endian number (or bytes) at `offset`; the digest is left as it is."""
    raw = value if isinstance(value, bytes) else struct.pack("<" + form, value)
    return data[:offset] + raw + data[offset + len(raw) :]


def sections(data):
    """{name: bytes}, unpadded."""
    found, at = {}, 128
    for name, size in zip(
        ("program", "card", "tensors", "baseline"), struct.unpack_from("<4Q", data, 24), strict=True
    ):
        found[name] = data[at : at + size]
        at += -(-size // 64) * 64
    return found


def start_of(data, name):
    """First byte of a section."""
    at = 128
    for each, content in sections(data).items():
        if each == name:
            return at
        at += -(-len(content) // 64) * 64
    raise KeyError(name)


def rebuilt(data, **changed):
    """`data` with sections exchanged; sizes, padding and digest made right again."""
    parts = sections(data) | changed
    body = b"".join(part + bytes(-len(part) % 64) for part in parts.values())
    sizes = [len(part) for part in parts.values()]
    head = data[:16] + struct.pack("<Q4QQ", 128 + len(body), *sizes, 0) + bytes(64)
    return sealed(head + body)


def records(data):
    """The records of the program, 64 bytes each."""
    program = sections(data)["program"]
    return [program[k : k + 64] for k in range(0, len(program), 64)]


def with_records(data, changed):
    """`data` with the program made of `changed`, a list of records."""
    return rebuilt(data, program=b"".join(changed))


def edit(data, kind, index, offset, form, value):
    """`data`, sealed, with one field of the record `index` of `kind` changed."""
    changed = records(data)
    for place, record in enumerate(changed):
        if struct.unpack_from("<II", record) == (kind, index):
            changed[place] = put(record, offset, form, value)
            return with_records(data, changed)
    raise KeyError(f"no {KIND_NAMES[kind]} record {index}")


def without(data, kind, index=None):
    """`data`, sealed, without one record of `kind`, or without any."""
    drop = {(kind, i) for i in range(4096)} if index is None else {(kind, index)}
    return with_records(
        data, [r for r in records(data) if struct.unpack_from("<II", r) not in drop]
    )


def in_section(data, name, offset, form, value):
    """`data`, sealed, with a number changed inside a section."""
    return sealed(put(data, start_of(data, name) + offset, form, value))
