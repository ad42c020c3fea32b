#!/usr/bin/env python3
"""Installs the wheel of kdpinn-runtime as a device would, without compilers, and uses it.

    python scripts/check_wheel.py dist/kdpinn_runtime-*.whl MODEL.kdp

Fails if the wheel has more than 1 MB, if installing it (and numpy, from wheels alone) into a new
environment takes longer than 10 s, or if the model's self-test fails there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

LARGEST, LONGEST_S = 1_000_000, 10.0
USE = """
import sys, kdpinn_runtime
sys.exit(not kdpinn_runtime.verify(sys.argv[1], latency=False).passed)
"""


def main() -> int:
    """Exit code 1 if something is not as promised."""
    if len(sys.argv) != 3:
        sys.exit("usage: check_wheel.py WHEEL MODEL.kdp")
    wheel, model = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    size = wheel.stat().st_size
    with tempfile.TemporaryDirectory(prefix="kdpinn-wheel-") as folder:
        venv.create(folder, with_pip=True)
        binaries = Path(folder) / "bin"
        # No compiler is found here, and nothing may be built from source.
        alone = {"PATH": str(binaries), "HOME": folder}
        install = [binaries / "python", "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        start = time.monotonic()
        subprocess.run([*install, wheel], check=True, env=alone | registry())
        seconds = time.monotonic() - start
        used = subprocess.run([binaries / "python", "-c", USE, model], env=alone, check=False)
    facts = {
        f"{size / 1e6:.2f} MB, at most {LARGEST / 1e6:.0f}": size <= LARGEST,
        f"installed in {seconds:.1f} s, at most {LONGEST_S:.0f}": seconds <= LONGEST_S,
        f"{model.name} verified": used.returncode == 0,
    }
    for text, good in facts.items():
        sys.stdout.write(f"{'ok  ' if good else 'FAIL'} {wheel.name}: {text}\n")
    return 0 if all(facts.values()) else 1


def registry() -> dict[str, str]:
    """Where pip gets packages from here, if the environment says so."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


if __name__ == "__main__":
    sys.exit(main())
