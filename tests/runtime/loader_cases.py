"""Files at the edges of the loader's conditions: with them every branch of it is taken both ways.

test_format_refusals.py has one file per rule; these are the other halves of its conditions, and
good files that come close to being refused.
"""

import math
import struct
from dataclasses import replace

from kdp_samples import bare_model, sample
from kdp_surgery import (
    AFFINE,
    BASELINE,
    DENSE,
    EQUATION,
    INPUT,
    NORMALIZE,
    OUTPUT,
    TARGET,
    TENSOR,
    TERM,
    edit,
    in_section,
    put,
    rebuilt,
    records,
    sealed,
    sections,
    start_of,
    with_records,
    without,
)
from map_cases import EDGES as MAP_EDGES
from narrow_cases import DOUBLE, F16, I8
from narrow_cases import EDGES as NARROW_EDGES
from tied_cases import EDGES as TIED_EDGES

from kdpinn_runtime import pack
from kdpinn_runtime.format import Equation, Factor, Term

GOOD = pack(sample())
BARE = pack(bare_model())


def unit(raw):
    return edit(GOOD, INPUT, 0, 32, "", raw.ljust(16, b"\0"))


def name(raw):
    return edit(GOOD, INPUT, 0, 8, "", raw.ljust(24, b"\0"))


def first_factor(kind, a, b):
    return edit(GOOD, TERM, 0, 24, "I", kind << 24 | a << 12 | b)


def tensor(index, dtype, section, rows, cols, offset):
    size = 4 * rows + rows * cols if dtype == 4 else rows * cols * {1: 4, 2: 8, 3: 2}[dtype]
    fields = (TENSOR, index, dtype, section, rows, cols, offset, size)
    return struct.pack("<4I4Q", *fields).ljust(64, b"\0")


def with_tensors(data, changed, **parts):
    """`data` with TENSOR records exchanged for `changed`, and sections for `parts`."""
    kept = [record for record in records(data) if record[0] != TENSOR]
    place = next(k for k, record in enumerate(kept) if record[0] > TENSOR)
    return with_records(rebuilt(data, **parts), [*kept[:place], *changed, *kept[place:]])


def tensors(data):
    return [record for record in records(data) if record[0] == TENSOR]


def shaped(index, rows, cols):
    """GOOD with another shape, of as many numbers, in a tensor."""
    changed = tensors(GOOD)
    changed[index] = put(put(changed[index], 16, "Q", rows), 24, "Q", cols)
    return with_tensors(GOOD, changed)


