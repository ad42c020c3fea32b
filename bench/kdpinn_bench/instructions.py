"""Instructions per evaluation: unlike times, they repeat exactly on any machine, busy or idle.

Counted by `perf stat` where the system gives access to the counters, on the best path; else by
valgrind, which emulates a processor without AVX-512: there it is the AVX2 path that is counted.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdpinn_runtime import _core
from kdpinn_runtime.format import ModelFile, pack

POINTS = 1024
_TIMEOUT_S = 300
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"}
"""Alone, so that dictionaries and the stack look alike in every process; `-I` would ignore it."""
# Only the extension, no numpy: starting it costs valgrind a second instead of half a minute.
_CHILD = """
import sys
from array import array
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
extension, model, calls, points, inputs, outputs = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
spec = spec_from_file_location("_core", extension, loader=ExtensionFileLoader("_core", extension))
core = module_from_spec(spec)
spec.loader.exec_module(core)
engine = core.Engine(open(model, "rb").read())
values = array("f", [(37 * k % 199) / 100 - 1 for k in range(points * inputs)])
x = memoryview(values).cast("B").cast("f", (points, inputs))
out = memoryview(array("f", [0.0] * (points * outputs))).cast("B").cast("f", (points, outputs))
for _ in range(calls):
    engine.eval(x, out)
print(engine.isa)
"""


@dataclass(frozen=True, kw_only=True)
class Instructions:
    """per_point: instructions in user space for one point of a batch, all of the call included.

    isa: the path that ran; tool: what counted, or why nothing did (per_point is then None).
    """

    net: str
    per_point: float | None
    isa: str
    tool: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dict(vars(self))


def count_instructions(model: ModelFile, net: str, points: int = POINTS) -> Instructions:
    """Instructions of one call less those of none: the difference of two processes.

    The model's domain must hold the points, which lie in [-1, 1]; others are only counted as
    outside, which costs the same.
    """
    for tool in (_perf, _callgrind):
        if tool([sys.executable, "-s", "-P", "-S", "-c", ""]) is None:
            continue
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.kdp"
            path.write_bytes(pack(model))
            found = [tool(_command(path, calls, points, model)) for calls in (1, 3)]
        if None in found:
            continue
        (one, isa), (three, _) = found  # type: ignore[misc]
        return Instructions(
            net=net, per_point=(three - one) / 2 / points, isa=isa, tool=_NAMES[tool]
        )
    return Instructions(
        net=net, per_point=None, isa="", tool="neither perf counters nor valgrind are here"
    )


def _command(path: Path, calls: int, points: int, model: ModelFile) -> list[str]:
    sizes = (calls, points, len(model.inputs), len(model.outputs))
    return [
        sys.executable,
        "-s",
        "-P",
        "-S",
        "-c",
        _CHILD,
        str(_core.__file__),
        str(path),
        *map(str, sizes),
    ]


def _perf(command: list[str]) -> tuple[int, str] | None:
    """(instructions, what the child printed), None where perf or its counter is missing."""
    done = _run(["perf", "stat", "-x", ",", "-e", "instructions:u", *command])
    found = None if done is None else re.search(r"^(\d+),[^,]*,instructions", done.stderr, re.M)
    return None if found is None or done is None else (int(found[1]), done.stdout.strip())


def _callgrind(command: list[str]) -> tuple[int, str] | None:
    """The same by valgrind; the profile itself is thrown away."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = _run([*tool, *command])
    found = None if done is None else re.search(r"Collected : (\d+)", done.stderr)
    return None if found is None or done is None else (int(found[1]), done.stdout.strip())


_NAMES = {_perf: "perf stat", _callgrind: "valgrind"}


def _run(command: list[str]) -> subprocess.CompletedProcess[str] | None:
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
        env=_ENVIRONMENT,
    )
    return done if done.returncode == 0 else None
