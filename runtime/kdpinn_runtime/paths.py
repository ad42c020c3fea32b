"""Where the C header and library of this installation lie, as compiler flags.

    cc program.c $(python -m kdpinn_runtime.paths --cflags --libs)

For CMake, find_package(kdpinn_runtime) and the target kdpinn_runtime::kdpinn:

    cmake -D kdpinn_runtime_DIR=$(python -m kdpinn_runtime.paths --cmake) ...
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
INCLUDE = FOLDER / "include"
SOURCE = FOLDER / "source"
"""The core as two files, kdpinn.h and kdpinn.c."""
CORE = SOURCE / "core"
"""The core as it is: one file for each instruction set, chosen at run time."""
LIBRARY = FOLDER / "lib" / "libkdpinn.a"
CMAKE = FOLDER / "lib" / "cmake" / "kdpinn_runtime"


def main() -> None:
    """Prints the flags that were asked for, on one line."""
    parser = argparse.ArgumentParser(prog="python -m kdpinn_runtime.paths", description=__doc__)
    parser.add_argument("--cflags", action="store_true", help="flag for the header's folder")
    parser.add_argument("--libs", action="store_true", help="the static library")
    parser.add_argument("--cmake", action="store_true", help="folder of the CMake package")
    wanted = parser.parse_args()
    parts = [
        *([f"-I{INCLUDE}"] if wanted.cflags else []),
        *([str(LIBRARY)] if wanted.libs else []),
        *([str(CMAKE)] if wanted.cmake else []),
    ]
    if not parts:
        parser.error("name at least one of --cflags, --libs, --cmake")
    sys.stdout.write(" ".join(parts) + "\n")


if __name__ == "__main__":
    main()
