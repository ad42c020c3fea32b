"""Runs a page's own module and model in node: the same WebAssembly and script as in a browser."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from kdpinn_runtime.format import ModelFile

from ..arithmetic import Array, FloatArray

NODE = "node"
VALUE, FIRST, SECOND = range(3)
"""Kinds of a quantity, as module.c numbers them."""


@dataclass(frozen=True, eq=False)
class Replay:
    """What a page says.

    isa: vectors that the module uses; selftests: the baseline replayed in float32 and in float64;
    answers: quantities in float32 at the points, (n, k).
    """

    isa: str
    selftests: tuple[dict[str, Any], ...]
    answers: FloatArray


def node_missing() -> str:
    """How to get node, or nothing if it is there."""
    return (
        ""
        if shutil.which(NODE)
        else f"{NODE} not found: install it (Debian: apt-get install nodejs)"
    )


def quantities(model: ModelFile, *, derivatives: bool) -> list[dict[str, int]]:
    """Values, then first and the file's second derivatives, every output of one after another."""
    d = len(model.inputs)
    kinds = [(VALUE, 0, 0)]
    if derivatives:
        kinds += [(FIRST, k, 0) for k in range(d)] + [(SECOND, i, j) for i, j in model.pairs]
    return [
        {"kind": kind, "which": which, "a": a, "b": b}
        for kind, a, b in kinds
        for which in range(len(model.outputs))
    ]


def replay(page: str, wanted: Sequence[dict[str, int]], points: Array) -> Replay:
    """Evaluate `wanted` at `points` (n, d), exact in float32, with what the page carries.

    Raises RuntimeError with node's words if it fails.
    """
    core = files("kdpinn_export.browser").joinpath("page")
    script = "".join(core.joinpath(name).read_text("utf-8") for name in ("numbers.js", "core.js"))
    script += files("kdpinn_export.browser").joinpath("answers.js").read_text("utf-8")
    given = json.dumps({"page": page, "quantities": list(wanted), "points": points.tolist()})
    done = subprocess.run(
        [NODE, "--input-type=commonjs", "--eval", script],
        input=given,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{NODE} could not run the page's module:\n{done.stderr.strip()}")
    said = json.loads(done.stdout)
    return Replay(
        isa=said["isa"],
        selftests=tuple(said["selftests"]),
        answers=np.array(said["answers"], np.float64).T,
    )
