"""Test programs on this machine and on emulated boards: do they pass, and what do they take?"""

from __future__ import annotations

import atexit
import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kdpinn_runtime import Check

_TIMEOUT_S = 120
CORE = "kdpinn.c"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")


@dataclass(frozen=True)
class Board:
    """An emulated processor: flags of its compiler, the emulator's machine.

    tick_ns: what a tick of its timer lasts where an instruction takes one nanosecond.
    """

    name: str
    flags: tuple[str, ...]
    machine: str
    tick_ns: float
    compiler: str = "arm-none-eabi-gcc"
    emulator: str = "qemu-system-arm"

    def missing(self) -> str:
        """What is not installed, and how to get it; empty if nothing is missing."""
        needed = {self.compiler: "gcc-arm-none-eabi", self.emulator: "qemu-system-arm"}
        lacking = [package for tool, package in needed.items() if not shutil.which(tool)]
        return f"apt-get install {' '.join(lacking)}" if lacking else ""


@dataclass(frozen=True)
class Host:
    """A system with a C library: this machine, or an emulated processor."""

    name: str
    compiler: str
    emulator: str = ""
    flags: tuple[str, ...] = ()

    @property
    def tools(self) -> list[str]:
        """What has to be installed."""
        return [self.compiler, *filter(None, [self.emulator])]

    def missing(self) -> str:
        """What is not installed; empty if nothing is missing."""
        lacking = [tool for tool in self.tools if not shutil.which(tool)]
        return f"{' and '.join(lacking)} not installed" if lacking else ""


# Static, so that the emulators need no libraries.
HOSTS = (
    Host("here", "gcc"),
    Host("aarch64", "aarch64-linux-gnu-gcc", "qemu-aarch64", ("-static",)),
    Host("riscv64", "riscv64-linux-gnu-gcc", "qemu-riscv64", ("-static",)),
)
BOARDS = (
    Board(
        "cortex-m4f",
        ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
        "mps2-an386",
        40.0,
    ),
    Board("cortex-m0+", ("-mcpu=cortex-m0plus", "-mthumb", "-mfloat-abi=soft"), "microbit", 62.5),
)
FIRMWARE = ("-O2", "-ffreestanding", "-fno-math-errno", "-ffunction-sections", "-fdata-sections")
LINKED = ("-nostdlib", "-Wl,--gc-sections", "-T", "arm.ld")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a test program said.

    share: largest error as a share of what is permitted; error: in the output's unit; flash, ram:
    bytes, the stack included; instructions: executed for one evaluation; nanoseconds: for one.
    """

    where: str
    passed: bool
    share: float
    error: float
    nanoseconds: float | None = None
    flash: int | None = None
    ram: int | None = None
    instructions: float | None = None

    def check(self) -> Check:
        """As a check: the error, with the other figures beside it."""
        figures = {"flash": self.flash, "ram": self.ram, "instructions": self.instructions}
        known = {name: float(value) for name, value in figures.items() if value is not None}
        note = ", ".join(
            f"{value:.0f} {name if name == 'instructions' else 'bytes of ' + name}"
            for name, value in known.items()
        )
        return Check(
            name=f"{self.where}: error / bound",
            passed=self.passed,
            measured=self.share,
            limit=1.0,
            note=note,
            detail=known | {"error": self.error},
        )


def run_here(folder: Path, sources: Sequence[str], flags: Sequence[str] = ("-O2",)) -> Ran:
    """`run_hosted` on this machine."""
    return run_hosted(HOSTS[0], folder, sources, flags)


def run_hosted(host: Host, folder: Path, sources: Sequence[str], flags: Sequence[str]) -> Ran:
    """Compile the sources of `folder` and replay the known answers."""
    with tempfile.TemporaryDirectory() as scratch:
        program = Path(scratch) / "test"
        command = (host.compiler, *STRICT, *flags, *host.flags)
        parts = [_core_object(command, folder) if s == CORE else s for s in sources]
        _compile([*command, *parts], program, folder)
        said = _run([*filter(None, [host.emulator]), str(program)])
    time = _number(said, "nanoseconds")
    return Ran(
        where=host.name,
        passed=_passed(said),
        share=_share(said),
        error=_error(said),
        nanoseconds=time if time == time else None,
    )


def _core_object(command: tuple[str, ...], folder: Path) -> str:
    """The core compiled: it is the same in every folder, and takes longer than all the rest."""
    text = (folder / CORE).read_bytes() + (folder / "kdpinn.h").read_bytes()
    target = _scratch() / f"{hashlib.sha256(repr(command).encode() + text).hexdigest()}.o"
    if not target.exists():
        _compile([*command, "-c", CORE], target, folder)
    return str(target)


@cache
def _scratch() -> Path:
    """A folder that goes with the process."""
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)


def run_on(board: Board, folder: Path) -> Ran:
    """Compile the sources for a board and replay the known answers in its emulator.

    Every instruction takes a nanosecond of the emulator's time (`-icount shift=0`), so that a
    timer of the board counts them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "firmware.elf"
        sources = ["main.c", "kdpinn_mcu.c", "startup_arm.c"]
        flags = [*STRICT, *board.flags, *FIRMWARE, *LINKED]
        _compile([board.compiler, *flags, *sources, "-lgcc"], image, folder)
        sizes = _run([board.compiler.removesuffix("gcc") + "size", str(image)])
        emulated = ["-icount", "shift=0", "-nographic", "-monitor", "none", "-serial", "none"]
        emulated += ["-semihosting-config", "enable=on,target=native", "-kernel", str(image)]
        said = _run([board.emulator, "-machine", board.machine, *emulated])
    text, data, bss = map(int, sizes.splitlines()[1].split()[:3])
    ticks, evaluations = _number(said, "ticks"), _number(said, "evaluations")
    return Ran(
        where=board.name,
        passed=_passed(said),
        share=_share(said),
        error=_error(said),
        flash=text + data,
        ram=data + bss + int(_number(said, "stack_bytes")),
        instructions=ticks * board.tick_ns / evaluations,
    )


def versions_of(tools: Sequence[str]) -> dict[str, str]:
    """Of those that are installed, as they say themselves."""
    here = [tool for tool in dict.fromkeys(tools) if shutil.which(tool)]
    return {tool: _run([tool, "--version"]).splitlines()[0] for tool in here}


def _compile(command: list[str], target: Path, folder: Path) -> None:
    done = subprocess.run(
        [*command, "-o", str(target)], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} refuses the exported sources:\n{done.stderr}")


def _run(command: list[str]) -> str:
    """What it prints; a failed check is an answer too, not an error."""
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S, cwd="/"
    )
    return done.stdout + done.stderr


def _passed(said: str) -> bool:
    return bool(said.split()) and said.split()[-1] == "passed"


def _share(said: str) -> float:
    return _number(said, "error_permille") / 1000


def _error(said: str) -> float:
    return _number(said, "error_nano") * 1e-9


def _number(said: str, name: str) -> float:
    found = re.search(rf"^{name} (\d+)$", said, re.MULTILINE)
    return float(found[1]) if found else float("nan")
