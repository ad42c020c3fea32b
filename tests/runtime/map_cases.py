"""Files whose functions of the coordinates are wrong, and good ones; offsets as in the page."""

import math
from dataclasses import replace

from kdp_samples import sample
from kdp_surgery import (
    AFFINE,
    EXACT,
    FEATURE,
    KIND_NAMES,
    NORMALIZE,
    edit,
    put,
    records,
    with_records,
    without,
)
from map_samples import Program, everything, mapped_model, mapped_sample

from kdpinn_runtime import pack

PLAIN = pack(sample())
BOTH = pack(mapped_sample())


def operation(kind, index, offset, form, value):
    return edit(BOTH, kind, index, offset, form, value)


def many(kind, count):
    """BOTH with records of `kind` up to `count`, copies of the first one."""
    kept = records(BOTH)
    own = [r for r in kept if r[0] == kind]
    more = [put(own[0], 4, "I", index) for index in range(len(own), count)]
    place = max(k for k, r in enumerate(kept) if r[0] == kind) + 1
    return with_records(BOTH, [*kept[:place], *more, *kept[place:]])


# FEATURE: 0 pi, 1 x, 2 product, 3 pi / 2, 4 sum, 5 sin, 6 sin, 7 t. EXACT: 0 x, 1 t, 2 one, ...
WRONG = {
    "operation 0": (operation(FEATURE, 1, 16, "I", 0), "FEATURE 1.*kind 0"),
    "operation 9": (operation(FEATURE, 1, 16, "I", 9), "FEATURE 1.*kind 9"),
    "coordinate of nothing": (operation(EXACT, 1, 20, "I", 2), "exact reads coordinate 2"),
    "coordinate with b": (operation(EXACT, 1, 24, "I", 1), "b of a coordinate"),
    "constant with a": (operation(EXACT, 2, 20, "I", 1), "a of a constant"),
    "constant with b": (operation(EXACT, 2, 24, "I", 1), "b of a constant"),
    "product of a later one": (operation(FEATURE, 2, 20, "I", 3), "a from operation 3"),
    "product of itself": (operation(FEATURE, 2, 24, "I", 2), "b from operation 2"),
    "sum of a later one": (operation(FEATURE, 4, 20, "I", 4), "4, add, takes a"),
    "far operation": (operation(FEATURE, 2, 20, "I", 2**32 - 1), "4294967295"),
    "sine of a later one": (operation(FEATURE, 5, 20, "I", 5), "5, sin, takes a"),
    "sine with b": (operation(FEATURE, 5, 24, "I", 1), "b of a sin"),
    "sine with a value": (operation(FEATURE, 5, 8, "d", 1.0), "value of a sin"),
    "sine with minus zero": (operation(FEATURE, 5, 8, "d", -0.0), "value of a sin"),
    "feature of nothing": (edit(BOTH, NORMALIZE, 2, 24, "I", 8), "result 2 is operation 8"),
    "base of nothing": (edit(BOTH, AFFINE, 0, 24, "I", 99), "result 0 is operation 99"),
    "factor of nothing": (edit(BOTH, AFFINE, 0, 28, "I", 99), "result 1 is operation 99"),
}
CASES = (
    {name: ("MAP", data, message) for name, (data, message) in WRONG.items()}
    | {
        f"unused byte {offset} of {KIND_NAMES[kind]}": (
            "PADDING",
            edit(BOTH, kind, 0, offset, "B", 1),
            f"{KIND_NAMES[kind]}.*byte at {offset}",
        )
        for kind in (FEATURE, EXACT)
        for offset in (28, 63)
    }
    | {
        "feature NaN": ("VALUE", operation(FEATURE, 0, 8, "d", math.nan), "FEATURE 0.*nan"),
        "exact infinite": ("VALUE", operation(EXACT, 2, 8, "d", math.inf), "EXACT 2.*inf"),
        "no features normalized": ("RECORD", without(BOTH, NORMALIZE), "no NORMALIZE"),
        "257 FEATURE": ("RECORD", many(FEATURE, 257), "257 FEATURE records, the cap is 256"),
        "257 EXACT": ("RECORD", many(EXACT, 257), "257 EXACT records, the cap is 256"),
        "129 features": ("RECORD", many(NORMALIZE, 129), "129 NORMALIZE.*cap is 128"),
        "a feature more": ("LAYER", many(NORMALIZE, 4), "takes 3 values, the features give 4"),
        "operation of no feature": (
            "PADDING",
            edit(PLAIN, NORMALIZE, 1, 24, "I", 1),
            "NORMALIZE 1",
        ),
        "base of no condition": ("PADDING", edit(PLAIN, AFFINE, 0, 24, "I", 1), "base.*no EXACT"),
        "factor of no condition": ("PADDING", edit(PLAIN, AFFINE, 0, 28, "I", 1), "factor.*no EX"),
    }
)


def widest():
    """As many operations as there may be."""
    p = Program()
    p.x(0)
    for k in range(255):
        p.add("add", k, 0)
    return replace(mapped_model(features=False), exact=p.map(255, 0))


EDGES = {
    "every kind of operation": (None, pack(replace(mapped_model(), exact=everything()))),
    "exact alone": (None, pack(mapped_sample(features=False))),
    "features alone": (None, pack(mapped_sample(exact=False))),
    "256 operations": (None, pack(widest())),
}
