"""Every way in which a file can be malformed is refused, by its code, by both readers."""

import math
import re
import struct
from pathlib import Path

import pytest
from kdp_samples import same, sample, tiny
from kdp_surgery import (
    AFFINE,
    BASELINE,
    DENSE,
    EQUATION,
    EXACT,
    FEATURE,
    INPUT,
    KIND_NAMES,
    NORMALIZE,
    OUTPUT,
    PARAMETER,
    READERS,
    SECOND,
    SYMMETRY,
    TARGET,
    TENSOR,
    TERM,
    edit,
    in_section,
    put,
    rebuilt,
    records,
    refusal_of_core,
    sealed,
    sections,
    start_of,
    with_records,
    without,
)
from map_cases import CASES as MAP_CASES
from map_samples import mapped_tiny
from narrow_cases import CASES as NARROW_CASES
from tied_cases import CASES as TIED_CASES
from tied_samples import tied_tiny

from kdpinn_runtime.format import REFUSALS, FormatError, pack, unpack

GOOD = pack(sample())
TINY = pack(tiny())
TIED = pack(tied_tiny())
MAPPED = pack(mapped_tiny())
WHOLE = {"plain": TINY, "tied": TIED, "functions": MAPPED}
FACTOR = struct.Struct("<I")


def factor(number, a=0, b=0):
    return number << 24 | a << 12 | b


def added(data, kind, index, **at):
    """One more record of `kind`, a copy of record 0 with another index and name."""
    changed = records(data)
    last = max(k for k, r in enumerate(changed) if FACTOR.unpack_from(r)[0] == kind)
    first = next(r for r in changed if FACTOR.unpack_from(r)[0] == kind)
    copy = put(put(first, 4, "I", index), 8, "", b"q%d" % index + bytes(24 - 1 - len(str(index))))
    return with_records(data, [*changed[: last + 1], copy, *changed[last + 1 :]])


def many(data, kind, count):
    """`data` with records of `kind` up to `count`."""
    for index in range(sum(FACTOR.unpack_from(r)[0] == kind for r in records(data)), count):
        data = added(data, kind, index)
    return data


def swapped(data, a, b):
    changed = records(data)
    changed[a], changed[b] = changed[b], changed[a]
    return with_records(data, changed)


