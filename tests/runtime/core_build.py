"""Compiles the C core with flags of one's own: sanitizers, coverage, fuzzing."""

import os
import platform
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# tests/mutation/mutate.py sets the variable to a copy with a mistake in it.
CORE = Path(os.environ.get("KDPINN_CORE") or Path(__file__).parents[2] / "runtime" / "core")
X86_FLAGS = {
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"],
}
ON_X86 = platform.machine() in ("x86_64", "AMD64")
ON_ARM = platform.machine() in ("aarch64", "arm64")


def core_sources():
    """(file, its own flags) of the device part of the core, as runtime/CMakeLists.txt has them."""
    for path in sorted(CORE.glob("*.c")):
        x86 = next((isa for isa in X86_FLAGS if isa in path.stem), None)
        foreign = (x86 and not ON_X86) or ("neon" in path.stem and not ON_ARM)
        if path.stem.startswith("reverse") or foreign:
            continue
        yield path, X86_FLAGS.get(x86, [])


def compile_core(folder, compiler, flags, branches=()):
    """Object files of the core, in `folder`; `branches` are flags for all but the kernels."""
    define = ["-DKD_WITH_X86"] if ON_X86 else ["-DKD_WITH_NEON"] if ON_ARM else []

    def compile_one(source):
        path, own = source
        target = Path(folder) / f"{path.stem}.o"
        more = own if path.stem.startswith("kernels") else branches
        common = [compiler, "-std=c11", *flags, *more, *define, f"-I{CORE}"]
        subprocess.run([*common, "-c", str(path), "-o", str(target)], check=True)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_one, core_sources()))


def link(program, compiler, flags, sources, objects):
    """`program` from C `sources` that may include the core's internal headers, and `objects`."""
    here = Path(__file__).parent
    command = [compiler, "-std=c11", *flags, f"-I{CORE}", f"-I{here}"]
    subprocess.run([*command, *map(str, (*sources, *objects)), "-o", str(program)], check=True)
    return program
