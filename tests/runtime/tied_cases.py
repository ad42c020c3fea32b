"""Files whose symmetry is wrong, and the edges of the conditions on it; offsets as in the page."""

import struct
from dataclasses import replace

import numpy as np
from kdp_samples import bare_model
from kdp_surgery import (
    AFFINE,
    DENSE,
    NORMALIZE,
    SYMMETRY,
    edit,
    put,
    rebuilt,
    records,
    sections,
    with_records,
    without,
)
from map_samples import Program
from tied_samples import tied_mapped, tied_model, untied

from kdpinn_runtime import pack

ODD = pack(tied_model("odd"))
SHALLOW = pack(tied_model("odd", hidden=(5,)))
BOTH = pack(tied_model("swap with signs and both"))
TURN = pack(tied_model("C4"))
EIGHT = pack(tied_model("D4"))
FOUR = pack(tied_model("four", hidden=(2, 2)))
IDENTITY = 0xFEDCBA9876543210


def places(*order):
    """The word of sources that takes input i from order[i]."""
    return sum(source << 4 * i for i, source in enumerate(order))


def symmetry(data, offset, form, value):
    return edit(data, SYMMETRY, 0, offset, form, value)


def with_record(data, **fields):
    """`data`, a model without a symmetry, with a SYMMETRY record of these fields."""
    record = struct.pack(
        "<4I4H4QQ",
        SYMMETRY,
        0,
        fields.get("generators", 1),
        fields.get("elements", 0),
        *(*fields.get("signs", (1,)), 0, 0, 0, 0)[:4],
        *(*fields.get("sources", (places(0, 1),)), 0, 0, 0, 0)[:4],
        fields.get("characters", 0),
    )
    kept = records(data)
    place = next(k for k, r in enumerate(kept) if struct.unpack_from("<I", r)[0] > SYMMETRY)
    return with_records(data, [*kept[:place], record, *kept[place:]])


def tied_swapped_features():
    """Two features that change places."""
    file = tied_model("swap")
    p = Program()
    return replace(file, features=p.map(p.x(0), p.x(1)))


def of_features(count, **fields):
    """A network of so many features, all alike, without ties, and a SYMMETRY record."""
    p = Program()
    rng = np.random.default_rng(0)
    bare = bare_model(sizes=(2, 2, 1))
    first = replace(bare.layers[0], weight=rng.normal(size=(2, count)).astype(np.float32))
    model = replace(
        bare,
        features=p.map(*(p.x(0) for _ in range(count))),
        layers=(first, *bare.layers[1:]),
        input_shift=np.zeros(count),
        input_scale=np.ones(count),
    )
    return with_record(pack(model), **fields)


def biased():
    """ODD whose output, which changes its sign, has a bias."""
    tensors = sections(ODD)["tensors"]
    return rebuilt(ODD, tensors=put(tensors, len(tensors) - 4, "f", 0.5))


def without_hidden_layers():
    """One layer, which has nothing to tie."""
    kept = [r for r in records(ODD) if r[0] not in (3, DENSE) or r[4] == 0]
    bias = next(r for r in records(ODD) if r[0] == 3 and r[4] == 1)
    place = next(k for k, r in enumerate(kept) if r[0] == 3)
    weight = put(put(kept[place], 16, "Q", 1), 40, "Q", 8)
    bias = put(put(put(bias, 16, "Q", 1), 32, "Q", 64), 40, "Q", 4)
    kept[place : place + 1] = [weight, bias]
    kept = [put(put(r, 8, "I", 0), 16, "I", 1) if r[0] == DENSE else r for r in kept]
    return with_records(rebuilt(ODD, tensors=bytes(68)), kept)


def second_symmetry():
    record = next(r for r in records(ODD) if r[0] == SYMMETRY)
    changed = records(ODD)
    place = changed.index(record)
    return with_records(
        ODD, [*changed[:place], record, put(record, 4, "I", 1), *changed[place + 1 :]]
    )