# Unused bytes of the records, by kind: the first and the last.
UNUSED = {
    TENSOR: (48, 63),
    NORMALIZE: (28, 63),
    DENSE: (28, 63),
    AFFINE: (32, 63),
    SECOND: (16, 63),
    PARAMETER: (56, 63),
    EQUATION: (36, 39, 48, 63),
    BASELINE: (24, 63),
    TARGET: (32, 63),
}
CASES = (
    {
        # name: (code, malformed file, what the message says)
        "empty": ("TRUNCATED", b"", "0 bytes"),
        "preamble cut": ("TRUNCATED", GOOD[:127], "127 bytes.*at least 128"),
        "last byte gone": ("TRUNCATED", GOOD[:-1], f"{len(GOOD) - 1} bytes.*{len(GOOD)}"),
        "other file": ("MAGIC", put(GOOD, 0, "", b"\x89PNG\r\n\x1a\n"), "PNG"),
        "text transfer": ("MAGIC", GOOD.replace(b"\r\n", b"\n"), "text-mode"),
        "next version": ("VERSION", put(GOOD, 8, "I", 2), "version 2.*reads version 1"),
        "longer preamble": ("VERSION", put(GOOD, 12, "I", 192), "192"),
        "huge file": ("TOO_LARGE", put(GOOD, 16, "Q", 2**40), str(2**40)),
        "size that would wrap": ("TOO_LARGE", put(GOOD, 40, "Q", 2**64 - 64), "tensors"),
        "huge program": ("TOO_LARGE", put(GOOD, 24, "Q", 64 * 4097), "program.*262144"),
        "huge card": ("TOO_LARGE", put(GOOD, 32, "Q", 2**20 + 1), "card.*1048576"),
        "many rows": ("TOO_LARGE", edit(GOOD, TENSOR, 0, 16, "Q", 2**20 + 1), "tensor 0.*1048577"),
        "wide": ("TOO_LARGE", edit(GOOD, TENSOR, 0, 24, "Q", 4097), "tensor 0.*4097"),
        "ragged program": ("SIZES", put(GOOD, 24, "Q", 63), "multiple of 64"),
        "trailing bytes": ("SIZES", GOOD + bytes(64), "64 bytes follow"),
        "section too long": ("SIZES", put(GOOD, 40, "Q", 64 * 100), "sections end at"),
        "damaged weight": ("DIGEST", put(GOOD, start_of(GOOD, "tensors"), "B", 1), "SHA-256"),
        "damaged digest": ("DIGEST", put(GOOD, 64, "Q", 0), "SHA-256"),
        "reserved word": ("PADDING", sealed(put(GOOD, 56, "Q", 1)), r"\[56, 64\)"),
        "after digest": ("PADDING", sealed(put(GOOD, 100, "B", 1)), r"\[96, 128\)"),
        "after card": (
            "PADDING",
            sealed(put(GOOD, start_of(GOOD, "tensors") - 1, "B", 1)),
            "not all zero",
        ),
        "between tensors": ("PADDING", in_section(GOOD, "tensors", 63, "B", 1), "section 0"),
        "at the end": ("PADDING", sealed(put(GOOD, len(GOOD) - 1, "B", 1)), "not all zero"),
        "unused factor": ("PADDING", edit(GOOD, TERM, 0, 28, "I", factor(2)), "factor after its 1"),
        "kind 0": ("RECORD", with_records(GOOD, [bytes(64), *records(GOOD)]), "record 0.*kind 0"),
        "kind 16": ("RECORD", edit(GOOD, TARGET, 0, 0, "I", 16), "unknown kind 16"),
        "not ascending": ("RECORD", swapped(GOOD, 0, 2), "not ascending"),
        "wrong index": ("RECORD", edit(GOOD, INPUT, 1, 4, "I", 7), "index 7, expected 1"),
        "no program": ("RECORD", rebuilt(GOOD, program=b""), "no INPUT"),
        "no output": ("RECORD", without(without(GOOD, OUTPUT), AFFINE), "no OUTPUT"),
        "no layers": ("RECORD", without(GOOD, DENSE), "no DENSE"),
        "one NORMALIZE": ("RECORD", without(GOOD, NORMALIZE, 1), "1 NORMALIZE.*2 INPUT"),
        "no AFFINE": ("RECORD", without(GOOD, AFFINE), "0 AFFINE"),
        "17 inputs": ("RECORD", many(many(GOOD, INPUT, 17), NORMALIZE, 17), "17 INPUT.*cap is 16"),
        "65 parameters": ("RECORD", many(GOOD, PARAMETER, 65), "65 PARAMETER.*cap is 64"),
        "17 targets": ("RECORD", many(GOOD, TARGET, 17), "17 TARGET.*cap is 16"),
        "name of a digit": ("NAME", edit(GOOD, INPUT, 0, 8, "", b"1"), "'1'"),
        "name not ASCII": ("NAME", edit(GOOD, INPUT, 0, 8, "", "é".encode()), "é"),
        "name empty": ("NAME", edit(GOOD, OUTPUT, 0, 8, "", bytes(24)), "''"),
        "name without end": ("NAME", edit(GOOD, INPUT, 0, 8, "", b"x" * 24), "padded with zeros"),
        "name after its end": ("NAME", edit(GOOD, INPUT, 0, 31, "", b"x"), "padded with zeros"),
        "name taken": ("NAME", edit(GOOD, INPUT, 1, 8, "", b"x"), "'x' is used 2 times"),
        "parameter as output": ("NAME", edit(GOOD, PARAMETER, 0, 8, "", b"u\0"), "'u' is used 2"),
        "name of an equation": ("NAME", edit(GOOD, EQUATION, 0, 8, "", b"-"), "-omentum"),
        "unit not UTF-8": ("NAME", edit(GOOD, INPUT, 0, 32, "", b"\xff"), "UTF-8"),
        "unit overlong": ("NAME", edit(GOOD, INPUT, 0, 32, "", b"\xc0\x80"), "UTF-8"),
        "unit a surrogate": ("NAME", edit(GOOD, INPUT, 0, 32, "", b"\xed\xa0\x80"), "UTF-8"),
        "unit without end": ("NAME", edit(GOOD, OUTPUT, 0, 32, "", b"m" * 16), "padded with zeros"),
        "unit cut in a letter": (
            "NAME",
            edit(GOOD, OUTPUT, 0, 32, "", b"m" * 14 + "é".encode()),
            "padded with zeros",
        ),
        "lower NaN": ("VALUE", edit(GOOD, INPUT, 0, 48, "d", math.nan), "'x'.*nan"),
        "upper infinite": ("VALUE", edit(GOOD, INPUT, 1, 56, "d", math.inf), "'t'.*inf"),
        "empty domain": ("VALUE", edit(GOOD, INPUT, 0, 48, "d", 1.0), "'x'.*empty"),
        "domain upside down": ("VALUE", edit(GOOD, INPUT, 0, 48, "d", 2.0), "'x'.*2.0"),
        "output upside down": ("VALUE", edit(GOOD, OUTPUT, 0, 48, "d", 9.0), "'u'.*9.0"),
        "shift NaN": ("VALUE", edit(GOOD, NORMALIZE, 0, 8, "d", math.nan), "input_shift of 'x'"),
        "scale zero": ("VALUE", edit(GOOD, NORMALIZE, 1, 16, "d", 0.0), "input_scale of 't'"),
        "output scale zero": ("VALUE", edit(GOOD, AFFINE, 0, 8, "d", 0.0), "output_scale of 'u'"),
        "output shift": ("VALUE", edit(GOOD, AFFINE, 0, 16, "d", math.inf), "output_shift of 'u'"),
        "parameter NaN": ("VALUE", edit(GOOD, PARAMETER, 0, 48, "d", math.nan), "'nu' is nan"),
        "coefficient": ("VALUE", edit(GOOD, TERM, 2, 16, "d", math.inf), "TERM 2.*inf"),
        "no tolerance": ("VALUE", edit(GOOD, EQUATION, 0, 40, "d", 0.0), "'momentum'.*> 0"),
        "target 0 ms": ("VALUE", edit(GOOD, TARGET, 0, 8, "d", 0.0), "TARGET 0.*0.0 ms"),
        "target p100": ("VALUE", edit(GOOD, TARGET, 0, 16, "d", 1.0), "TARGET 0.*quantile 1.0"),
        "target 0 points": ("VALUE", edit(GOOD, TARGET, 0, 24, "Q", 0), "TARGET 0.*0 points"),
        "target too many": ("VALUE", edit(GOOD, TARGET, 0, 24, "Q", 2**24 + 1), "16777217"),
        "weight NaN": ("VALUE", in_section(GOOD, "tensors", 4, "f", math.nan), r"weight\[0, 1\]"),
        "point NaN": ("VALUE", in_section(GOOD, "baseline", 0, "d", math.nan), r"points\[0, 0\]"),
        "limit negative": ("VALUE", edit(GOOD, BASELINE, 1, 16, "d", -1.0), "reference.*-1.0"),
        "limit of points": ("VALUE", edit(GOOD, BASELINE, 0, 16, "d", 1.0), "table 0.*1.0"),
        "section 2": ("TENSOR", edit(GOOD, TENSOR, 0, 12, "I", 2), "tensor 0.*section 2"),
        "no rows": ("TENSOR", edit(GOOD, TENSOR, 1, 16, "Q", 0), "tensor 1"),
        "more bytes": ("TENSOR", edit(GOOD, TENSOR, 0, 40, "Q", 44), "tensor 0.*44 bytes"),
        "overlap": ("TENSOR", edit(GOOD, TENSOR, 1, 32, "Q", 0), r"tensor 1.*\[0, 20\)"),
        "hole": ("TENSOR", edit(GOOD, TENSOR, 1, 32, "Q", 128), r"tensor 1.*\[128, 148\)"),
        "tensor past the end": (
            "TENSOR",
            rebuilt(GOOD, tensors=sections(GOOD)["tensors"][:-4]),
            "it was cut off",
        ),
        "section with more": (
            "TENSOR",
            rebuilt(GOOD, tensors=sections(GOOD)["tensors"] + bytes(4)),
            "section 0.*end at",
        ),
        "dtype 0": ("DTYPE", edit(GOOD, TENSOR, 0, 8, "I", 0), "tensor 0.*type 0"),
        "activation": ("LAYER", edit(GOOD, DENSE, 0, 8, "I", 7), "layer 0.*activation is 7"),
        "width": ("LAYER", edit(GOOD, DENSE, 1, 12, "I", 4), "layer 1"),
        "weight from nowhere": ("LAYER", edit(GOOD, DENSE, 0, 20, "I", 99), "tensor 99|99"),
        "weight from baseline": ("LAYER", edit(GOOD, DENSE, 0, 20, "I", 6), "6"),
        "bias is weight": ("LAYER", edit(GOOD, DENSE, 0, 24, "I", 0), "once"),
        "tanh at the end": ("LAYER", edit(GOOD, DENSE, 2, 8, "I", 1), "last layer.*tanh"),
        "not the last layer": ("LAYER", without(GOOD, DENSE, 2), "last layer gives 5|used"),
        "pair descending": ("RESIDUAL", edit(GOOD, SECOND, 0, 8, "I", 1), r"\(1, 0\)"),
        "pair of nothing": ("RESIDUAL", edit(GOOD, SECOND, 0, 12, "I", 2), r"\(0, 2\)"),
        "pair twice": (
            "RESIDUAL",
            edit(many(GOOD, SECOND, 2), SECOND, 1, 8, "", bytes(24)),
            "listed twice",
        ),
        "class 0": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", 0), "TERM 0.*class 0"),
        "class 7": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", factor(7)), "TERM 0.*class 7"),
        "coordinate": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", factor(1, 2)), "coordinate.*is 2"),
        "value": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", factor(2, 1)), "value.*is 1"),
        "value by": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", factor(2, 0, 1)), "value.*is 1"),
        "first": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", factor(3, 0, 2)), "first.*is 2"),
        "second": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", factor(4, 0, 1)), "second.*is 1"),
        "parameter": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", factor(5, 1)), "parameter.*is 1"),
        "data": ("RESIDUAL", edit(GOOD, TERM, 0, 24, "I", factor(6, 1)), "data.*is 1"),
        "11 factors": ("RESIDUAL", edit(GOOD, TERM, 0, 12, "I", 11), "11 factors"),
        "term of another": ("RESIDUAL", edit(GOOD, TERM, 0, 8, "I", 1), "TERM records"),
        "terms missing": ("RESIDUAL", edit(GOOD, EQUATION, 0, 32, "I", 5), r"\[5\] terms"),
        "terms too many": ("RESIDUAL", edit(GOOD, EQUATION, 0, 32, "I", 3), r"\[3\] terms"),
        "terms that would wrap": ("RESIDUAL", edit(GOOD, EQUATION, 0, 32, "I", 2**32 - 1), "terms"),
        "no terms": ("RESIDUAL", edit(without(GOOD, TERM), EQUATION, 0, 32, "I", 0), "no terms"),
        "role 6": ("BASELINE", edit(GOOD, BASELINE, 4, 8, "I", 6), "roles.*6"),
        "role twice": ("BASELINE", edit(GOOD, BASELINE, 2, 8, "I", 2), "roles.*2, 2"),
        "table of weights": ("BASELINE", edit(GOOD, BASELINE, 4, 12, "I", 0), "0"),
        "table of nothing": ("BASELINE", edit(GOOD, BASELINE, 4, 12, "I", 2**32 - 1), "4294967295"),
        "table twice": ("BASELINE", edit(GOOD, BASELINE, 2, 12, "I", 7), "once"),
        "unused table": ("BASELINE", without(GOOD, BASELINE, 4), "used"),
        "no tables": ("BASELINE", without(GOOD, BASELINE), "used"),
        "data for points": ("BASELINE", edit(GOOD, BASELINE, 0, 8, "I", 2), "roles"),
        "inexact point": (
            "BASELINE",
            in_section(GOOD, "baseline", 8, "d", 0.1),
            r"points\[0, 1\] = .*not exact in float32",
        ),
        "point beyond float32": (
            "BASELINE",
            in_section(GOOD, "baseline", 0, "d", 1e300),
            "not exact in float32",
        ),
        "card empty": ("CARD", rebuilt(GOOD, card=b""), "not JSON"),
        "card a list": ("CARD", rebuilt(GOOD, card=b"[1]"), "JSON list"),
        "card cut": ("CARD", rebuilt(GOOD, card=b'{"a":1'), "not JSON"),
        "card not UTF-8": ("CARD", rebuilt(GOOD, card=b'{"a":"\xff"}'), "not JSON"),
        "card with NaN": ("CARD", rebuilt(GOOD, card=b'{"a":NaN}'), "does not go into JSON"),
        "card with infinity": ("CARD", rebuilt(GOOD, card=b'{"a":1e999}'), "does not go into JSON"),
        "card key twice": ("CARD", rebuilt(GOOD, card=b'{"a":1,"a":2}'), "'a' appears twice"),
        "card a surrogate": ("CARD", rebuilt(GOOD, card=rb'{"a":"\ud800"}'), "surrogates"),
        "card too deep": (
            "CARD",
            rebuilt(GOOD, card=b'{"a":' * 99999 + b"1" + b"}" * 99999),
            "JSON",
        ),
    }
    | {
        f"unused byte {offset} of {KIND_NAMES[kind]}": (
            "PADDING",
            edit(GOOD, kind, 0, offset, "B", 1),
            f"{KIND_NAMES[kind]}.*byte at {offset}",
        )
        for kind, offsets in UNUSED.items()
        for offset in offsets
    }
    | TIED_CASES
    | MAP_CASES
    | NARROW_CASES
)