def relaid(index, dtype, rows, cols, data=GOOD):
    """`data` with tensor `index` of another type or shape, all laid anew, of zeros, scales of 1."""
    changed, content = [], [b"", b""]
    for place, record in enumerate(tensors(data)):
        old_dtype, section, *shape = struct.unpack_from("<IIQQ", record, 8)
        if place == index:
            old_dtype, shape = dtype, (rows, cols)
        start = -(-len(content[section]) // 64) * 64
        changed.append(tensor(place, old_dtype, section, *shape, start))
        scales = struct.pack("<f", 1.0) * shape[0] if old_dtype == 4 else b""
        end = start + struct.unpack_from("<Q", changed[-1], 40)[0]
        content[section] = (content[section].ljust(start, b"\0") + scales).ljust(end, b"\0")
    return with_tensors(data, changed, tensors=content[0], baseline=content[1])


def unused_weight(data=BARE):
    """BARE with one more tensor than its layers take."""
    old = sections(data)["tensors"]
    start = -(-len(old) // 64) * 64
    changed = tensors(data)
    changed.append(tensor(len(changed), 1, 0, 1, 1, start))
    return with_tensors(data, changed, tensors=old.ljust(start, b"\0") + bytes(4))


def tensor_behind_the_end():
    """A tensor that would start in the padding after its section's end."""
    changed = tensors(BARE)
    end = -(-len(sections(BARE)["tensors"]) // 64) * 64
    return with_tensors(BARE, [*changed, tensor(len(changed), 1, 0, 1, 1, end)])


def far_past_the_end():
    """GOOD whose last table claims as many bytes as its section has, from the section's end on."""
    changed = tensors(GOOD)
    offset = struct.unpack_from("<Q", changed[-1], 32)[0]
    changed[-1] = tensor(len(changed) - 1, 2, 1, 7, 6, offset)
    return with_tensors(GOOD, changed)


def terms_of_what_follows():
    """Two equations of one term; the second claims the TARGET behind it too, which reads as one."""
    value = Term(coefficient=1.0, factors=(Factor(kind="value", a=0),))
    equations = [Equation(name=name, terms=(value,), limit=1.0) for name in ("one", "two")]
    data = pack(replace(bare_model(), equations=tuple(equations)))
    return edit(edit(data, EQUATION, 1, 32, "I", 2), TARGET, 0, 8, "Q", 1)


def points_alone():
    """GOOD with its first table only."""
    changed = [
        record
        for record in records(GOOD)
        if record[0] not in (EQUATION, TERM) and (record[0] != BASELINE or record[4] == 0)
    ]
    kept = [r for r in changed if r[0] != TENSOR or r[4] <= 6]
    table = sections(GOOD)["baseline"][: 7 * 2 * 8]
    return with_records(rebuilt(GOOD, baseline=table), kept)


def after_section(section):
    """GOOD with a byte in the padding after a section."""
    place = start_of(GOOD, section) + len(sections(GOOD)[section])
    assert place % 64, "the section has padding"
    return sealed(put(GOOD, place, "B", 1))


# name: (code or None where the file is good, the file)
CASES = (
    {
        "after tensors": ("PADDING", after_section("tensors")),
        "name with every kind of letter": (None, name(b"_aZ09z")),
        "name with a bracket": ("NAME", name(b"x[")),
        "name with a brace": ("NAME", name(b"x{")),
        "name with a colon": ("NAME", name(b"x:")),
        "name with a dot": ("NAME", name(b"x.")),
        "euro": (None, unit("€".encode())),
        "overlong of three": ("NAME", unit(b"\xe0\x80\x80")),
        "smallest of three": (None, unit(b"\xe0\xa0\x80")),
        "last before the surrogates": (None, unit(b"\xed\x9f\xbf")),
        "overlong of four": ("NAME", unit(b"\xf0\x80\x80\x80")),
        "smallest of four": (None, unit(b"\xf0\x90\x80\x80")),
        "from the middle": (None, unit(b"\xf1\x80\x80\x80")),
        "largest of all": (None, unit(b"\xf4\x8f\xbf\xbf")),
        "past the largest": ("NAME", unit(b"\xf4\x90\x80\x80")),
        "no such lead": ("NAME", unit(b"\xf5\x80\x80\x80")),
        "lead in second place": ("NAME", unit(b"\x80")),
        "lead alone": ("NAME", unit(b"\xc3(")),
        "two of three": ("NAME", unit(b"\xe2\x82")),
        "lead at the end": ("NAME", unit(b"m" * 14 + b"\xe2\x82")),
        "unit after its end": ("NAME", unit(b"m\0m")),
        "input_scale NaN": ("VALUE", edit(GOOD, NORMALIZE, 0, 16, "d", math.nan)),
        "output lower": ("VALUE", edit(GOOD, OUTPUT, 0, 48, "d", -math.inf)),
        "output upper": ("VALUE", edit(GOOD, OUTPUT, 0, 56, "d", math.inf)),
        "output_scale infinite": ("VALUE", edit(GOOD, AFFINE, 0, 8, "d", math.inf)),
        "target NaN ms": ("VALUE", edit(GOOD, TARGET, 0, 8, "d", math.nan)),
        "target p0": ("VALUE", edit(GOOD, TARGET, 0, 16, "d", 0.0)),
        "equation NaN": ("VALUE", edit(GOOD, EQUATION, 0, 40, "d", math.nan)),
        "limit NaN": ("VALUE", edit(GOOD, BASELINE, 1, 16, "d", math.nan)),
        "no columns": ("TENSOR", edit(GOOD, TENSOR, 1, 24, "Q", 0)),
        "behind the end": ("TENSOR", tensor_behind_the_end()),
        "far past the end": ("TENSOR", far_past_the_end()),
        "longer baseline": (
            "TENSOR",
            rebuilt(GOOD, baseline=sections(GOOD)["baseline"] + bytes(4)),
        ),
        "layer of nothing": ("LAYER", edit(GOOD, DENSE, 0, 16, "I", 0)),
        "layer too wide": ("TOO_LARGE", edit(GOOD, DENSE, 0, 16, "I", 4097)),
        "bias from nowhere": ("LAYER", edit(GOOD, DENSE, 0, 24, "I", 99)),
        "weight of doubles": ("LAYER", relaid(2, 2, 5, 5)),
        "bias of doubles": ("LAYER", relaid(3, 2, 5, 1)),
        "weight transposed": ("LAYER", shaped(0, 2, 5)),
        "weight of fewer rows": ("LAYER", edit(GOOD, DENSE, 0, 16, "I", 4)),
        "weight of more columns": ("LAYER", relaid(0, 1, 5, 3)),
        "bias of two columns": ("LAYER", relaid(1, 1, 5, 2)),
        "bias transposed": ("LAYER", shaped(1, 1, 5)),
        "weight too many": ("LAYER", unused_weight()),
        "coordinate by": ("RESIDUAL", first_factor(1, 0, 1)),
        "terms of what follows": ("RESIDUAL", terms_of_what_follows()),
        "first of nothing": ("RESIDUAL", first_factor(3, 1, 0)),
        "second of nothing": ("RESIDUAL", first_factor(4, 1, 0)),
        "parameter by": ("RESIDUAL", first_factor(5, 0, 1)),
        "data by": ("RESIDUAL", first_factor(6, 0, 1)),
        "coordinate": (None, first_factor(1, 1, 0)),
        "point below float32": ("BASELINE", in_section(GOOD, "baseline", 0, "d", -1e300)),
        "table of floats": ("BASELINE", relaid(10, 1, 7, 1)),
        "17 data columns": ("BASELINE", relaid(10, 2, 7, 17)),
        "16 data columns": (None, relaid(10, 2, 7, 16)),
        "points transposed": ("BASELINE", shaped(6, 14, 1)),
        "reference of two columns": ("BASELINE", relaid(7, 2, 7, 2)),
        "reference transposed": ("BASELINE", shaped(7, 1, 7)),
        "points alone": ("BASELINE", points_alone()),
        "narrow bias": ("LAYER", relaid(1, 3, 3, 1, I8)),
        "i8 bias": ("LAYER", relaid(1, 4, 3, 1, I8)),
        "f16 throughout": ("LAYER", relaid(1, 3, 3, 1, relaid(3, 3, 1, 1, F16))),
        "i8 beside an f64 bias": ("LAYER", relaid(1, 2, 3, 1, I8)),
        "f64 beside an f32 bias": ("LAYER", relaid(2, 2, 1, 3, I8)),
        "i8 among f64": ("LAYER", relaid(0, 4, 3, 2, DOUBLE)),
        "i8 of zeros": (None, relaid(0, 4, 3, 2, I8)),
        "narrow table": ("BASELINE", relaid(4, 3, 7, 2, I8)),
        "no physics": (None, BARE),
        "no targets": (None, without(GOOD, TARGET)),
    }
    | TIED_EDGES
    | NARROW_EDGES
    | MAP_EDGES
)
