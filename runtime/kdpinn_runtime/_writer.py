"""Write a model file: the same model gives the same bytes, and a file is whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._baseline import ROLES
from ._card import card_bytes
from ._coordinates import OPERATION_KINDS, CoordinateMap
from ._limits import MAX_FACTORS, MAX_FILE_BYTES, MAX_RECORDS
from ._model_file import ModelFile
from ._parts import ACTIVATIONS, FACTOR_KINDS, Factor, Variable
from ._precision import PRECISIONS, encoded
from ._records import (
    BASELINE_SECTION,
    DIGEST_START,
    DIGEST_STOP,
    MAGIC,
    PREAMBLE,
    TENSORS_SECTION,
    VERSION,
    Kind,
    encode,
    padded,
)
from ._refusals import Problems
from ._symmetry_record import symmetry_fields
from .atomic import replacing

_OWN = {np.dtype(np.float32): "f32", np.dtype(np.float64): "f64"}


class _Section:
    """The bytes of one section of tensors, and the TENSOR records that point into it."""

    def __init__(self, number: int, first_index: int) -> None:
        self.number, self.first_index = number, first_index
        self.data = bytearray()
        self.records: list[bytes] = []

    def add(
        self, array: NDArray[Any], precision: str = "", scale: NDArray[Any] | None = None
    ) -> int:
        """Append a tensor (rows, cols), by default in its own type; its index in the file."""
        index = self.first_index + len(self.records)
        self.data += bytes(padded(len(self.data)) - len(self.data))
        precision = precision or _OWN[array.dtype]
        content = encoded(precision, array, scale)
        rows, cols = array.shape
        self.records.append(
            encode(
                Kind.TENSOR,
                index,
                dtype=PRECISIONS.index(precision) + 1,
                section=self.number,
                rows=rows,
                cols=cols,
                offset=len(self.data),
                bytes=len(content),
            )
        )
        self.data += content
        return index


def pack(file: ModelFile) -> bytes:
    """The bytes of `file` in the layout of docs/format.md.

    Deterministic: the same model gives the same bytes everywhere.
    Raises FormatError (TOO_LARGE) beyond 64 MiB or 4096 records.
    """
    tensors = _Section(TENSORS_SECTION, 0)
    dense = list(_dense_records(file, tensors))
    baseline = _Section(BASELINE_SECTION, len(tensors.records))
    replayed = list(_baseline_records(file, baseline))
    records = [
        *(_variable(Kind.INPUT, index, v) for index, v in enumerate(file.inputs)),
        *(_variable(Kind.OUTPUT, index, v) for index, v in enumerate(file.outputs)),
        *tensors.records,
        *baseline.records,
        *_normalize(file),
        *dense,
        *_symmetry(file),
        *_affine(file),
        *(encode(Kind.SECOND, k, i=i, j=j) for k, (i, j) in enumerate(file.pairs)),
        *_physics_records(file),
        *replayed,
        *(
            encode(Kind.TARGET, k, limit_ms=t.limit_ms, quantile=t.quantile, points=t.points)
            for k, t in enumerate(file.targets)
        ),
        *_operations(Kind.FEATURE, file.features),
        *_operations(Kind.EXACT, file.exact),
    ]
    problems = Problems()
    problems.require(
        len(records) <= MAX_RECORDS,
        "TOO_LARGE",
        f"the program has {len(records)} records, the cap is {MAX_RECORDS}",
    )
    data = assemble(b"".join(records), card_bytes(file.card), tensors.data, baseline.data)
    problems.require(
        len(data) <= MAX_FILE_BYTES,
        "TOO_LARGE",
        f"the file takes {len(data)} bytes, the cap is {MAX_FILE_BYTES}: "
        "store fewer baseline points",
    )
    problems.raise_if_any()
    return data


def assemble(*sections: bytes | bytearray) -> bytes:
    """Preamble with digest, then the four sections, each padded with zeros to 64 bytes."""
    body = b"".join(bytes(s) + bytes(padded(len(s)) - len(s)) for s in sections)
    size = PREAMBLE.size + len(body)
    preamble = PREAMBLE.pack(
        MAGIC, VERSION, PREAMBLE.size, size, *(len(s) for s in sections), 0, bytes(32)
    )
    return seal(preamble + body)


def seal(data: bytes) -> bytes:
    """`data` with the SHA-256 over all its other bytes put into the preamble."""
    digest = content_digest(data)
    return data[:DIGEST_START] + digest + data[DIGEST_STOP:]


def content_digest(data: bytes) -> bytes:
    """SHA-256 over every byte of the file but those of the digest itself, 32 bytes."""
    view = memoryview(data)
    import hashlib  # here: it loads OpenSSL, which takes longer than loading a model

    digest = hashlib.sha256(view[:DIGEST_START])
    digest.update(view[DIGEST_STOP:])
    return digest.digest()


def _variable(kind: Kind, index: int, v: Variable) -> bytes:
    return encode(
        kind, index, name=v.name.encode(), unit=v.unit.encode(), lower=v.lower, upper=v.upper
    )


def _normalize(file: ModelFile) -> Iterator[bytes]:
    columns = zip(file.input_shift, file.input_scale, strict=True)
    for k, (shift, scale) in enumerate(columns):
        operation = file.features.results[k] if file.features else 0
        yield encode(Kind.NORMALIZE, k, shift=float(shift), scale=float(scale), operation=operation)


def _affine(file: ModelFile) -> Iterator[bytes]:
    m = len(file.outputs)
    results = file.exact.results if file.exact else (0,) * (2 * m)
    columns = zip(file.output_shift, file.output_scale, strict=True)
    for k, (shift, scale) in enumerate(columns):
        yield encode(
            Kind.AFFINE,
            k,
            shift=float(shift),
            scale=float(scale),
            base_operation=results[k],
            factor_operation=results[m + k],
        )


def _operations(kind: Kind, program: CoordinateMap | None) -> Iterator[bytes]:
    for index, operation in enumerate(program.operations if program else ()):
        yield encode(
            kind,
            index,
            value=float(operation.value),
            operation=OPERATION_KINDS.index(operation.kind) + 1,
            a=operation.a,
            b=operation.b,
        )


def _dense_records(file: ModelFile, section: _Section) -> Iterator[bytes]:
    for index, (layer, stored) in enumerate(zip(file.layers, file.stored_layers, strict=True)):
        n_out, n_in = layer.weight.shape
        yield encode(
            Kind.DENSE,
            index,
            activation=ACTIVATIONS.index(layer.activation),
            n_in=n_in,
            n_out=n_out,
            weight=section.add(stored.weight, stored.precision, stored.scale),
            bias=section.add(stored.bias[:, None]),
        )


def _symmetry(file: ModelFile) -> Iterator[bytes]:
    if file.symmetry is not None:
        yield encode(Kind.SYMMETRY, 0, **symmetry_fields(file.symmetry))


def _baseline_records(file: ModelFile, section: _Section) -> Iterator[bytes]:
    if file.baseline is None:
        return
    for index, (role, table) in enumerate(file.baseline.tables().items()):
        yield encode(
            Kind.BASELINE,
            index,
            role=ROLES.index(role) + 1,
            tensor=section.add(table),
            limit=float(file.baseline.limits.get(role, 0.0)),
        )


def _physics_records(file: ModelFile) -> Iterator[bytes]:
    for index, parameter in enumerate(file.parameters):
        yield encode(
            Kind.PARAMETER,
            index,
            name=parameter.name.encode(),
            unit=parameter.unit.encode(),
            value=parameter.value,
        )
    for index, equation in enumerate(file.equations):
        yield encode(
            Kind.EQUATION,
            index,
            name=equation.name.encode(),
            terms=len(equation.terms),
            limit=equation.limit,
        )
    terms = [(index, t) for index, equation in enumerate(file.equations) for t in equation.terms]
    for number, (index, term) in enumerate(terms):
        codes = [_factor(factor) for factor in term.factors]
        yield encode(
            Kind.TERM,
            number,
            equation=index,
            factors=len(codes),
            coefficient=term.coefficient,
            factor=codes + [0] * (MAX_FACTORS - len(codes)),
        )


def _factor(factor: Factor) -> int:
    return (FACTOR_KINDS.index(factor.kind) + 1) << 24 | factor.a << 12 | factor.b


def write(path: str | os.PathLike[str], file: ModelFile) -> None:
    """Write `file` to `path`, whole or not at all.

    The bytes go to a sibling file, to the disk, and then take the name `path`: an existing file
    stays as it was until the new one is complete. Raises FormatError as `pack`, and OSError
    (naming the path) when the folder or the disk refuses; nothing half-written stays.
    """
    data = pack(file)
    with replacing(path) as stream:
        stream.write(data)
