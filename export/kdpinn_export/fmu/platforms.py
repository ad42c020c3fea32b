"""What FMU binaries can be built for, and by which compilers."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Platform:
    """What to build for.

    folder: of the binary in FMI 2; FMI 3 uses the platform's name. debian: the package that has
    the compiler. define, isas: vectors beside the scalar kernels, each with its compiler flags.
    link: flags that make the library small, free of other libraries and of the hour it was made.
    """

    folder: str
    suffix: str
    compilers: tuple[str, ...]
    debian: str
    define: str
    isas: dict[str, tuple[str, ...]]
    flags: tuple[str, ...]
    link: tuple[str, ...]


AVX = {
    "avx2": ("-mavx2", "-mfma", "-mf16c"),
    "avx512": ("-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"),
}
# gcc cannot align the stack for vectors on Windows (its bug 54412): no aligned moves, then.
UNALIGNED = ("-Wa,-muse-unaligned-vector-move",)
ELF = ("-Wl,--build-id=none", "-Wl,--no-undefined", "-Wl,-z,relro,-z,now")

PLATFORMS = {
    "aarch64-linux": Platform(
        folder="aarch64-linux",
        suffix=".so",
        compilers=("aarch64-linux-gnu-gcc",),
        debian="gcc-aarch64-linux-gnu",
        define="KD_WITH_NEON",
        isas={"neon": ()},
        flags=("-fPIC",),
        link=ELF,
    ),
    "x86_64-linux": Platform(
        folder="linux64",
        suffix=".so",
        compilers=("x86_64-linux-gnu-gcc",),
        debian="gcc",
        define="KD_WITH_X86",
        isas=AVX,
        flags=("-fPIC",),
        link=ELF,
    ),
    "x86_64-windows": Platform(
        folder="win64",
        suffix=".dll",
        compilers=("x86_64-w64-mingw32-gcc",),
        debian="gcc-mingw-w64-x86-64",
        define="KD_WITH_X86",
        isas={isa: (*flags, *UNALIGNED) for isa, flags in AVX.items()},
        flags=(),
        link=("-static-libgcc", "-Wl,--no-insert-timestamp"),
    ),
}


def host() -> str:
    """The platform of this machine.

    Raises ValueError where no FMU binary can be built for it.
    """
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    name = f"{machine}-{platform.system().lower()}"
    if name not in PLATFORMS:
        raise ValueError(f"no FMU binaries are built for {name}; name one: {', '.join(PLATFORMS)}")
    return name


def compiler_of(name: str) -> str | None:
    """The compiler for a platform as it is called here, or None."""
    own = ("cc", "gcc", "clang") if name == host() else ()
    return next(filter(shutil.which, (*PLATFORMS[name].compilers, *own)), None)


def missing(names: Sequence[str]) -> str:
    """What is not installed for these platforms, and how to get it; empty if nothing is."""
    absent = [name for name in names if compiler_of(name) is None]
    packages = " ".join(sorted({PLATFORMS[name].debian for name in absent}))
    return (
        f"no C compiler for {', '.join(absent)} (Debian: apt-get install {packages})"
        if absent
        else ""
    )
