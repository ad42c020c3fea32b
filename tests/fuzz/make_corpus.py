"""Writes the fuzzers' first inputs: small models that differ in shape, number type and physics.

PYTHONPATH=tests/runtime python tests/fuzz/make_corpus.py        the same bytes every time
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from kdp_samples import bare_model, sample, tiny
from map_samples import everything, mapped_model, mapped_sample, mapped_tiny
from narrow_samples import narrow_sample, stored_as
from tied_samples import tied_mapped, tied_model, tied_tiny

from kdpinn_runtime import pack
from kdpinn_runtime.format import Equation, Factor, Term

FOLDER = Path(__file__).parent / "corpus"


def every_factor():
    """`sample` with a second equation, whose terms use each class of factor."""
    file = sample(sizes=(2, 3, 1))
    kinds = ("coordinate", "value", "first", "second", "parameter", "data")
    terms = tuple(Term(coefficient=0.5, factors=(Factor(kind=kind, a=0),)) for kind in kinds)
    constant = Term(coefficient=1.0, factors=())
    most = Term(coefficient=-1.0, factors=(Factor(kind="value", a=0),) * 10)
    second = Equation(name="all", terms=(*terms, constant, most), limit=1.0)
    return replace(file, equations=(*file.equations, second), pairs=((0, 0), (0, 1), (1, 1)))


def seeds():
    """{name: file}, a few kB each."""
    smallest = replace(bare_model(sizes=(1, 1)), card={}, targets=())
    shapes = {
        "smallest": smallest,
        "tiny": tiny(),
        "every-factor": every_factor(),
        "f64": sample(sizes=(2, 3, 1), dtype=np.float64),
        "wide": bare_model(sizes=(2, 17, 9, 1)),
        "deep": bare_model(sizes=(1, 2, 3, 4, 5, 2), activation="sin"),
        "many": bare_model(sizes=(4, 6, 4), activation="sigmoid"),
        "silu": bare_model(sizes=(3, 5, 3), activation="silu", dtype=np.float64),
        "relu": bare_model(sizes=(2, 3, 1), activation="relu"),
        "gelu": bare_model(sizes=(2, 3, 1), activation="gelu", dtype=np.float64),
        "tied": tied_tiny(),
        "tied-swap": tied_model("swap with signs and both", hidden=(2, 3), dtype=np.float64),
        "functions": mapped_tiny(),
        "features": mapped_sample(exact=False, hidden=(3,)),
        "exact": mapped_sample(features=False, hidden=(2,), dtype=np.float64),
        "every-operation": replace(mapped_model(hidden=(2,), outputs=1), exact=everything()),
        "narrow": narrow_sample("i16", "i12", "f16", "i8", sizes=(2, 3, 3, 3, 1)),
        "narrower": narrow_sample("i6", "i4", "f32", sizes=(2, 3, 3, 1)),
        "tied-narrow": stored_as(tied_model(hidden=(2, 3)), "i4", "i8", "f16"),
        "tied-four": tied_model("four", hidden=(1, 1), activation="silu"),
        "tied-turn": tied_model("D4", hidden=(1, 1)),
        "tied-features": tied_mapped(hidden=(1, 2)),
    }
    return {name: pack(file) for name, file in shapes.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in seeds().items():
        (FOLDER / f"{name}.kdp").write_bytes(content)
        print(f"{name}.kdp: {len(content)} bytes")  # noqa: T201