# name: (code, malformed file, what the message says)
CASES = {
    "two symmetries": ("RECORD", second_symmetry(), "2 SYMMETRY records"),
    "no generators": ("SYMMETRY", symmetry(ODD, 8, "I", 0), "0 generators"),
    "five generators": ("SYMMETRY", symmetry(ODD, 8, "I", 5), "5 generators"),
    "generators beyond counting": ("SYMMETRY", symmetry(ODD, 8, "I", 2**32 - 1), "generators"),
    "elements of generators that undo themselves": (
        "SYMMETRY",
        symmetry(ODD, 12, "I", 2),
        "says it has 2 elements, expected 0",
    ),
    "elements left out": ("SYMMETRY", symmetry(TURN, 12, "I", 0), "0 elements, expected 4"),
    "too many elements": ("SYMMETRY", symmetry(TURN, 12, "I", 8), "8 elements, expected 4"),
    "generator that follows from another": (
        "SYMMETRY",
        symmetry(symmetry(symmetry(TURN, 8, "I", 2), 32, "Q", places(0, 1)), 18, "H", 3),
        "generator 1 follows from those before it",
    ),
    "generator that moves nothing and changes a sign": (
        "SYMMETRY",
        symmetry(symmetry(symmetry(EIGHT, 18, "H", 0), 32, "Q", places(0, 1)), 56, "Q", 2),
        "changes the sign of 'u'",
    ),
    "group too large by one generator": (
        "SYMMETRY",
        of_features(
            9,
            elements=9,
            generators=2,
            signs=(0, 1),
            sources=(places(*range(1, 9), 0), places(*range(9))),
        ),
        "more than 16 elements",
    ),
    "group too large": (
        "SYMMETRY",
        of_features(9, elements=18, signs=(1,), sources=(places(*range(1, 9), 0),)),
        "more than 16 elements",
    ),
    "swapped features with two shifts": (
        "SYMMETRY",
        edit(pack(tied_swapped_features()), NORMALIZE, 1, 8, "d", 0.5),
        "input_shift differ",
    ),
    "more features than places": ("SYMMETRY", of_features(17, signs=(0,)), "17 inputs.*16 at most"),
    "sign of no input": ("PADDING", symmetry(ODD, 16, "H", 5), "the model has not"),
    "sign of a far input": ("PADDING", symmetry(ODD, 16, "H", 1 | 1 << 15), "the model has not"),
    "sign of no generator": ("PADDING", symmetry(ODD, 18, "H", 1), "the model has not"),
    "source of no input": ("PADDING", symmetry(ODD, 24, "Q", places(0, 1, 1)), "has not"),
    "source of no generator": ("PADDING", symmetry(ODD, 32, "Q", places(0, 1)), "has not"),
    "source of the last generator": ("PADDING", symmetry(ODD, 48, "Q", places(1)), "has not"),
    "character of no output": ("PADDING", symmetry(ODD, 56, "Q", 0x11), "has not"),
    "source beyond the inputs": ("SYMMETRY", symmetry(ODD, 24, "Q", places(0, 2)), "each.*once"),
    "source twice": ("SYMMETRY", symmetry(ODD, 24, "Q", places(0, 0)), "each.*once"),
    "character of no generator": ("SYMMETRY", symmetry(ODD, 56, "Q", 2), r"\[2\].*1 generators"),
    "swap with one sign": ("SYMMETRY", symmetry(BOTH, 16, "H", 1), "follows|elements"),
    "rotation of three": (
        "SYMMETRY",
        symmetry(FOUR, 24, "Q", places(1, 2, 0, 3)),
        "more than 16 elements|follows|elements",
    ),
    "no way to change places": ("SYMMETRY", symmetry(BOTH, 18, "H", 1), "0 elements, expected 8"),
    "swapped inputs with two shifts": (
        "SYMMETRY",
        edit(BOTH, NORMALIZE, 1, 8, "d", 0.5),
        "generator 0.*input_shift differ",
    ),
    "swapped inputs with two scales": (
        "SYMMETRY",
        edit(BOTH, NORMALIZE, 0, 16, "d", 0.5),
        "generator 0.*input_scale differ",
    ),
    "odd output with a shift": (
        "SYMMETRY",
        edit(ODD, AFFINE, 0, 16, "d", 0.5),
        "sign of 'u'.*output_shift is 0.5",
    ),
    "odd output with a bias": ("SYMMETRY", biased(), "output 0 changes its sign, its bias is 0.5"),
    "width that is not shared out": (
        "SYMMETRY",
        edit(edit(SHALLOW, DENSE, 0, 16, "I", 11), DENSE, 1, 12, "I", 11),
        "gives 11 values, expected a multiple of the 2 copies",
    ),
    "symmetry of one layer": ("SYMMETRY", without_hidden_layers(), "at least two layers"),
    "symmetry of whole layers": (
        "LAYER",
        with_record(pack(untied(tied_model("odd"))), characters=1),
        r"shape \(10, 2\).*expected \(5, 2\)",
    ),
    "symmetry taken away": ("LAYER", without(ODD, SYMMETRY), r"expected \(10, 2\)"),
}

# name: (code or None where the file is good, the file)
EDGES = (
    {
        f"symmetry {name}": (None, pack(tied_model(name, hidden=(1, 2, 1), dtype=dtype)))
        for name, dtype in (
            ("odd", np.float64),
            ("odd and even", np.float32),
            ("swap", np.float32),
            ("swap with signs and both", np.float64),
            ("three", np.float32),
            ("four", np.float32),
        )
    }
    | {
        f"symmetry {name}": (None, pack(tied_model(name, hidden=(1, 2, 1), dtype=dtype)))
        for name, dtype in (
            ("C4", np.float32),
            ("D4", np.float64),
            ("S3", np.float32),
            ("D6", np.float32),
        )
    }
    | {
        "symmetry of features": (None, pack(tied_mapped(hidden=(1,)))),
        "symmetry under exact conditions": (None, pack(tied_mapped(hidden=(2,), features=False))),
    }
    | {"symmetry of 16 inputs' word": ("PADDING", symmetry(ODD, 24, "Q", IDENTITY))}
)
