"""The C core as a WebAssembly module, built with clang for the browsers' SIMD128 vectors.

One module evaluates every model: nothing of a model is compiled into it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from kdpinn_runtime.paths import SOURCE

from ..kept import keep, kept_place

GLUE = Path(__file__).with_name("module.c")
COMPILER, LINKER = "clang", "wasm-ld"
STACK = 1 << 17
"""Bytes; kd_load needs at most half of it (docs/format.md)."""
FLAGS = (
    "--target=wasm32",
    "-std=c99",
    "-O3",
    "-msimd128",
    "-mbulk-memory",  # copies of structures become instructions, not calls of a libc
    "-ffreestanding",
    "-ffp-contract=off",
    "-nostdlib",
    "-fvisibility=hidden",
    *("-Wall", "-Wextra", "-Werror", "-pedantic"),
    *("-Wl,--no-entry", "-Wl,--strip-all", "-Wl,--stack-first", f"-Wl,-z,stack-size={STACK}"),
)


def missing_tools() -> str:
    """What the build needs and does not find, and how to get it; empty if nothing is missing."""
    missing = [tool for tool in (COMPILER, LINKER) if shutil.which(tool) is None]
    if not missing:
        return ""
    return f"{' and '.join(missing)} not found: install LLVM's (Debian: apt-get install clang lld)"


def tool_versions() -> dict[str, str]:
    """Compiler and linker -> first line of what they say of themselves."""
    return {tool: _version(tool) for tool in (COMPILER, LINKER)}


def _version(tool: str) -> str:
    said = subprocess.run([tool, "--version"], check=True, capture_output=True, text=True).stdout
    return said.splitlines()[0].strip()


def wasm_module() -> bytes:
    """The module, about 130 kB; 5 s of compiling, once for a version of core and compiler.

    Raises ValueError if a tool is missing, RuntimeError with the compiler's words if it fails.
    """
    if missing := missing_tools():
        raise ValueError(f"The WebAssembly module cannot be built: {missing}.")
    return built()


@cache
def built() -> bytes:
    """The module, compiled, or as it was kept when it was."""
    sources = [SOURCE / "kdpinn.c", GLUE]
    contents = [path.read_bytes() for path in (*sources, SOURCE / "kdpinn.h")]
    place = kept_place(".wasm", FLAGS, tool_versions(), contents)
    if place is not None and place.exists():
        return place.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "core.wasm"
        command = [COMPILER, *FLAGS, f"-I{SOURCE}", *map(str, sources), "-o", str(target)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(
                f"{COMPILER} could not build the WebAssembly module:\n{done.stderr.strip()}"
            )
        data = target.read_bytes()
    keep(place, data)
    return data
