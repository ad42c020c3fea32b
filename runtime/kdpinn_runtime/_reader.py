"""Read a model file and trust nothing in it.

The checks run in the order of `REFUSALS`: first the frame (sizes, digest), then the program's
records one by one, then the tensors, then the model as a whole. Every check of one stage runs
before the stage's problems are raised together. What a part can say about itself is checked by
the part (`_parts`, `_model_file`), so that a model made in memory obeys the same rules.
"""

from __future__ import annotations

import os

from ._card import parse_card
from ._limits import MAX_CARD_BYTES, MAX_FILE_BYTES, MAX_RECORDS
from ._model_file import ModelFile
from ._program import Program, parse_program
from ._records import (
    DIGEST_START,
    DIGEST_STOP,
    MAGIC,
    PREAMBLE,
    RECORD_BYTES,
    RESERVED_START,
    SECTIONS,
    VERSION,
    padded,
)
from ._refusals import FormatError, Problems
from ._tensors import Tensors, build_baseline, build_layers, parse_tensors
from ._writer import content_digest

Spans = dict[str, tuple[int, int]]
"""Where the sections lie: name -> (first byte, byte after the last)."""


def unpack(data: bytes, *, digest_checked: bool = False) -> ModelFile:
    """The model in `data`, all of docs/format.md checked. Raises FormatError.

    `digest_checked` spares the digest where the C core has compared it already.
    """
    spans = _read_frame(data)
    if not digest_checked:
        _check_digest(data)
    _check_gaps(data, spans)
    sections = {name: data[start:stop] for name, (start, stop) in spans.items()}
    program = parse_program(sections["program"])
    tensors = parse_tensors(program, sections["tensors"], sections["baseline"])
    return _build(program, tensors, sections["card"])


def read(path: str | os.PathLike[str]) -> ModelFile:
    """The model in the file at `path`. Raises FormatError naming the file, or OSError."""
    data = read_bytes(path)
    try:
        return unpack(data)
    except FormatError as error:
        raise in_file(error, path) from error


def in_file(error: FormatError, path: str | os.PathLike[str]) -> FormatError:
    """The same refusal with the file's path in front of its message."""
    return FormatError(error.code, f"{os.fspath(path)}: {error.message}", error.problems)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Content of the file at `path`, at most 64 MiB of it read.

    Raises OSError with a plain message (no file, a directory, no permission), FormatError
    (TRUNCATED) when it is empty and (TOO_LARGE) beyond the cap.
    """
    path = os.fspath(path)
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path}: is a directory, expected a model file (model.kdp)")
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path}: no such file") from error
    except OSError as error:
        raise type(error)(f"{path}: cannot be read ({error.strerror or error})") from error
    if not data:
        raise FormatError("TRUNCATED", f"{path}: the file is empty: copy or export it again")
    if len(data) > MAX_FILE_BYTES:
        raise FormatError("TOO_LARGE", f"{path}: larger than the cap of {MAX_FILE_BYTES} bytes")
    return data


def _read_frame(data: bytes) -> Spans:
    if len(data) < PREAMBLE.size:
        raise FormatError(
            "TRUNCATED",
            f"{len(data)} bytes, a model file has at least {PREAMBLE.size}: copy it again",
        )
    fields = PREAMBLE.unpack_from(data)
    magic, version, preamble_size, file_size = fields[:4]
    if magic != MAGIC:
        raise FormatError(
            "MAGIC",
            f"begins with {magic!r}, a model file with {MAGIC!r}: it is another kind of file, "
            "or was changed by a text-mode transfer",
        )
    if (version, preamble_size) != (VERSION, PREAMBLE.size):
        raise FormatError(
            "VERSION",
            f"format version {version} with a preamble of {preamble_size} bytes, this runtime "
            f"reads version {VERSION} with {PREAMBLE.size}: update it",
        )
    if file_size > MAX_FILE_BYTES:
        raise FormatError(
            "TOO_LARGE", f"the file claims {file_size} bytes, the cap is {MAX_FILE_BYTES}"
        )
    if len(data) < file_size:
        raise FormatError(
            "TRUNCATED", f"{len(data)} bytes, its preamble says {file_size}: copy it again"
        )
    sizes = dict(zip(SECTIONS, fields[4:8], strict=True))
    _check_caps(sizes)
    return _frame(len(data), file_size, sizes)


def _check_caps(sizes: dict[str, int]) -> None:
    problems = Problems()
    for name, size, cap in (
        ("the program", sizes["program"], MAX_RECORDS * RECORD_BYTES),
        ("the card", sizes["card"], MAX_CARD_BYTES),
        ("the tensors section", sizes["tensors"], MAX_FILE_BYTES),
        ("the baseline section", sizes["baseline"], MAX_FILE_BYTES),
    ):
        problems.require(size <= cap, "TOO_LARGE", f"{name} claims {size} bytes, the cap is {cap}")
    problems.raise_if_any()


def _frame(length: int, file_size: int, sizes: dict[str, int]) -> Spans:
    problems = Problems()
    problems.require(
        sizes["program"] % RECORD_BYTES == 0,
        "SIZES",
        f"the program claims {sizes['program']} bytes, expected a multiple of {RECORD_BYTES}",
    )
    spans: Spans = {}
    end = PREAMBLE.size
    for name in SECTIONS:
        spans[name] = (end, end + sizes[name])
        end = padded(end + sizes[name])
    problems.require(
        end == file_size,
        "SIZES",
        f"the sections end at byte {end}, the preamble says that the file ends at {file_size}",
    )
    problems.require(
        length == file_size,
        "SIZES",
        f"{length - file_size} bytes follow the end of the model at byte {file_size}",
    )
    problems.raise_if_any()
    return spans


def _check_digest(data: bytes) -> None:
    stored, computed = data[DIGEST_START:DIGEST_STOP], content_digest(data)
    if stored != computed:
        raise FormatError(
            "DIGEST",
            f"SHA-256 of the content is {computed.hex()}, the file says {stored.hex()}: "
            "it was damaged or changed; copy or export it again",
        )


def _check_gaps(data: bytes, spans: Spans) -> None:
    problems = Problems()
    gaps = [(RESERVED_START, DIGEST_START), (DIGEST_STOP, PREAMBLE.size)]
    gaps += [(stop, padded(stop)) for _, stop in spans.values()]
    for start, stop in gaps:
        problems.require(
            not any(data[start:stop]),
            "PADDING",
            f"bytes [{start}, {stop}) are not all zero, nothing belongs there",
        )
    problems.raise_if_any()


def _build(program: Program, tensors: Tensors, card: bytes) -> ModelFile:
    problems = Problems()
    layers = build_layers(problems, program, tensors)
    baseline = build_baseline(problems, program, tensors)
    problems.raise_if_any()
    return ModelFile(
        inputs=program.inputs,
        outputs=program.outputs,
        input_shift=program.input_affine[0],
        input_scale=program.input_affine[1],
        output_shift=program.output_affine[0],
        output_scale=program.output_affine[1],
        layers=layers,
        pairs=program.pairs,
        parameters=program.parameters,
        equations=program.equations,
        targets=program.targets,
        card=parse_card(card),
        baseline=baseline,
        features=program.features,
        exact=program.exact,
        symmetry=program.symmetry,
    )
