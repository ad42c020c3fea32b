"""Runs replay.c, a device's program, and reads what it printed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kdpinn_runtime import pack

SOURCE = Path(__file__).parent / "replay.c"


@dataclass
class Replay:
    """What the program said: figures of the self-test, jets (channels, n, outputs)."""

    isa: str
    passed: bool
    points: int
    figures: dict[str, float]
    jets: np.ndarray
    outside: int


def replay(command, folder, file, x, *, isa="best", dtype=np.float32):
    """Runs `command`, a list, on a ModelFile at the points x (n, d); leaves files in `folder`."""
    (folder / "model.kdp").write_bytes(pack(file))
    (folder / "points").write_bytes(x.astype("<f8").tobytes())
    bits = str(np.dtype(dtype).itemsize * 8)
    command = [*command, folder / "model.kdp", folder / "points", isa, bits]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    name, selftest, *numbers, outside = done.stdout.splitlines()
    passed, points, *figures = selftest.split()
    roles = ("expected", "reference", "teacher", "residual")
    jets = np.array(numbers, np.float64).reshape(-1, len(x), len(file.outputs))
    told = dict(zip(roles, map(float, figures)))
    return Replay(name, passed == "1", int(points), told, jets, int(outside))