@pytest.mark.parametrize("name", CASES)
def test_python_refuses(name):
    code, data, message = CASES[name]
    with pytest.raises(FormatError, match=f"(?s){message}") as caught:
        unpack(data)
    assert caught.value.code == code, str(caught.value)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name][0] != "CARD"])
def test_core_refuses(name):
    code, data, _ = CASES[name]
    assert refusal_of_core(data) == code


@pytest.mark.parametrize("reader", READERS)
def test_the_cases_start_from_a_good_file(reader):
    assert READERS[reader](GOOD) is None
    assert READERS[reader](TINY) is None
    assert READERS[reader](TIED) is None
    assert READERS[reader](MAPPED) is None
    assert rebuilt(GOOD) == GOOD, "the surgery changes nothing by itself"


def test_every_refusal_has_a_case():
    # The core alone sees where in memory the bytes lie; its own tests hold that one.
    assert {code for code, _, _ in CASES.values()} == set(REFUSALS) - {"MISALIGNED"}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_every_flipped_bit_is_refused(reader, whole):
    refuse, data = READERS[reader], bytearray(whole)
    accepted = []
    for bit in range(8 * len(whole)):
        data[bit // 8] ^= 1 << bit % 8
        if refuse(bytes(data)) is None:
            accepted.append(bit)
        data[bit // 8] ^= 1 << bit % 8
    assert accepted == []


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_every_truncation_is_refused(reader, whole):
    refuse = READERS[reader]
    codes = {length: refuse(whole[:length]) for length in range(len(whole))}
    assert set(codes.values()) == {"TRUNCATED"}


def flipped_and_sealed(whole, bit):
    data = bytearray(whole)
    data[bit // 8] ^= 1 << bit % 8
    return sealed(data)


def check_flip(whole, bit, compare):
    """A flip with a right digest: refused by a FormatError, or another valid model.

    One flip can break several rules; the core names one of those that Python lists.
    """
    data = flipped_and_sealed(whole, bit)
    try:
        model, codes = unpack(data), {None}
    except FormatError as error:
        model, codes = None, {code for code, _ in error.problems}
    if model is not None:
        assert same(unpack(pack(model)), model)
    if compare and codes != {"CARD"}:
        assert refusal_of_core(data) in codes, f"bit {bit}, byte {bit // 8}"


def bits_of(whole):
    return [bit for bit in range(8 * len(whole)) if not 64 <= bit // 8 < 96]


@pytest.mark.parametrize("compare", [False, True], ids=["python", "core agrees"])
@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_flipped_bits_with_a_right_digest(whole, compare):
    for bit in bits_of(whole)[:: 29 if compare else 31]:
        check_flip(whole, bit, compare)


def test_flipped_bits_of_a_symmetry():
    at = next(k for k in range(128, len(TIED), 64) if TIED[k] == SYMMETRY)
    for bit in range(8 * at, 8 * at + 512):
        check_flip(TIED, bit, compare=True)


def test_flipped_bits_of_tied_layers():
    at = [k for k in range(128, len(TIED), 64) if TIED[k] == DENSE]
    for start in at:
        for bit in range(8 * start, 8 * start + 8 * 28):
            check_flip(TIED, bit, compare=True)


def test_flipped_bits_of_operations():
    at = [k for k in range(128, len(MAPPED), 64) if MAPPED[k] in (FEATURE, EXACT)]
    for start in at:
        for bit in range(8 * start, 8 * start + 8 * 32):
            check_flip(MAPPED, bit, compare=True)


@pytest.mark.slow
@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_every_flipped_bit_with_a_right_digest(whole):
    for bit in bits_of(whole):
        check_flip(whole, bit, compare=True)


PAGE = Path(__file__).resolve().parents[2] / "docs" / "format.md"


def test_the_page_explains_every_refusal_in_the_order_of_the_readers():
    rows = re.findall(r"^\| `([A-Z_]+)` \|", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    assert rows == list(REFUSALS)


def test_the_page_names_every_kind_of_record():
    rows = re.findall(r"^\| (\d+) \| ([A-Z]*) \|", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    assert {int(number): name for number, name in rows} == KIND_NAMES
