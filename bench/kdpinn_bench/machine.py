"""What a figure was measured on: processor, compiler, versions, commit."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "deepxde", "kdpinn", "kdpinn-runtime", "numpy", "onnx", "onnxruntime", "openvino",
    "pina-mathlab", "torch",
)  # fmt: skip
FLAGS = ("avx2", "fma", "avx512f", "avx512dq", "avx512bw", "avx512vl", "asimd", "sve")


def fingerprint() -> dict[str, Any]:
    """Facts about this machine and this installation, for JSON; nothing that names a person.

    Unknown facts are None (the governor inside most virtual machines, the commit of an installed
    wheel).
    """
    return {
        "cpu": cpu_name(),
        "isa": platform.machine(),
        "flags": cpu_flags(),
        "cores": os.cpu_count(),
        "cores_permitted": permitted_cores(),
        "governor": _read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "compiler": compiler(),
        "versions": versions(),
        "commit": commit(),
    }


def cpu_name() -> str:
    """The processor's own name."""
    return _cpu_field("model name") or platform.processor() or platform.machine()


def cpu_flags() -> list[str]:
    """Which of FLAGS the processor has."""
    found = set((_cpu_field("flags") or _cpu_field("Features") or "").split())
    return [flag for flag in FLAGS if flag in found]


def permitted_cores() -> int | None:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def versions() -> dict[str, str]:
    """Installed versions of PACKAGES; missing ones are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def compiler() -> str | None:
    """First line of `gcc --version`: the compiler that installs build the core with."""
    return _first_line("gcc", "--version")


def commit() -> str | None:
    """Hash of the source tree's commit, with "+" appended if files differ from it."""
    here = str(Path(__file__).resolve().parent)
    head = _first_line("git", "-C", here, "rev-parse", "HEAD")
    if head is None:
        return None
    changed = _first_line("git", "-C", here, "status", "--porcelain", "--untracked-files=no")
    return head + "+" if changed else head


def _cpu_field(key: str) -> str | None:
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8").strip()
    except OSError:
        return None


def _first_line(*command: str) -> str | None:
    """First line that a program prints, None if it is missing, fails or prints nothing."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    lines = done.stdout.splitlines()
    return lines[0].strip() if done.returncode == 0 and lines else None
